import CKernelSupport
import DLRTKernels
import Testing

extension GemmCase {
  fileprivate func packInPairs(_ kernels: Kernels, splits: [Int64] = []) -> Guarded<Float> {
    let packed = Guarded<Float>(Int(kernels.pointee.paired_b_floats(Int64(k), Int64(n)))) { _ in .nan }
    var args = dlk_pack_b_args(b.pointer, k: k, n: n, kStride: kStride, nStride: nStride, packed: packed.base)
    args.paired = 1
    let ranges = zip([0] + splits, splits + [panels(kernels)])
    for (begin, end) in ranges { kernels.pointee.pack_b(&args, begin, end) }
    for row in stride(from: 0, to: k, by: splits.isEmpty ? max(k, 1) : 16) {
      kernels.pointee.balance_b!(
        Int64(k), Int64(n), packed.base, Int64(row), splits.isEmpty ? Int64(k) : min(Int64(k), Int64(row + 16)))
    }
    for (begin, end) in ranges { kernels.pointee.pair_b!(Int64(k), Int64(n), packed.base, begin, end) }
    return packed
  }

  /// - Parameter height: the rows of a product, of which `rows` are made.
  fileprivate func multiplyInPairs(
    _ kernels: Kernels, _ packed: Guarded<Float>, into c: Guarded<Float>, rows: Range<Int>? = nil,
    panels range: Range<Int64>? = nil, change: (inout dlk_gemm_args) -> Void = { _ in }
  ) {
    var args = arguments(packed.pointer, c)
    change(&args)
    let room = Guarded<Float>(Int(kernels.pointee.paired_workspace_floats(args.m, args.k))) { _ in .nan }
    (args.paired, args.workspace) = (1, room.base)
    let (rows, panels) = (rows ?? 0..<Int(args.m), range ?? 0..<panels(kernels))
    kernels.pointee.gemm(&args, Int64(rows.lowerBound), Int64(rows.upperBound), panels.lowerBound, panels.upperBound)
  }

  fileprivate func productInPairs(_ kernels: Kernels) -> Guarded<Float> {
    let c = output()
    multiplyInPairs(kernels, packInPairs(kernels), into: c)
    return c
  }

  /// What errors are in proportion to: the lengths of the row and the column, and what is added.
  fileprivate func size(_ row: Int, _ column: Int) -> Double {
    abs(Double(epilogue.scale)) * lengths(row, column) + 1
  }

  fileprivate func lengths(_ row: Int, _ column: Int, balance: [Double]? = nil) -> Double {
    var (left, right) = (0.0, 0.0)
    for p in 0..<k {
      let factor = balance?[p] ?? 1
      let x = Double(a[row * aStride + p]) * factor, y = Double(b[p * kStride + column * nStride]) / factor
      left += x * x
      right += y * y
    }
    // Numbers below the normal ones are brought no nearer to the others.
    let least = 0x1p-124 * Double(k).squareRoot()
    return max(left.squareRoot(), least) * max(right.squareRoot(), least)
  }

  /// What rows of B are divided by, but for their being powers of two.
  fileprivate var balance: [Double] {
    (0..<k).map { p in
      let squares = (0..<n).reduce(0.0) {
        $0 + Double(b[p * kStride + $1 * nStride]) * Double(b[p * kStride + $1 * nStride])
      }
      let mean = squares / Double(n)
      return mean <= 0x1p100 ? max(0x1p-25, min(0x1p12, mean.squareRoot().squareRoot())) : 1
    }
  }

  /// Of the magnitudes of a row and a column.
  fileprivate func sum(_ row: Int, _ column: Int) -> Double {
    (0..<k).reduce(0) { $0 + Double(abs(a[row * aStride + $1])) + Double(abs(b[$1 * kStride + column * nStride])) }
  }

  fileprivate func row(_ i: Int, of c: Guarded<Float>) -> [UInt32] {
    (0..<n).map { c[i * cStride + $0].bitPattern }
  }
}

/// Products in pairs, on the levels that have them.
@Suite struct PairedProductTests {
  private static let levels = KernelLibrary.available.filter { KernelLibrary.table(for: $0).pointee.pair_b != nil }
  private static let sizes = [0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 15, 16, 17, 22, 23, 31, 32, 33, 45, 48, 63, 65]
  private static let depths = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 18, 19, 20, 30, 31, 33, 46, 63, 64, 77]

  @Test(arguments: levels)
  func productMatchesNaive(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<300 {
      var random = SeededGenerator(seed)
      let test = GemmCase(&random, sizes: Self.sizes, depths: Self.depths)
      if let mistake = test.mistake(test.productInPairs(kernels), size: test.size) {
        Issue.record("seed \(seed), \(test): \(mistake)")
        return
      }
    }
  }

  @Test(arguments: levels)
  func rowsMayLieInRuns(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<200 {
      var random = SeededGenerator(seed)
      let test = GemmCase(&random, sizes: Self.sizes, depths: Self.depths)
      let packed = test.packInPairs(kernels), whole = test.output(), runs = RunsOfRows(&random, test)
      test.multiplyInPairs(kernels, packed, into: whole)
      test.multiplyInPairs(kernels, packed, into: runs.c) { runs.place(&$0) }
      if let mistake = runs.mistake(whole) {
        Issue.record("seed \(seed), \(test): \(mistake)")
        return
      }
    }
  }

  /// As many rows as fill the workspace several times, and depths of several blocks.
  @Test(arguments: levels)
  func blocksOfRowsMatchNaive(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<8 {
      var random = SeededGenerator(seed)
      var test = GemmCase(&random, rows: [133, 270, 400], sizes: [5, 33], depths: [500, 1026, 2100])
      if test.k > 1024 { test.epilogue.addend_last = 0 }
      if let mistake = test.mistake(test.productInPairs(kernels), size: test.size) {
        Issue.record("seed \(seed), \(test): \(mistake)")
        return
      }
    }
  }

  /// Every row by itself, with a workspace for one row, gives what it gives among others.
  @Test(arguments: levels)
  func resultsDependNeitherOnTheSplitNorOnRows(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 1000..<1060 {
      var random = SeededGenerator(seed)
      var test = GemmCase(&random, sizes: [1, 7, 16, 33, 64, 130], depths: Self.depths + [300, 1030, 1100])
      if test.k > 1024 { test.epilogue.addend_last = 0 }
      let panels = test.panels(kernels), row = random.int(0...test.m), panel = Int64(random.int(0...Int(panels)))
      let packed = test.packInPairs(kernels)
      #expect(
        packed.array.map(\.bitPattern) == test.packInPairs(kernels, splits: [panel]).array.map(\.bitPattern),
        "seed \(seed), \(test)")
      let (whole, parts, alone) = (test.output(), test.output(), test.output())
      test.multiplyInPairs(kernels, packed, into: whole)
      for rows in [0..<row, row..<test.m] {
        for panels in [0..<panel, panel..<panels] {
          test.multiplyInPairs(kernels, packed, into: parts, rows: rows, panels: panels)
        }
      }
      for row in 0..<test.m {
        test.multiplyInPairs(kernels, packed, into: alone) {
          $0.m = 1
          $0.a += row * test.aStride
          $0.c += row * test.cStride
          if let addend = $0.epilogue.addend { $0.epilogue.addend = addend + row * test.addendStride }
        }
      }
      if whole.array != parts.array || whole.array != alone.array {
        Issue.record("seed \(seed), \(test)")
        return
      }
    }
  }

  /// A matrix's parts may come one after the other, by rows of B.
  @Test(arguments: levels)
  func packsInParts(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<60 {
      var random = SeededGenerator(seed)
      let test = GemmCase(&random, sizes: [1, 15, 33, 64, 130], depths: [1, 2, 16, 37, 1030, 2100])
      let whole = test.packInPairs(kernels)
      let packed = Guarded<Float>(whole.count, fence: .before) { _ in .nan }
      var args = dlk_pack_b_args(
        test.b.pointer, k: test.k, n: test.n, kStride: test.kStride, nStride: test.nStride, packed: packed.base)
      args.paired = 1
      let cut = random.pick([random.int(1...test.k), min(test.k, 528), min(test.k, 1023)])
      for (begin, end) in [(0, cut), (cut, test.k)] where begin < end {
        (args.row_begin, args.row_end) = (Int64(begin), Int64(end))
        kernels.pointee.pack_b(&args, 0, test.panels(kernels))
      }
      kernels.pointee.balance_b!(Int64(test.k), Int64(test.n), packed.base, 0, Int64(test.k))
      for panel in (0..<test.panels(kernels)).reversed() {
        kernels.pointee.pair_b!(Int64(test.k), Int64(test.n), packed.base, panel, panel + 1)
      }
      // None of the memory is left as it was.
      #expect(
        packed.array.allSatisfy(\.isFinite) && packed.array.map(\.bitPattern) == whole.array.map(\.bitPattern),
        "seed \(seed), \(test)")
    }
  }

  /// A workspace has room for what any block of the depth copies, the last one's many short rows included.
  @Test(arguments: levels)
  func deepProductsOfManyRowsFitTheirWorkspace(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    var random = SeededGenerator(4)
    // The last of 63 blocks is 17 deep.
    let (m, n, k) = (2760, 1, 63505)
    let a = Guarded(random: k, &random), b = Guarded(random: k, &random), c = Guarded<Float>(m * n) { _ in -77 }
    let packed = Guarded<Float>(Int(kernels.pointee.paired_b_floats(Int64(k), Int64(n)))) { _ in .nan }
    var pack = dlk_pack_b_args(b.pointer, k: k, n: n, kStride: 1, nStride: 1, packed: packed.base)
    pack.paired = 1
    kernels.pointee.pack_b(&pack, 0, 1)
    kernels.pointee.balance_b!(Int64(k), Int64(n), packed.base, 0, Int64(k))
    kernels.pointee.pair_b!(Int64(k), Int64(n), packed.base, 0, 1)
    let room = Guarded<Float>(Int(kernels.pointee.paired_workspace_floats(Int64(m), Int64(k)))) { _ in .nan }
    var args = dlk_gemm_args()
    (args.m, args.n, args.k) = (Int64(m), Int64(n), Int64(k))
    // All rows are the same one.
    (args.a, args.a_row_stride, args.b) = (a.pointer, 0, packed.pointer)
    (args.c, args.c_row_stride, args.epilogue) = (c.base, Int64(n), .plain)
    (args.paired, args.workspace) = (1, room.base)
    kernels.pointee.gemm(&args, 0, Int64(m), 0, 1)
    #expect(c.array.allSatisfy { $0 == c[0] && $0 != -77 })
  }

  @Test(arguments: levels)
  func addendMayBeTheOutput(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<40 {
      var random = SeededGenerator(seed)
      var test = GemmCase(&random, sizes: [13, 33, 65], depths: [7, 48, 1040])
      if test.k > 1024 { test.epilogue.addend_last = 0 }
      test.epilogue.addend_scale = random.pick([1, -0.5])
      let packed = test.packInPairs(kernels)
      let (beside, within) = (test.output(), test.output())
      for i in 0..<test.m {
        for j in 0..<test.n { within.store(test.addend[i * test.addendStride + j], i * test.cStride + j) }
      }
      test.multiplyInPairs(kernels, packed, into: beside) {
        $0.epilogue.addend = test.addend.pointer
        $0.epilogue.addend_row_stride = Int64(test.addendStride)
      }
      test.multiplyInPairs(kernels, packed, into: within) {
        $0.epilogue.addend = within.pointer
        $0.epilogue.addend_row_stride = Int64(test.cStride)
      }
      #expect(beside.array == within.array, "seed \(seed), \(test)")
    }
  }
}

// MARK: Numbers out of the ordinary

extension PairedProductTests {
  /// Numbers of one row or column, by name.
  private enum Content: CaseIterable {
    case ordinary, zero, negativeZero, infinite, notANumber, tiny, denormal, large, outlier, small, greatest, vast,
      apart

    func numbers(_ count: Int, _ random: inout SeededGenerator) -> [Float] {
      var values = (0..<count).map { _ in random.float() }
      let place = count == 0 ? 0 : random.int(0...count - 1)
      func all(_ factor: Float) { values = values.map { $0 * factor } }
      switch self {
      case .ordinary: break
      case .zero: all(0)
      case .negativeZero: values = values.map { _ in -0.0 }
      case .infinite: if count > 0 { values[place] = -.infinity }
      case .notANumber: if count > 0 { values[place] = .nan }
      case .tiny: all(0x1p-110)
      case .denormal: all(0x1p-135)
      case .large: all(0x1p55)
      case .outlier: if count > 0 { values[place] = 0x1p40 }
      case .small: all(0x1p-45)
      case .greatest: if count > 0 { values[place] = -.greatestFiniteMagnitude }
      case .vast: all(0x1p126)
      case .apart: for i in 0..<count where i % 3 == 0 { values[i] *= 0x1p-60 }
      }
      return values
    }
  }

  /// What is finite in exact arithmetic stays so, what is not becomes the same as there.
  @Test(arguments: levels)
  func rowsAndColumnsOfAnySizeMatchNaive(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<150 {
      var random = SeededGenerator(seed)
      let (m, n, k) = (
        random.pick([1, 12, 23, 37]), random.pick([1, 16, 33, 70]), random.pick([1, 4, 6, 16, 31, 64])
      )
      var (a, b) = ([Float](), [Float](repeating: 0, count: n * k))
      for _ in 0..<m { a += random.pick(Content.allCases).numbers(k, &random) }
      let contents = seed % 3 == 0 ? [Content.ordinary, .tiny, .large, .zero, .small] : Content.allCases
      for j in 0..<n {
        let column = random.pick(contents).numbers(k, &random)
        for p in 0..<k { b[p * n + j] = column[p] }
      }
      let test = GemmCase(m: m, n: n, k: k, a: a, b: b)
      let seen = GemmCase(m: m, n: n, k: k, a: a.map(\.orZero), b: b.map(\.orZero))
      let c = test.productInPairs(kernels), balance = test.balance
      for i in 0..<m {
        for j in 0..<n {
          let value = seen.expected(i, j).0, whole = test.expected(i, j).0, got = c[i * n + j]
          let size = max(test.lengths(i, j), test.lengths(i, j, balance: balance))
          // Beyond the range of numbers sums overflow in any order.
          if size.isFinite, size > 0x1p127 { continue }
          // Subnormal numbers are zeros, and so is a power of two that a row's or a sum's scale makes of next to them.
          let least = 0x1p-120 * (test.sum(i, j) + 1)
          let isRight =
            value.isFinite && whole.isFinite
            ? abs(Double(got) - value) <= 2e-6 * size + least
            : got.isNaN ? value.isNaN || whole.isNaN : Double(got) == value || Double(got) == whole
          if !isRight {
            Issue.record("seed \(seed), \(test): [\(i)][\(j)]: expected \(value), got \(got)")
            return
          }
        }
      }
    }
  }

  /// Rows beside such as are not ordinary give the bits that they give without them.
  @Test(arguments: levels)
  func rowsDoNotDependOnTheirNeighbours(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<60 {
      var random = SeededGenerator(seed)
      let (m, n, k) = (random.pick([2, 12, 33]), random.pick([16, 33, 70]), random.pick([5, 64, 82, 94, 110, 122]))
      let b = Content.ordinary.numbers(n * k, &random)
      // Rows whose mean square is a power of two, half of them: where rounding would decide on the scale.
      let rows = (0..<m).map { row in
        if row % 2 == 0 { return Content.ordinary.numbers(k, &random) }
        return (0..<k).map { Float(2 - $0 % 2 * 2) }
      }
      var strange = rows
      var changed: Set<Int> = []
      for _ in 0..<random.int(1...max(1, m / 3)) {
        let row = random.int(0...m - 1)
        strange[row] = random.pick(Content.allCases).numbers(k, &random)
        changed.insert(row)
      }
      let (clean, mixed) = (
        GemmCase(m: m, n: n, k: k, a: rows.flatMap(\.self), b: b),
        GemmCase(m: m, n: n, k: k, a: strange.flatMap(\.self), b: b)
      )
      let (c, d) = (clean.productInPairs(kernels), mixed.productInPairs(kernels))
      for row in 0..<m where !changed.contains(row) {
        if clean.row(row, of: c) != mixed.row(row, of: d) {
          Issue.record("seed \(seed), \(clean): row \(row) beside \(changed.sorted())")
          return
        }
      }
    }
  }

  /// Powers of two that rows and B are multiplied by are in the result, to the bit.
  @Test(arguments: levels)
  func powersOfTwoGoThrough(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<40 {
      var random = SeededGenerator(seed)
      let (m, n, k) = (random.pick([12, 33]), random.pick([16, 33, 70]), random.pick([5, 20, 64, 75]))
      let (a, b) = (Content.ordinary.numbers(m * k, &random), Content.ordinary.numbers(n * k, &random))
      func power(_ i: Int) -> Float { Float(sign: .plus, exponent: (i * 7 + seed) % 61 - 30, significand: 1) }
      let plain = GemmCase(m: m, n: n, k: k, a: a, b: b)
      let scaled = GemmCase(
        m: m, n: n, k: k, a: a.indices.map { a[$0] * power($0 / k) }, b: b.map { $0 * 16 })
      let (c, d) = (plain.productInPairs(kernels), scaled.productInPairs(kernels))
      #expect(
        (0..<m * n).allSatisfy { c[$0] * power($0 / n) * 16 == d[$0] }, "seed \(seed), \(plain)")
    }
  }

  /// Elements of each row in a smaller unit than the others, and their weights in a larger one: little is lost.
  @Test(arguments: levels)
  func unitsDoNotMatter(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<10 {
      var random = SeededGenerator(seed)
      let (m, n, k) = (16, random.pick([33, 100]), random.pick([64, 202]))
      var (a, b) = (Content.ordinary.numbers(m * k, &random), Content.ordinary.numbers(n * k, &random))
      for p in stride(from: 3, to: k, by: 100) {
        for i in 0..<m { a[i * k + p] *= 1024 }
        for j in 0..<n { b[p * n + j] /= 1024 }
      }
      let test = GemmCase(m: m, n: n, k: k, a: a, b: b)
      let mistake = test.mistake(test.productInPairs(kernels)) { _, _ in Double(k) / 4 }
      #expect(mistake == nil, "seed \(seed), \(test)")
    }
  }

  /// Nothing but zeros gives the bias itself.
  @Test(arguments: levels)
  func zerosGiveTheBias(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    let (m, n, k) = (13, 37, 22)
    var random = SeededGenerator(1)
    let bias = Guarded(Content.ordinary.numbers(n, &random))
    let (zeros, numbers) = ([Float](repeating: 0, count: 37 * 22), Content.ordinary.numbers(37 * 22, &random))
    for (a, b) in [(zeros, numbers), (numbers, zeros), (zeros, zeros)] {
      var test = GemmCase(m: m, n: n, k: k, a: Array(a.prefix(m * k)), b: b)
      test.epilogue.bias = bias.pointer
      let c = test.productInPairs(kernels)
      #expect((0..<m * n).allSatisfy { c[$0] == bias[$0 % n] })
    }
  }
}

extension Float {
  /// What kernels see: subnormal numbers are zeros.
  fileprivate var orZero: Float { isSubnormal ? 0 : self }
}
