import DLRTGraph

/// A quantised matrix operand with its zero point taken off, widened to int16, or to float32 for 8-bit floats.
struct QuantizedOperand: Sendable {
  let input: Int
  private let zeroPoint: Int?
  private let type: DataType
  /// Walks the zero points beside the elements.
  private let walk: Broadcast
  /// Elements of a row, and how far rows of int16 are apart.
  private let length: Int
  private let pitch: Int

  var count: Int { walk.count }
  var rows: Int { length == 0 ? 0 : walk.count / length }
  /// Bytes of the widened integers, a multiple of 64.
  var byteCount: Int { (rows &* pitch &* 2 &+ 63) & ~63 }

  /// - Parameter perRow: a vector of zero points has one for each row, not one for each column. Rows of such an operand
  ///   are widened to an even number of elements, the last of which may be a zero.
  init(_ planning: Planning, _ input: Int, zeroPoint: Int, perRow: Bool) {
    self.input = input
    self.zeroPoint = planning.has(zeroPoint) ? zeroPoint : nil
    type = planning.type(input)
    let shape = planning.shape(input)
    let own = planning.has(zeroPoint) ? planning.shape(zeroPoint) : []
    walk = Broadcast(output: shape, inputs: [QuantizedOperand.aligned(own, shape, perRow: perRow)])
    length = shape.last ?? 1
    pitch = perRow ? (length + 1) & ~1 : length
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

  func widen(_ io: borrowing StepIO, _ target: UnsafeMutablePointer<Int16>) {
    let source = io.input(input)
    let zeros = zeroPoint.map { io.input($0) }
    io.parallel(Chunks(rows, cost: Double(length) * 0.2)) { widen($0, source, zeros, target) }
  }

  /// Widens a range of rows. Signed bytes are taken with their highest bit inverted, zero points as well.
  func widen(
    _ rows: Range<Int>, _ source: UnsafeRawPointer, _ zeros: UnsafeRawPointer?, _ target: UnsafeMutablePointer<Int16>
  ) {
    let source = source.assumingMemoryBound(to: UInt8.self)
    let zeros = zeros?.assumingMemoryBound(to: UInt8.self)
    let flip: UInt8 = type == .int8 ? 128 : 0
    // Rows without a gap between them are one.
    let isDense = pitch == length
    for row in isDense ? 0..<1 : rows {
      let elements =
        isDense ? rows.lowerBound &* length..<rows.upperBound &* length : row &* length..<(row &+ 1) &* length
      let shift = isDense ? 0 : row &* (pitch &- length)
      walk.forEachRun(in: elements) { position, count, offsets in
        widenBytes(
          source + position, zeros.map { $0 + offsets[0] }, walk.innerStrides[0], flip, target + (position &+ shift),
          count)
      }
      if !isDense { target[row &* pitch &+ length] = 0 }
    }
  }

  func widen(_ io: borrowing StepIO, _ target: UnsafeMutablePointer<Float>) {
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

// Free, so that it stays compiled for speed: see docs/architecture.md.
/// Bytes less their zero points.
///
/// - Parameters:
///   - zeros: one for each element, or one for all where the step is 0; nil for zero.
///   - flip: 128 for signed bytes, else 0.
@_optimize(speed) @inline(never)
func widenBytes(
  _ source: UnsafePointer<UInt8>, _ zeros: UnsafePointer<UInt8>?, _ step: Int, _ flip: UInt8,
  _ target: UnsafeMutablePointer<Int16>, _ count: Int
) {
  if let zeros, step == 1 {
    for index in 0..<count { target[index] = Int16(source[index] ^ flip) &- Int16(zeros[index] ^ flip) }
  } else {
    let zero = Int16((zeros?[0] ?? 0) ^ flip)
    for index in 0..<count { target[index] = Int16(source[index] ^ flip) &- zero }
  }
}
