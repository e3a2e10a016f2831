import Testing

@testable import DLRTCompiler

@Suite struct ArenaLayoutTests {
  private struct Random: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ (state >> 29)
    }
  }

  @Test(arguments: 0..<50) func livingBuffersNeverOverlap(_ seed: UInt64) {
    var random = Random(state: seed)
    var layout = ArenaLayout()
    for _ in 0..<60 {
      let first = Int.random(in: 0..<40, using: &random)
      let last = Int.random(in: first..<45, using: &random)
      _ = layout.add(size: Int.random(in: 0..<5000, using: &random), life: first...last)
    }
    let total = layout.place()
    for (index, a) in layout.buffers.enumerated() {
      #expect(a.offset % ArenaLayout.alignment == 0)
      #expect(a.offset + a.size <= total)
      for b in layout.buffers[(index + 1)...] where a.life.overlaps(b.life) {
        #expect(a.offset + a.size <= b.offset || b.offset + b.size <= a.offset)
      }
    }
  }

  @Test func buffersOneAfterTheOtherShareMemory() {
    var layout = ArenaLayout()
    for step in 0..<10 { _ = layout.add(size: 1000, life: step...(step + 1)) }
    #expect(layout.place() == 2 * 1024)
  }
}
