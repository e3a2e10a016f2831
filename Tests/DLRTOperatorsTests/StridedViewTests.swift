import DLRTGraph
import DLRTOperators
import DLRTTestSupport
import Testing

@Suite struct StridedViewTests {
  /// Every index of the result must lead to the element that plain reshaping gives.
  @Test func reshapedViewsWalkTheSameElements() throws {
    var numbers = RandomNumbers(seed: 31)
    var found = 0
    for _ in 0..<2000 {
      // Axes of some tensor in another order, cut and joined at random.
      let sizes = (0..<pick(4, &numbers) + 1).map { _ in pick(4, &numbers) + 1 }
      var order = Array(sizes.indices)
      for index in order.indices { order.swapAt(index, pick(order.count, &numbers)) }
      let strides = rowMajor(sizes)
      let from = order.map { sizes[$0] }
      let view = StridedView(offset: 5, strides: order.map { strides[$0] })
      var to: [Int] = []
      var rest = from.reduce(1, *)
      while rest > 1 {
        let divisors = (1...rest).filter { rest % $0 == 0 }
        to.append(divisors[pick(divisors.count, &numbers)])
        rest /= to[to.count - 1]
      }
      guard let result = view.reshaped(from, to) else { continue }
      found += 1
      #expect(places(to, result) == places(from, view), "\(from) \(view) → \(to)")
    }
    #expect(found > 200)
  }

  /// A number below `limit`.
  private func pick(_ limit: Int, _ numbers: inout RandomNumbers) -> Int {
    min(limit - 1, Int((numbers.next() + 1) / 2 * Double(limit)))
  }

  private func rowMajor(_ sizes: [Int]) -> [Int] {
    var strides: [Int] = []
    for index in sizes.indices { strides.append(sizes[(index + 1)...].reduce(1, *)) }
    return strides
  }

  /// Where all elements are, in order.
  private func places(_ sizes: [Int], _ view: StridedView) -> [Int] {
    var result = [view.offset]
    for (size, stride) in zip(sizes, view.strides) {
      result = result.flatMap { place in (0..<size).map { place + $0 * stride } }
    }
    return result
  }
}
