import Testing

@testable import DLRTOperators

/// How products are shared out to threads.
@Suite struct ProductSplitTests {
  @Test(arguments: [1, 2, 3, 4, 8], [1, 2, 5, 13])
  func partsHoldEveryElementOnce(threads: Int, batch: Int) {
    for (m, n, k) in [(1, 64, 9), (6, 16, 4000), (16, 768, 3072), (128, 96, 1536), (512, 40, 2304), (197, 3072, 768)] {
      let panels = (n + 15) / 16
      let split = ProductSplit(
        batch: batch, m: m, panels: panels, rowUnit: 6, work: 2 * m * n * k * batch, threads: threads,
        weighsMore: n > m)
      var times = [Int](repeating: 0, count: batch * m * panels)
      for index in 0..<split.count {
        let part = split.part(index)
        for product in part.batch {
          for row in part.rows {
            for panel in part.panels { times[(product * m + row) * panels + panel] += 1 }
          }
        }
      }
      let areOnce = times.allSatisfy { $0 == 1 }
      #expect(areOnce, "\(m) x \(n) x \(k)")
    }
  }

  /// A product of few panels or few rows leaves no thread without work while there is some to be had.
  @Test(arguments: [2, 3, 4, 8])
  func everyThreadGetsAPart(threads: Int) {
    for (m, panels) in [(6, 8), (16, 12), (32, 6), (64, 16), (128, 48), (1, 200), (600, 1)] {
      let split = ProductSplit(
        batch: 1, m: m, panels: panels, rowUnit: 6, work: 1 << 30, threads: threads, weighsMore: panels * 16 > m)
      #expect(split.count >= min(threads, max(panels, (m + 5) / 6)), "\(m) rows, \(panels) panels")
      #expect(split.count <= 4 * threads)
    }
  }
}
