import Testing

@testable import DLRTOperators

/// How convolutions are shared out to threads.
@Suite struct ConvolutionCutTests {
  @Test(arguments: 0..<300) func partsHoldEveryPlaceOnce(seed: Int) {
    func pick(_ choices: [Int], _ factor: Int) -> Int { choices[(seed * factor + seed / 7) % choices.count] }
    let pixels = pick([1, 2, 5, 7, 36, 49, 196, 197, 784, 3136], 3), panels = pick([1, 2, 3, 9, 20], 7)
    let images = pick([1, 2, 3], 5), depth = pick([1, 24, 960], 11), threads = pick([1, 2, 3, 7], 13)
    let cut = ConvolutionCut(
      pixels: pixels, panels: panels, images: images, pixelBytes: depth * 4,
      flops: 2 * pixels * images * panels * 64 * depth, rows: pick([4, 6], 17), threads: threads)
    var times = [Int](repeating: 0, count: images * pixels * panels)
    for index in 0..<cut.count {
      let part = cut[index]
      for pixel in part.pixels {
        for panel in part.panels { times[(part.image * pixels + pixel) * panels + panel] += 1 }
      }
    }
    let areOnce = times.allSatisfy { $0 == 1 }
    #expect(areOnce, "\(pixels) \(panels) \(images) \(depth) \(threads)")
  }

  /// What few pixels take is the time that the weights need to come.
  @Test func oneMuchWeighedPixelIsShared() {
    func parts(_ channels: Int) -> Int {
      ConvolutionCut(
        pixels: 1, panels: channels / 64, images: 1, pixelBytes: channels * 4, flops: 2 * channels * channels, rows: 6,
        threads: 2
      ).count
    }
    #expect(parts(1280) > 1)
    #expect(parts(64) == 1)
  }

  /// 33 tiles for two threads: not 17 and 16.
  @Test func partsOfFewTilesAreEqual() {
    let cut = ConvolutionCut(
      pixels: 196, panels: 3, images: 1, pixelBytes: 384, flops: 2 * 196 * 96 * 192, rows: 6, threads: 2)
    let counts = (0..<cut.count).map { cut[$0].pixels.count }
    #expect(counts.prefix(counts.count / 2).reduce(0, +) == 98 && counts.reduce(0, +) == 196, "\(counts)")
  }
}
