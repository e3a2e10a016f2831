import DLRTGraph

/// Where the pixels of `[N, spatial…, C]` lie: in memory of their own, or among the channels of a wider tensor.
struct PixelPlace: Sendable {
  /// Elements before the first pixel.
  let offset: Int
  /// Elements between neighbouring pixels.
  let stride: Int

  init(_ operand: Planning.Operand) {
    offset = operand.view?.offset ?? 0
    stride = operand.view?.pixelStride(operand.shape) ?? operand.shape.last ?? 1
  }
}

extension StridedView {
  /// The distance between neighbouring pixels of `[N, spatial…, C]`; nil where pixels, or the channels of one, do not
  /// follow each other in even steps.
  func pixelStride(_ shape: [Int]) -> Int? {
    guard let channels = shape.last, channels == 1 || strides.last == 1 else { return nil }
    var pixel: Int?
    var next = 0
    for axis in shape.indices.dropLast().reversed() where shape[axis] != 1 {
      guard pixel == nil || strides[axis] == next else { return nil }
      if pixel == nil { pixel = strides[axis] }
      next = strides[axis] &* shape[axis]
    }
    let stride = pixel ?? channels
    return stride >= channels ? stride : nil
  }

  /// Whether an operand of float32 lies in this way as evenly spaced pixels.
  func hasPixels(_ operand: Planning.Operand) -> Bool {
    operand.type == .tensor(.float32) && pixelStride(operand.shape) != nil
  }
}
