import DLRTGraph

/// Which scale belongs to which element: one for the tensor, one for each index of an axis, or one for each block
/// along an axis.
///
/// A tensor is walked in runs over which the scale stays (stride 0) or advances with the elements (stride 1).
package struct QuantizationGrain: Sendable {
  package let count: Int
  /// Number of scales.
  package let scales: Int
  /// Elements along the axis, and behind it.
  private let size: Int
  private let inner: Int
  /// Indices of the axis that share a scale.
  private let block: Int
  /// Scales along the axis for one index before it; a block's scales differ behind the axis too.
  private let blocks: Int
  private let isBlocked: Bool

  /// For shapes that `infer` has checked.
  package init(shape: [Int], scale: [Int], axis: Int, blockSize: Int) {
    count = shape.product
    scales = scale.product
    if scales == 1, scale.count <= 1 {
      (size, inner, block, blocks, isBlocked) = (1, max(count, 1), 1, 0, false)
      return
    }
    let axis = axis < 0 ? axis + shape.count : axis
    size = shape[axis]
    inner = shape.product(axis + 1..<shape.count)
    isBlocked = blockSize > 0
    block = isBlocked ? blockSize : 1
    blocks = isBlocked ? scale[axis] : 0
  }

  /// Calls `body` for every run of a part of the tensor with its place, length, and the place and stride in the scales.
  @inline(__always)
  package func forEachRun(in range: Range<Int>, _ body: (Int, Int, Int, Int) throws -> Void) rethrows {
    var position = range.lowerBound
    while position < range.upperBound {
      let behind = position % inner
      let index = position / inner % size
      let outer = position / inner / size
      var length: Int
      var scale: Int
      var stride = 0
      if isBlocked {
        scale = (outer * blocks + index / block) * inner + behind
        stride = inner == 1 ? 0 : 1
        length = inner == 1 ? min(block - index % block, size - index) : inner - behind
      } else {
        scale = size == 1 ? 0 : index
        stride = inner == 1 && size > 1 ? 1 : 0
        length = inner == 1 ? size - index : inner - behind
      }
      length = min(length, range.upperBound - position)
      try body(position, length, scale, stride)
      position += length
    }
  }

  /// Checks the shapes of scale and zero point (inputs 1 and 2) against the data's (input 0).
  package static func check(_ inference: Inference, axis: Int, blockSize: Int) throws {
    let shape = try inference.shape(0)
    let scale = try inference.shape(1)
    func wrong(_ expected: String) -> DLRTError {
      DLRTError(.invalidModel, "wrong shape", tensor: inference.name(1), expected: expected, got: "\(scale)")
    }
    if inference.has(2) {
      let zero = try inference.shape(2)
      let isScalar = zero.rank <= 1 && scale.rank <= 1 && zero.elementCount == 1 && scale.elementCount == 1
      guard isScalar || zero.rank == scale.rank, !zip(zero.dims, scale.dims).contains(where: { $0.provablyDiffers($1) })
      else {
        throw DLRTError(
          .invalidModel, "shapes of scale and zero point differ", tensor: inference.name(2), expected: "\(scale)",
          got: "\(zero)")
      }
    }
    if scale.rank == 0 || scale == [1] && blockSize == 0 { return }
    let axis = try inference.axis(axis, rank: shape.rank)
    guard blockSize > 0 else {
      guard scale.rank == 1, !scale[0].provablyDiffers(shape[axis]) else { throw wrong("[] or [\(shape[axis])]") }
      return
    }
    var expected = shape
    expected[axis] = (shape[axis] + .known(blockSize - 1)) / .known(blockSize)
    guard scale.rank == shape.rank, !zip(scale.dims, expected.dims).contains(where: { $0.provablyDiffers($1) }) else {
      throw wrong("\(expected)")
    }
  }
}

/// Attributes that QuantizeLinear and DequantizeLinear share.
struct QuantizationAttributes: Sendable {
  let axis: Int
  let blockSize: Int
  let outputType: DataType?

  init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.int("axis", default: 1)
    blockSize = try attributes.int("block_size", default: 0)
    outputType = try attributes.optionalDataType("output_dtype")
    guard blockSize >= 0, blockSize <= 1 << 40 else {
      throw DLRTError(.invalidModel, "out of range", tensor: "block_size", expected: "≥ 0", got: "\(blockSize)")
    }
  }

  func grain(_ planning: Planning) -> QuantizationGrain {
    QuantizationGrain(shape: planning.shape(0), scale: planning.shape(1), axis: axis, blockSize: blockSize)
  }
}

extension DataType {
  /// The least and greatest value of an integer type of at most 16 bits.
  var quantizedRange: ClosedRange<Int32>? {
    switch self {
    case .int2: -2...1
    case .uint2: 0...3
    case .int4: -8...7
    case .uint4: 0...15
    case .int8: -128...127
    case .uint8: 0...255
    case .int16: -32768...32767
    case .uint16: 0...65535
    default: nil
    }
  }
}
