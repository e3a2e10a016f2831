/// What numbers are drawn from.
enum Distribution: Sendable {
  /// From `low` (included) to `high` (excluded).
  case uniform(low: Double, high: Double)
  case normal(mean: Double, deviation: Double)
}

/// Fills a part of a tensor; each element depends on its index and the generator alone.
typealias RandomFill = @Sendable (_ generator: Philox, _ out: UnsafeMutableRawPointer, _ range: Range<Int>) -> Void

/// The loop that fills float32 or float64 elements.
struct RandomFilling: FloatTask {
  let distribution: Distribution

  func run<T: RealElement>(_ type: T.Type) -> RandomFill {
    let distribution = distribution
    return { generator, out, range in
      let out = out.assumingMemoryBound(to: T.self)
      let lanes = T.numbersPerBlock
      var index = range.lowerBound
      while index < range.upperBound {
        let numbers = distribution.numbers(T.units(generator.block(UInt64(index / lanes))))
        let first = index % lanes
        let count = min(lanes - first, range.upperBound - index)
        for lane in 0..<count { out[index + lane] = numbers[first + lane] }
        index += count
      }
    }
  }
}

extension Distribution {
  /// The numbers that the uniform ones of a block give.
  @inline(__always)
  fileprivate func numbers<T: RealElement>(_ unit: SIMD4<T>) -> SIMD4<T> {
    switch self {
    case .uniform(let low, let high):
      return unit * T(nearest: high - low) + T(nearest: low)
    case .normal(let mean, let deviation):
      // Box and Muller: two uniform numbers give two normal ones. 1 − u is never 0.
      var result = SIMD4<T>()
      for pair in 0..<T.numbersPerBlock / 2 {
        let radius = T(nearest: deviation) * (-2 * T.log(1 - unit[2 * pair])).squareRoot()
        let angle = 2 * T.pi * unit[2 * pair + 1]
        result[2 * pair] = T(nearest: mean) + radius * T.cos(angle)
        result[2 * pair + 1] = T(nearest: mean) + radius * T.sin(angle)
      }
      return result
    }
  }
}

extension RealElement {
  /// Numbers that one block of four random words gives: four of 24 bits, or two of 53.
  @inline(__always)
  static var numbersPerBlock: Int { significandBitCount < 24 ? 4 : 2 }

  /// Uniform numbers of [0, 1) from random words; the first `numbersPerBlock` count.
  @inline(__always)
  static func units(_ words: SIMD4<UInt32>) -> SIMD4<Self> {
    var result = SIMD4<Self>()
    if numbersPerBlock == 4 {
      for lane in 0..<4 { result[lane] = Self(nearest: Double(words[lane] >> 8) * 0x1p-24) }
    } else {
      for lane in 0..<2 {
        let bits = UInt64(words[2 * lane]) << 32 | UInt64(words[2 * lane + 1])
        result[lane] = Self(nearest: Double(bits >> 11) * 0x1p-53)
      }
    }
    return result
  }

  /// The uniform number of [0, 1) that belongs to an element.
  @inline(__always)
  static func unit(_ generator: Philox, _ index: Int) -> Self {
    units(generator.block(UInt64(index / numbersPerBlock)))[index % numbersPerBlock]
  }
}
