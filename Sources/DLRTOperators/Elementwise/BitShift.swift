import DLRTGraph

/// ONNX BitShift (11–28): a shifted by b bits, with broadcasting. Bits that leave are lost; signed integers keep their
/// sign to the right. A negative b, or one of at least the type's width, shifts everything out.
package struct BitShift: BinaryOperator {
  package static let schema = OperatorSchema.binary(
    "BitShift", versions: [11, 28], types: .integers, inputs: ("X", "Y"), output: "Z")

  private enum Direction: String, CaseIterable {
    case left = "LEFT"
    case right = "RIGHT"
  }

  private let direction: Direction

  package init(_ attributes: inout AttributeReader) throws {
    guard attributes.has("direction") else {
      throw DLRTError(.invalidModel, "a required attribute is missing", tensor: "direction")
    }
    direction = try attributes.choice("direction", default: .left)
  }

  package var alignment: OperandAlignment { .last }

  package func loop(_ type: DataType) throws -> BinaryLoop {
    try type.dispatch(Shift(isLeft: direction == .left))
  }

  private struct Shift: IntegerTask {
    let isLeft: Bool

    func run<T: NumericElement & FixedWidthInteger>(_ type: T.Type) -> BinaryLoop {
      let isLeft = isLeft
      return { x, y, out, count in
        let x = x.assumingMemoryBound(to: T.self)
        let y = y.assumingMemoryBound(to: T.self)
        let out = out.assumingMemoryBound(to: T.self)
        for index in 0..<count {
          let value = x[index]
          let amount = y[index]
          let isWithin = amount >= 0 && amount < T.bitWidth
          let outside: T = isLeft || value >= 0 ? 0 : ~0
          let inside = isLeft ? value &<< amount : value &>> amount
          out[index] = isWithin ? inside : outside
        }
      }
    }
  }
}
