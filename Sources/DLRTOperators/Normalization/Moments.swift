/// Mean and variance, summed in float64: first the mean, then the squares of what differs from it, so that large means
/// lose nothing.
struct Moments: Sendable {
  var mean: Double
  /// The population variance.
  var variance: Double

  /// Of `runs` runs of `count` adjacent elements, `stride` apart.
  init<T: RealElement>(_ elements: UnsafePointer<T>, count: Int, runs: Int = 1, stride: Int = 0) {
    let total = Double(runs) * Double(count)
    var sum = 0.0
    for run in 0..<runs { sum += Self.sum(elements + run &* stride, count) { $0 } }
    let mean = sum / total
    var squares = 0.0
    for run in 0..<runs {
      squares += Self.sum(elements + run &* stride, count) { ($0 - mean) * ($0 - mean) }
    }
    self.mean = mean
    variance = squares / total
  }

  /// Eight independent sums, so that no addition waits for the one before.
  @inline(__always)
  private static func sum<T: RealElement>(
    _ elements: UnsafePointer<T>, _ count: Int, _ term: (Double) -> Double
  ) -> Double {
    var sums = SIMD8<Double>.zero
    var index = 0
    while index &+ 8 <= count {
      for lane in 0..<8 { sums[lane] += term(Double(elements[index &+ lane])) }
      index = index &+ 8
    }
    var rest = 0.0
    while index < count {
      rest += term(Double(elements[index]))
      index = index &+ 1
    }
    return sums.sum() + rest
  }
}

/// The parts of `[N, C, spatial…]`; of a single axis, every element is an image of one channel.
struct ChannelLayout: Sendable {
  let images: Int
  let channels: Int
  /// Elements of a plane.
  let size: Int

  init(_ shape: [Int]) {
    images = shape.first ?? 1
    channels = shape.count > 1 ? shape[1] : 1
    size = shape.dropFirst(2).reduce(1) { $0 &* $1 }
  }

  var planes: Int { images &* channels }
}
