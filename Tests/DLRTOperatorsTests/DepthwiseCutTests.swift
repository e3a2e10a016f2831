import Testing

@testable import DLRTOperators

/// How depthwise convolutions are shared out to threads.
@Suite struct DepthwiseCutTests {
  /// Parts never end within a group.
  @Test(arguments: [3, 7, 9], [1, 20, 128, 129, 200])
  func partsHoldEveryRowOfEveryChannelOnce(kernel: Int, channels: Int) throws {
    for (images, side, perGroup) in [(1, 7, 1), (2, 32, 1), (3, 19, 1), (2, 14, 2), (5, 3, 8), (1, 9, 16)] {
      let input = side + kernel - 1
      let problem = ConvolutionProblem(
        batch: images, groups: channels, inputChannels: 1, outputChannels: perGroup,
        geometry: try WindowAttributes.plain.geometry([input, input], kernel: [kernel, kernel]))
      let cut = DepthwiseCut(problem), all = channels * perGroup
      var times = [Int](repeating: 0, count: images * side * all)
      for index in 0..<cut.chunks.count {
        cut.forEachPart(cut.chunks[index]) { image, rows, channels in
          #expect(channels.lowerBound % perGroup == 0)
          for row in rows { for channel in channels { times[(image * side + row) * all + channel] += 1 } }
        }
      }
      #expect(cut.chunks.count > 1 || images * side * all * kernel * kernel < 1_000_000)
      let areOnce = times.allSatisfy { $0 == 1 }
      #expect(areOnce, "\(images) of \(side) pixels a side")
    }
  }
}
