import CKernelSupport
import DLRTGraph

/// ONNX Shrink (9): x + bias below −lambd, x − bias above lambd, 0 between. Integers are
/// computed in float64 and rounded towards zero.
package struct Shrink: UnaryOperator {
  package static let schema = OperatorSchema.unary(
    "Shrink", versions: [9], types: .numeric, input: "input", output: "output")

  private let bias: Double
  private let limit: Double

  package init(_ attributes: inout AttributeReader) throws {
    bias = Double(try attributes.float("bias", default: 0))
    limit = Double(try attributes.float("lambd", default: 0.5))
  }

  package var kernel: UnaryKernel? { UnaryKernel(DLK_UNARY_SHRINK, Float(limit), Float(bias)) }

  package func loop(_ type: DataType) throws -> UnaryLoop { try type.dispatch(Loops(bias: bias, limit: limit)) }

  private struct Loops: NumericTask {
    let bias: Double
    let limit: Double

    func run<T: NumericElement>(_ type: T.Type) -> UnaryLoop {
      let (bias, limit, isFloat) = (bias, limit, T.dataType.isFloat)
      return { x, y, count in
        let x = x.assumingMemoryBound(to: T.self)
        let y = y.assumingMemoryBound(to: T.self)
        for index in 0..<count {
          let value = x[index].double
          let result = value < -limit ? value + bias : value > limit ? value - bias : 0
          y[index] = T(nearest: isFloat ? result : result.rounded(.towardZero))
        }
      }
    }
  }
}
