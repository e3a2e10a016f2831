import CKernelSupport
import DLRTGraph

/// ONNX Mod (10–28): the remainder of a / b, with broadcasting: of the divisor's sign, or (`fmod`) of the dividend's.
/// Integers give 0 for a divisor of 0.
package struct Mod: BinaryOperator {
  package static let schema = OperatorSchema.binary("Mod", versions: [10, 13, 28], types: .numeric)

  private let truncates: Bool

  package init(_ attributes: inout AttributeReader) throws { truncates = try attributes.flag("fmod") }

  package var alignment: OperandAlignment { .last }

  package var kernel: dlk_binary? { truncates ? DLK_BINARY_MOD : nil }

  package func loop(_ type: DataType) throws -> BinaryLoop {
    type.isFloat
      ? try type.dispatch(Real(truncates: truncates)) : try type.dispatch(Whole(truncates: truncates))
  }

  private struct Whole: IntegerTask {
    let truncates: Bool

    func run<T: NumericElement & FixedWidthInteger>(_ type: T.Type) -> BinaryLoop {
      let truncates = truncates
      return { x, y, out, count in
        let x = x.assumingMemoryBound(to: T.self)
        let y = y.assumingMemoryBound(to: T.self)
        let out = out.assumingMemoryBound(to: T.self)
        for index in 0..<count {
          let divisor = y[index]
          let (rest, overflow) = x[index].remainderReportingOverflow(dividingBy: divisor)
          let remainder = overflow ? 0 : rest
          let isWrong = remainder != 0 && (remainder < 0) != (divisor < 0)
          out[index] = isWrong && !truncates ? remainder &+ divisor : remainder
        }
      }
    }
  }

  private struct Real: FloatTask {
    let truncates: Bool

    func run<T: RealElement>(_ type: T.Type) -> BinaryLoop {
      let truncates = truncates
      return { x, y, out, count in
        let x = x.assumingMemoryBound(to: T.self)
        let y = y.assumingMemoryBound(to: T.self)
        let out = out.assumingMemoryBound(to: T.self)
        for index in 0..<count {
          let divisor = y[index]
          let remainder = T.fmod(x[index], divisor)
          if truncates {
            out[index] = remainder
          } else if remainder == 0 {
            out[index] = T(signOf: divisor, magnitudeOf: 0)
          } else {
            out[index] = (remainder < 0) != (divisor < 0) ? remainder + divisor : remainder
          }
        }
      }
    }
  }
}
