import CKernelSupport
import DLRTGraph

/// ONNX Sqrt (1–13): the square root of x; NaN below 0.
package struct Sqrt: UnaryOperator {
  package static let schema = OperatorSchema.unary("Sqrt", versions: [1, 6, 13])

  package init(_ attributes: inout AttributeReader) throws {}

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_SQRT) }

  package func loop(_ type: DataType) throws -> UnaryLoop { try loopOverDoubles(type, squareRoots) }
}
