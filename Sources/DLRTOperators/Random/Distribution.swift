import CKernelSupport
import DLRTGraph

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
  let kernels: KernelSet

  func run<T: RealElement>(_ type: T.Type) -> RandomFill {
    let kernels = kernels
    switch distribution {
    case .uniform(let low, let high):
      let (width, low) = (T(nearest: high - low), T(nearest: low))
      return { generator, out, range in
        let out = out.assumingMemoryBound(to: T.self)
        T.fillUniform(generator, range, out + range.lowerBound)
        T.stretch(out + range.lowerBound, range.count, width, low)
      }
    case .normal(let mean, let deviation):
      let (mean, deviation) = (T(nearest: mean), T(nearest: deviation))
      return { generator, out, range in
        let out = out.assumingMemoryBound(to: T.self)
        let block = 256
        withUnsafeTemporaryAllocation(of: T.self, capacity: 3 * block) { memory in
          guard let numbers = memory.baseAddress else { return }
          // Parts begin at an even element; pairs are made whole even where the last one is not wanted.
          for start in stride(from: range.lowerBound, to: range.upperBound, by: block) {
            let count = min(block, range.upperBound &- start)
            let even = (count &+ 1) & ~1
            T.fillUniform(generator, start..<start &+ even, numbers)
            kernels.makeNormal(numbers, even / 2, scratch: numbers + block)
            for index in 0..<count { out[start &+ index] = mean + deviation * numbers[index] }
          }
        }
      }
    }
  }
}

extension KernelSet {
  /// Box and Muller: turns pairs of uniform numbers into pairs of normal ones.
  ///
  /// - Parameter scratch: room for four numbers a pair.
  fileprivate func makeNormal<T: RealElement>(
    _ numbers: UnsafeMutablePointer<T>, _ pairs: Int, scratch: UnsafeMutablePointer<T>
  ) {
    let (radii, angles) = (scratch, scratch + pairs)
    let (cosines, sines) = (angles + pairs, angles + 2 * pairs)
    for pair in 0..<pairs {
      // Never 0.
      radii[pair] = 1 - numbers[2 &* pair]
      angles[pair] = 2 * T.pi * numbers[2 &* pair &+ 1]
    }
    map(DLK_UNARY_LOG, radii, radii, pairs, T.log)
    for pair in 0..<pairs { radii[pair] = (-2 * radii[pair]).squareRoot() }
    map(DLK_UNARY_COS, angles, cosines, pairs, T.cos)
    map(DLK_UNARY_SIN, angles, sines, pairs, T.sin)
    for pair in 0..<pairs {
      numbers[2 &* pair] = radii[pair] * cosines[pair]
      numbers[2 &* pair &+ 1] = radii[pair] * sines[pair]
    }
  }

  private func map<T: RealElement>(
    _ function: dlk_unary, _ x: UnsafeMutablePointer<T>, _ y: UnsafeMutablePointer<T>, _ count: Int, _ other: (T) -> T
  ) {
    if let x = x as? UnsafeMutablePointer<Float>, let y = y as? UnsafeMutablePointer<Float> {
      table.pointee.unary(function, 0, 0, x, y, Int64(count))
    } else {
      for index in 0..<count { y[index] = other(x[index]) }
    }
  }
}

extension RealElement {
  /// Numbers that one block of four random words gives: four of 24 bits, or two of 53.
  @inline(__always)
  static var numbersPerBlock: Int { significandBitCount < 24 ? 4 : 2 }

  /// The uniform numbers of [0, 1) that belong to some elements.
  @_optimize(speed) @inline(never)
  static func fillUniform(_ generator: Philox, _ range: Range<Int>, _ out: UnsafeMutablePointer<Self>) {
    let size = numbersPerBlock
    var index = range.lowerBound
    var target = out
    // Whole blocks are written in place, the parts of blocks at both ends elsewhere first.
    withUnsafeTemporaryAllocation(of: Self.self, capacity: 4) { memory in
      guard let part = memory.baseAddress else { return }
      while index < range.upperBound {
        let first = index % size
        let count = min(size &- first, range.upperBound &- index)
        let words = generator.words(UInt64(index / size))
        let place = count == size ? target : part
        if size == 4 {
          place[0] = unit(words.0)
          place[1] = unit(words.1)
          place[2] = unit(words.2)
          place[3] = unit(words.3)
        } else {
          place[0] = unit(words.0, words.1)
          place[1] = unit(words.2, words.3)
        }
        if count < size { target.update(from: part + first, count: count) }
        index = index &+ count
        target += count
      }
    }
  }

  @inline(__always)
  private static func unit(_ word: UInt32) -> Self { Self(nearest: Double(word >> 8) * 0x1p-24) }

  @inline(__always)
  private static func unit(_ high: UInt32, _ low: UInt32) -> Self {
    Self(nearest: Double((UInt64(high) << 32 | UInt64(low)) >> 11) * 0x1p-53)
  }

  /// x · width + low.
  @_optimize(speed) @inline(never)
  fileprivate static func stretch(_ x: UnsafeMutablePointer<Self>, _ count: Int, _ width: Self, _ low: Self) {
    for index in 0..<count { x[index] = x[index] * width + low }
  }
}
