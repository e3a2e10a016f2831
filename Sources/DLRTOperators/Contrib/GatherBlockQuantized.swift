import DLRTGraph

/// com.microsoft GatherBlockQuantized (1): Gather along `gather_axis` of data that are quantised in blocks of `block_size`
/// along `quantize_axis`, as float numbers. Data are int4 or uint4, or uint8 that holds numbers of `bits` bits, packed
/// along the last axis.
package struct GatherBlockQuantized: Operator {
  package static let schema = OperatorSchema.microsoft(
    "GatherBlockQuantized", [("data", "T1"), ("indices", "Tind"), ("scales", "T2"), ("zero_points?", "T1")],
    [("output", "T2")],
    ["T1": TypeSet(.int4, .uint4, .uint8), "T2": [.float32, .halfFloats], "Tind": .indices])
  package static let promotedTypes = TypeSet.halfFloats

  private let gatherAxis: Int
  private let quantizeAxis: Int
  private let block: Int
  private let bits: Int

  package init(_ attributes: inout AttributeReader) throws {
    gatherAxis = try attributes.int("gather_axis", default: 0)
    quantizeAxis = try attributes.int("quantize_axis", default: 1)
    block = try attributes.int("block_size", default: 128)
    bits = try attributes.int("bits", default: 4)
    guard block > 0, block <= 1 << 30 else {
      throw DLRTError(.invalidModel, "out of range", tensor: "block_size", expected: "1 or more", got: "\(block)")
    }
    guard [2, 4, 8].contains(bits) else {
      throw DLRTError(.unsupportedModel, "no such width", tensor: "bits", expected: "2, 4 or 8", got: "\(bits)")
    }
  }

  /// Numbers in one byte.
  private func packing(_ type: DataType) -> Int { type == .uint8 ? 8 / bits : 1 }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(2)
    inference.setType(0, type)
    var data = try inference.shape(0)
    let gather = try inference.axis(gatherAxis, rank: data.rank, "gather_axis")
    let quantize = try inference.axis(quantizeAxis, rank: data.rank, "quantize_axis")
    let packing = packing(try inference.type(0))
    guard packing == 1 || quantize == data.rank - 1 else {
      throw DLRTError(
        .unsupportedModel, "packed along another axis", tensor: "quantize_axis", expected: "\(data.rank - 1)",
        got: "\(quantize)")
    }
    data[data.rank - 1] = data[data.rank - 1] * .known(packing)
    var grid = data
    grid[quantize] = (data[quantize] + .known(block - 1)) / .known(block)
    try require(inference, 2, grid)
    if inference.has(3) {
      grid[data.rank - 1] = (grid[data.rank - 1] + .known(packing - 1)) / .known(packing)
      try require(inference, 3, grid)
    }
    let indices = try inference.shape(1)
    inference.set(0, type, Shape(data.dims[..<gather] + indices.dims + data.dims[(gather + 1)...]))
  }

  private func require(_ inference: Inference, _ index: Int, _ expected: Shape) throws {
    let shape = try inference.shape(index)
    guard shape.rank == expected.rank, !zip(shape.dims, expected.dims).contains(where: { $0.provablyDiffers($1) })
    else {
      throw DLRTError(
        .invalidModel, "wrong shape", tensor: inference.name(index), expected: "\(expected)", got: "\(shape)")
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let data = planning.shape(0)
    let packing = packing(planning.type(0))
    let gather = gatherAxis < 0 ? gatherAxis + data.count : gatherAxis
    let quantize = quantizeAxis < 0 ? quantizeAxis + data.count : quantizeAxis
    var wide = data
    wide[data.count - 1] *= packing
    let walk = BlockGather(
      type: planning.type(0), bits: packing == 1 ? 8 : bits, hasZeros: planning.has(3),
      isWide: planning.type(1) == .int64, outer: wide.product(0..<gather), size: wide[gather],
      inner: wide.product(gather + 1..<wide.count), picks: planning.input(1).count,
      length: wide[quantize], behind: wide.product(quantize + 1..<wide.count), block: block,
      middle: UInt8(planning.type(0) == .uint8 ? 1 << (bits - 1) : 0))
    return Step(kernel: "gather") { try walk.run($0) }
  }
}

private struct BlockGather: Sendable {
  let type: DataType
  /// Bits of one number in memory.
  let bits: Int
  let hasZeros: Bool
  let isWide: Bool
  let outer: Int
  let size: Int
  let inner: Int
  let picks: Int
  /// Elements along the quantised axis, and behind it.
  let length: Int
  let behind: Int
  let block: Int
  /// The zero point where none is given.
  let middle: UInt8

  func run(_ io: borrowing StepIO) throws {
    for pick in 0..<picks {
      let index = index(io, pick)
      guard index >= 0, index < size else {
        throw DLRTError(
          .invalidInput, "index out of range", tensor: "indices", expected: "-\(size)..<\(size)", got: "\(index)")
      }
    }
    io.parallel(Chunks(outer &* picks, cost: Double(inner) * 2)) { range in
      for place in range {
        let part = place / picks
        let start = (part &* size &+ index(io, place &- part &* picks)) &* inner
        expand(io, start, io.output(0, as: Float.self) + place &* inner)
      }
    }
  }

  private func index(_ io: borrowing StepIO, _ pick: Int) -> Int {
    let index = isWide ? Int(io.input(1, as: Int64.self)[pick]) : Int(io.input(1, as: Int32.self)[pick])
    return index < 0 ? index &+ size : index
  }

  /// One number of packed or whole bytes whose rows begin at a byte.
  private func number(_ bytes: UnsafePointer<UInt8>, _ row: Int, _ column: Int, _ columns: Int) -> Float {
    if type == .int4 { return Float(Int8(bitPattern: bytes[row &* columns &+ column])) }
    if bits == 8 { return Float(bytes[row &* columns &+ column]) }
    let place = column &* bits
    let byte = bytes[row &* ((columns &* bits &+ 7) / 8) &+ place / 8]
    return Float(byte >> UInt8(place % 8) & UInt8(1 << bits &- 1))
  }

  private func expand(_ io: borrowing StepIO, _ start: Int, _ target: UnsafeMutablePointer<Float>) {
    let bytes = io.input(0, as: UInt8.self)
    let scales = io.input(2, as: Float.self)
    let blocks = (length &+ block &- 1) / block
    for element in 0..<inner {
      let place = start &+ element
      let column = place / behind
      let row = column / length
      let group = (column &- row &* length) / block
      let rest = place &- column &* behind
      let zero =
        hasZeros
        ? behind == 1
          ? number(io.input(3, as: UInt8.self), row, group, blocks)
          : number(io.input(3, as: UInt8.self), 0, (row &* blocks &+ group) &* behind &+ rest, 0)
        : Float(middle)
      let value =
        behind == 1 ? number(bytes, row, column &- row &* length, length) : number(bytes, 0, place, 0)
      target[element] = (value - zero) * scales[(row &* blocks &+ group) &* behind &+ rest]
    }
  }
}
