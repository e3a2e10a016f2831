import DLRTGraph

/// A quantised matrix operand with its zero point taken off, widened to int32, or to float32 for 8-bit floats.
struct QuantizedOperand: Sendable {
  let input: Int
  private let zeroPoint: Int?
  private let type: DataType
  /// Walks the zero points beside the elements.
  private let walk: Broadcast
  /// Where the widened elements are in the workspace, in elements of four bytes.
  let offset: Int
  private let asFloat: Bool

  var count: Int { walk.count }

  /// - Parameter perRow: a vector of zero points has one for each row, not one for each column.
  init(_ planning: Planning, _ input: Int, zeroPoint: Int, perRow: Bool, asFloat: Bool, offset: Int) {
    self.input = input
    self.zeroPoint = planning.has(zeroPoint) ? zeroPoint : nil
    type = planning.type(input)
    let shape = planning.shape(input)
    let own = planning.has(zeroPoint) ? planning.shape(zeroPoint) : []
    walk = Broadcast(output: shape, inputs: [QuantizedOperand.aligned(own, shape, perRow: perRow)])
    self.offset = offset
    self.asFloat = asFloat
  }

  /// The shape under which a quantisation parameter broadcasts to its operand.
  static func aligned(_ parameter: [Int], _ operand: [Int], perRow: Bool) -> [Int] {
    if parameter.product == 1 { return [] }
    return perRow && parameter.count == 1 && operand.count > 1 ? [parameter[0], 1] : parameter
  }

  /// Checks that zero points or scales fit their operand.
  static func check(_ inference: inout Inference, _ index: Int, of operand: Int, perRow: Bool) throws {
    guard inference.has(index), inference.has(operand) else { return }
    guard let own = try inference.shape(index).sizes, let shape = try inference.shape(operand).sizes else {
      throw Unresolved.shape(input: index)
    }
    let parameter = aligned(own, shape, perRow: perRow)
    let missing = shape.count - parameter.count
    let fits =
      missing >= 0 && parameter.indices.allSatisfy { parameter[$0] == 1 || parameter[$0] == shape[$0 + missing] }
    guard fits else {
      throw DLRTError(
        .invalidModel, "does not fit its operand", tensor: inference.name(index),
        expected: "a scalar, or one per \(perRow ? "row" : "column") of \(shape)", got: "shape \(own)")
    }
  }

  /// Writes the widened elements to their place in the workspace.
  func widen(_ io: borrowing StepIO) {
    if asFloat {
      widenFloats(io)
    } else if type == .int8 {
      widenIntegers(io, Int8.self)
    } else {
      widenIntegers(io, UInt8.self)
    }
  }

  private func widenIntegers<T: FixedWidthInteger>(_ io: borrowing StepIO, _: T.Type) {
    let source = io.input(input, as: T.self)
    let zeros = zeroPoint.map { io.input($0, as: T.self) }
    let target = io.workspace.assumingMemoryBound(to: Int32.self) + offset
    let step = walk.innerStrides[0]
    walk.forEachRun(in: 0..<walk.count) { position, length, offsets in
      for index in 0..<length {
        let zero = zeros.map { Int32($0[offsets[0] &+ index &* step]) } ?? 0
        target[position &+ index] = Int32(source[position &+ index]) &- zero
      }
    }
  }

  private func widenFloats(_ io: borrowing StepIO) {
    let target = io.workspace.assumingMemoryBound(to: Float.self) + offset
    switch type {
    case .int8:
      let source = io.input(input, as: Int8.self)
      for index in 0..<count { target[index] = Float(source[index]) }
    case .uint8:
      let source = io.input(input, as: UInt8.self)
      for index in 0..<count { target[index] = Float(source[index]) }
    default: FloatCodec.decode(type, io.input(input), target, count)
    }
    guard let zeroPoint else { return }
    let step = walk.innerStrides[0]
    let zeros = io.input(zeroPoint)
    var zero: Float = 0
    walk.forEachRun(in: 0..<walk.count) { position, length, offsets in
      for index in 0..<length {
        let place = offsets[0] &+ index &* step
        switch type {
        case .int8: zero = Float(zeros.load(fromByteOffset: place, as: Int8.self))
        case .uint8: zero = Float(zeros.load(fromByteOffset: place, as: UInt8.self))
        default: FloatCodec.decode(type, zeros + place, &zero, 1)
        }
        target[position &+ index] -= zero
      }
    }
  }
}
