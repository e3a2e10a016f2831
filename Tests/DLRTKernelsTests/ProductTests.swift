import CKernelSupport
import DLRTKernels
import Testing

@Suite struct ProductTests {
  @Test(arguments: KernelLibrary.available)
  func doublesMatchNaive(isa: ISA) {
    check(isa, DLK_PRODUCT_FLOAT64, { $0.double() }) { $0 + $1 * $2 }
  }

  @Test(arguments: KernelLibrary.available)
  func integersMatchNaive(isa: ISA) {
    check(isa, DLK_PRODUCT_INT32, { Int32(truncatingIfNeeded: $0.int(-0x1_0000_0000...0x1_0000_0000)) }) {
      $0 &+ $1 &* $2
    }
  }

  @Test(arguments: KernelLibrary.available)
  func pairsMatchNaive(isa: ISA) {
    check(
      isa, DLK_PRODUCT_INT16_PAIRS,
      { random in
        let halves = (random.int(-255...255), random.int(-255...255))
        return Int32(truncatingIfNeeded: halves.0 & 0xffff | halves.1 << 16)
      }
    ) { sum, a, b in
      let (aLow, bLow) = (Int32(Int16(truncatingIfNeeded: a)), Int32(Int16(truncatingIfNeeded: b)))
      return sum &+ aLow &* bLow &+ (a >> 16) &* (b >> 16)
    }
  }

  private func check<T: BitwiseCopyable & Comparable & SignedNumeric>(
    _ isa: ISA, _ type: dlk_product_type, _ element: (inout SeededGenerator) -> T, _ add: (T, T, T) -> T
  ) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<150 {
      var random = SeededGenerator(seed)
      let (m, k) = (random.pick([0, 1, 5, 6, 7, 13]), random.int(0...9))
      let n = random.pick([0, 1, 3, 15, 16, 17, 40, 64])
      let (aRow, aColumn) = random.int(0...1) == 0 ? (k + 1, 1) : (1, m + 2)
      let width = (n * MemoryLayout<T>.size + 127) / 128 * 128 / MemoryLayout<T>.size
      let bRow = width + random.int(0...2), cRow = n + random.int(0...3)
      let a = Guarded<T>(m * k == 0 ? 0 : (m - 1) * aRow + (k - 1) * aColumn + 1) { _ in element(&random) }
      let b = Guarded<T>(k == 0 ? 0 : (k - 1) * bRow + width) { _ in element(&random) }
      let c = Guarded<T>(m * n == 0 ? 0 : (m - 1) * cRow + n) { _ in element(&random) }
      let before = c.array
      let adds = random.int(0...1) == 1
      var args = dlk_product_args(
        type: type, adds: adds ? 1 : 0, m: Int64(m), n: Int64(n), k: Int64(k), a: a.pointer,
        a_row_stride: Int64(aRow), a_column_stride: Int64(aColumn), b: b.pointer, b_row_stride: Int64(bRow),
        c: c.base, c_row_stride: Int64(cRow))
      kernels.pointee.product(&args)
      var expected = before
      for i in 0..<m {
        for j in 0..<n {
          var sum = adds ? before[i * cRow + j] : 0
          for p in 0..<k { sum = add(sum, a[i * aRow + p * aColumn], b[p * bRow + j]) }
          expected[i * cRow + j] = sum
        }
      }
      #expect(c.array == expected, "seed \(seed): m \(m) n \(n) k \(k) adds \(adds)")
    }
  }
}

extension SeededGenerator {
  /// A small integer, so that sums are exact in whatever order.
  fileprivate mutating func double() -> Double { Double(int(-1000...1000)) }
}
