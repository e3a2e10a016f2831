import DLRTGraph

/// What InstanceNormalization and GroupNormalization share: the planes of some adjacent channels of `[N, C, spatial…]`
/// are brought to mean 0 and variance 1, then each channel is scaled and shifted.
struct PlaneNormalization: FloatTask {
  let layout: ChannelLayout
  /// Adjacent channels that share a mean.
  let channelsPerGroup: Int
  /// Channels that share an element of scale and bias.
  let channelsPerParameter: Int
  let epsilon: Float

  func run<T: RealElement>(_ type: T.Type) -> Step {
    let groups = channelsPerGroup == 0 ? 0 : layout.planes / channelsPerGroup
    let count = channelsPerGroup &* layout.size
    let chunks = Chunks(groups, cost: Double(count) * 2)
    let epsilon = Double(epsilon)
    return Step(kernel: "moments") { [layout, channelsPerGroup, channelsPerParameter] io in
      let (x, y) = (io.input(0, as: T.self), io.output(0, as: T.self))
      let (scale, bias) = (io.input(1, as: T.self), io.input(2, as: T.self))
      io.parallel(chunks) { range in
        for group in range {
          let moments = Moments(x + group &* count, count: count)
          let deviation = 1 / (moments.variance + epsilon).squareRoot()
          for plane in group &* channelsPerGroup..<(group &+ 1) &* channelsPerGroup {
            let parameter = plane % layout.channels / channelsPerParameter
            let (mean, factor) = (T(moments.mean), T(Double(scale[parameter]) * deviation))
            let shift = bias[parameter]
            let start = plane &* layout.size
            for index in start..<start &+ layout.size { y[index] = (x[index] - mean) * factor + shift }
          }
        }
      }
    }
  }
}
