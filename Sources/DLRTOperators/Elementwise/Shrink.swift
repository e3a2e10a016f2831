import CKernelSupport
import DLRTGraph

/// ONNX Shrink (9): x + bias below −lambd, x − bias above lambd, 0 between. Integers are
/// computed in float64 and rounded towards zero.
package struct Shrink: NumericUnaryOperator {
  package static let schema = OperatorSchema.unary(
    "Shrink", versions: [9], types: .numeric, input: "input", output: "output")

  private let bias: Double
  private let limit: Double

  package init(_ attributes: inout AttributeReader) throws {
    bias = Double(try attributes.float("bias", default: 0))
    limit = Double(try attributes.float("lambd", default: 0.5))
  }

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_SHRINK, Float(limit), Float(bias)) }

  package func apply<T: NumericElement>(_ x: T) -> T {
    let value = x.double
    let result = value < -limit ? value + bias : value > limit ? value - bias : 0
    return T(nearest: T.dataType.isFloat ? result : result.rounded(.towardZero))
  }
}
