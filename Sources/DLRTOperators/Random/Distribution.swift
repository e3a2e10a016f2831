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
        let numbers = distribution.numbers(generator.block(UInt64(index / lanes)), T.self)
        repeat {
          out[index] = numbers[index % lanes]
          index += 1
        } while index < range.upperBound && index % lanes != 0
      }
    }
  }
}

extension Distribution {
  /// The numbers that one block of random words gives; the first `numbersPerBlock` count.
  fileprivate func numbers<T: RealElement>(_ words: SIMD4<UInt32>, _ type: T.Type) -> InlineArray<4, T> {
    let unit = T.units(words)
    switch self {
    case .uniform(let low, let high):
      return InlineArray { T(low) + unit[$0] * T(high - low) }
    case .normal(let mean, let deviation):
      // Box and Muller: two uniform numbers give two normal ones. 1 − u is never 0.
      return InlineArray { lane in
        let radius = (-2 * T.log(1 - unit[lane & ~1])).squareRoot()
        let angle = 2 * T.pi * unit[lane | 1]
        return T(mean) + T(deviation) * radius * (lane & 1 == 0 ? T.cos(angle) : T.sin(angle))
      }
    }
  }
}

extension RealElement {
  /// Numbers that one block of four random words gives: four of 24 bits, or two of 53.
  static var numbersPerBlock: Int { significandBitCount < 24 ? 4 : 2 }

  /// Uniform numbers of [0, 1) from random words.
  static func units(_ words: SIMD4<UInt32>) -> InlineArray<4, Self> {
    if numbersPerBlock == 4 {
      return InlineArray { Self(words[$0] >> 8) * Self(sign: .plus, exponent: -24, significand: 1) }
    }
    return InlineArray { lane in
      let pair = lane & 1
      let bits = UInt64(words[2 * pair]) << 32 | UInt64(words[2 * pair + 1])
      return Self(bits >> 11) * Self(sign: .plus, exponent: -53, significand: 1)
    }
  }

  /// The uniform number of [0, 1) that belongs to an element.
  @inline(__always)
  static func unit(_ generator: Philox, _ index: Int) -> Self {
    units(generator.block(UInt64(index / numbersPerBlock)))[index % numbersPerBlock]
  }
}
