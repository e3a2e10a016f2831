/// Weighted sums of planes' elements, of which each output has as many: what sampling at any place comes to.
enum WeightedGather {
  /// out[plane][i] = Σ weights[tap][i] · x[plane][places[tap][i]], added up in the order of the taps.
  ///
  /// - Parameters:
  ///   - block: entries of a tap.
  ///   - xStride, outStride: elements from one plane to the next.
  static func run<T: RealElement>(
    _ x: UnsafePointer<T>, stride xStride: Int, planes: Int, _ places: UnsafePointer<Int>, _ weights: UnsafePointer<T>,
    taps: Int, block: Int, _ out: UnsafeMutablePointer<T>, stride outStride: Int, _ count: Int
  ) {
    var plane = 0
    while plane < planes {
      let (source, target) = (x + plane &* xStride, out + plane &* outStride)
      var tap = 0
      if planes &- plane >= 4, taps % 4 == 0 {
        while tap < taps {
          addFourPlanes(
            source, xStride, places + tap &* block, weights + tap &* block, block, target, outStride, count, tap > 0)
          tap = tap &+ 4
        }
        plane = plane &+ 4
      } else {
        while tap < taps {
          addTap(source, places + tap &* block, weights + tap &* block, target, count, tap > 0)
          tap = tap &+ 1
        }
        plane = plane &+ 1
      }
    }
  }

  /// Four taps in four planes, so that places and weights are read once for all of them.
  @_optimize(speed) @inline(never)
  private static func addFourPlanes<T: RealElement>(
    _ x: UnsafePointer<T>, _ xStride: Int, _ places: UnsafePointer<Int>, _ weights: UnsafePointer<T>, _ block: Int,
    _ out: UnsafeMutablePointer<T>, _ outStride: Int, _ count: Int, _ adds: Bool
  ) {
    let (x1, out1) = (x + xStride, out + outStride)
    let (x2, out2) = (x1 + xStride, out1 + outStride)
    let (x3, out3) = (x2 + xStride, out2 + outStride)
    let (p1, w1) = (places + block, weights + block)
    let (p2, w2) = (p1 + block, w1 + block)
    let (p3, w3) = (p2 + block, w2 + block)
    for index in 0..<count {
      let (a, b, c, d) = (places[index], p1[index], p2[index], p3[index])
      let (e, f, g, h) = (weights[index], w1[index], w2[index], w3[index])
      let first0 = adds ? out[index] + e * x[a] : e * x[a]
      let first1 = adds ? out1[index] + e * x1[a] : e * x1[a]
      let first2 = adds ? out2[index] + e * x2[a] : e * x2[a]
      let first3 = adds ? out3[index] + e * x3[a] : e * x3[a]
      out[index] = first0 + f * x[b] + g * x[c] + h * x[d]
      out1[index] = first1 + f * x1[b] + g * x1[c] + h * x1[d]
      out2[index] = first2 + f * x2[b] + g * x2[c] + h * x2[d]
      out3[index] = first3 + f * x3[b] + g * x3[c] + h * x3[d]
    }
  }

  @_optimize(speed) @inline(never)
  private static func addTap<T: RealElement>(
    _ x: UnsafePointer<T>, _ places: UnsafePointer<Int>, _ weights: UnsafePointer<T>, _ out: UnsafeMutablePointer<T>,
    _ count: Int, _ adds: Bool
  ) {
    for index in 0..<count {
      let product = weights[index] * x[places[index]]
      out[index] = adds ? out[index] + product : product
    }
  }
}
