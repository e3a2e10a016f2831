import CKernelSupport
import DLRTGraph

/// ONNX Erf (9–13): the error function of x.
package struct Erf: UnaryOperator {
  package static let schema = OperatorSchema.unary("Erf", versions: [9, 13], input: "input", output: "output")

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_ERF) }

  package func loop(_ type: DataType) throws -> UnaryLoop { try loopOverDoubles(type, errorFunctions) }
}
