import DLRTGraph

/// The counter-based generator Philox 4×32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
///
/// Block `n` of a stream is a function of key, stream and `n` alone, so that any part of a tensor can be filled by any
/// thread with the same result.
package struct Philox: Sendable {
  private let key: UInt64
  private let stream: UInt64

  package init(key: UInt64, stream: UInt64 = 0) {
    self.key = key
    self.stream = stream
  }

  /// Four independent words.
  package func block(_ index: UInt64) -> SIMD4<UInt32> {
    let words = words(index)
    return SIMD4(words.0, words.1, words.2, words.3)
  }

  /// The same as single numbers, which stay in registers.
  @inline(__always)
  func words(_ index: UInt64) -> (UInt32, UInt32, UInt32, UInt32) {
    var (low, high) = (UInt32(truncatingIfNeeded: key), UInt32(truncatingIfNeeded: key >> 32))
    var (x, y) = (UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32))
    var (z, w) = (UInt32(truncatingIfNeeded: stream), UInt32(truncatingIfNeeded: stream >> 32))
    for _ in 0..<10 {
      let first = UInt64(x) &* 0xd251_1f53
      let second = UInt64(z) &* 0xcd9e_8d57
      x = UInt32(truncatingIfNeeded: second >> 32) ^ y ^ low
      y = UInt32(truncatingIfNeeded: second)
      z = UInt32(truncatingIfNeeded: first >> 32) ^ w ^ high
      w = UInt32(truncatingIfNeeded: first)
      low = low &+ 0x9e37_79b9
      high = high &+ 0xbb67_ae85
    }
    return (x, y, z, w)
  }
}

/// Where a random operator's numbers come from: a seed of its own, which gives the same numbers in every run, or the
/// session's, from which every operator and every run takes a new stream.
package struct RandomSource: Sendable {
  private let seed: UInt64?
  private let sessionSeed: UInt64

  package init(seed: UInt64?, _ planning: Planning) {
    self.seed = seed
    sessionSeed = planning.environment.seed
  }

  package func generator(_ io: borrowing StepIO) -> Philox {
    if let seed { return Philox(key: seed) }
    return Philox(key: sessionSeed, stream: io.host.nextRandomStream())
  }
}

extension AttributeReader {
  /// The attribute `seed` of random operators, a float by ONNX's definition.
  mutating func seed() throws -> UInt64? {
    try optionalFloat("seed").map { UInt64($0.bitPattern) }
  }
}
