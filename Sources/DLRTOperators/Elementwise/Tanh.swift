import CKernelSupport
import DLRTGraph

/// ONNX Tanh (1–13): the hyperbolic tangent of x.
package struct Tanh: UnaryOperator {
  package static let schema = OperatorSchema.unary("Tanh", versions: [1, 6, 13], input: "input", output: "output")

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_TANH) }

  package func loop(_ type: DataType) throws -> UnaryLoop { try loopOverDoubles(type, hyperbolicTangents) }
}
