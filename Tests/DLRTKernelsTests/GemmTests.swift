import CKernelSupport
import DLRTKernels
import Testing

@Suite struct GemmTests {
  private static let sizes = [0, 1, 2, 3, 5, 6, 7, 8, 12, 13, 15, 16, 17, 24, 31, 33, 48, 63, 65]

  @Test(arguments: KernelLibrary.available)
  func packedProductMatchesNaive(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<250 {
      var random = SeededGenerator(seed)
      var test = GemmCase(&random, sizes: Self.sizes)
      test.interleaved = Int32(seed % 2)
      let packed = test.pack(kernels)
      let c = test.output()
      var args = test.arguments(packed.pointer, c)
      kernels.pointee.gemm(&args, 0, Int64(test.m), 0, test.panels(kernels))
      if let mistake = test.mistake(c) {
        Issue.record("seed \(seed), \(test): \(mistake)")
        return
      }
    }
  }

  /// Many rows of much depth are summed block by block, few are not: the results must be the same.
  @Test(arguments: KernelLibrary.available)
  func deepProductsAreTheSameInBlocks(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<40 {
      var random = SeededGenerator(seed)
      var test = GemmCase(&random, sizes: [48, 60, 97, 130, 197], depths: [768, 769, 1540, 3000])
      test.interleaved = Int32(seed % 2)
      let packed = test.pack(kernels)
      let (whole, parts) = (test.output(), test.output())
      var args = test.arguments(packed.pointer, whole)
      kernels.pointee.gemm(&args, 0, Int64(test.m), 0, test.panels(kernels))
      args.c = parts.base
      for row in stride(from: 0, to: test.m, by: 40) {
        kernels.pointee.gemm(&args, Int64(row), Int64(min(test.m, row + 40)), 0, test.panels(kernels))
      }
      #expect(whole.array == parts.array, "seed \(seed), \(test)")
    }
  }

  /// Where rows of C go on elsewhere after a few, as those of an image do in a larger one, nothing else is written.
  @Test(arguments: KernelLibrary.available)
  func rowsMayLieInRuns(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<250 {
      var random = SeededGenerator(seed)
      var test = GemmCase(&random, sizes: Self.sizes, depths: [0, 1, 5, 16, 33, 800])
      test.interleaved = Int32(seed % 2)
      let packed = test.pack(kernels), cut = Int64(random.int(0...test.m))
      let whole = test.output(), runs = RunsOfRows(&random, test)
      var args = test.arguments(packed.pointer, whole)
      kernels.pointee.gemm(&args, 0, Int64(test.m), 0, test.panels(kernels))
      runs.place(&args)
      kernels.pointee.gemm(&args, 0, cut, 0, test.panels(kernels))
      kernels.pointee.gemm(&args, cut, Int64(test.m), 0, test.panels(kernels))
      if let mistake = runs.mistake(whole) {
        Issue.record("seed \(seed), \(test): \(mistake)")
        return
      }
    }
  }

  /// What is added to so many rows is fetched early.
  @Test(arguments: KernelLibrary.available)
  func manyRowsMayBeAddedTo(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<6 {
      var random = SeededGenerator(seed)
      var test = GemmCase(&random, rows: [4201], sizes: [65], depths: [3, 6, 10])
      test.interleaved = seed < 3 ? 0 : 1
      (test.epilogue.addend, test.epilogue.addend_row_stride) = (test.addend.pointer, Int64(test.addendStride))
      (test.epilogue.scale, test.epilogue.addend_scale, test.epilogue.addend_last) = (1, 1, Int32(seed % 2))
      // A tile can start from what is added where it comes first and the activation is a clamp.
      if seed % 2 == 0 { test.epilogue.activation = DLK_UNARY_RELU }
      let packed = test.pack(kernels)
      let c = test.output()
      var args = test.arguments(packed.pointer, c)
      kernels.pointee.gemm(&args, 0, 3007, 0, test.panels(kernels))
      kernels.pointee.gemm(&args, 3007, Int64(test.m), 0, test.panels(kernels))
      if let mistake = test.mistake(c) {
        Issue.record("seed \(seed), \(test): \(mistake)")
        return
      }
    }
  }

  @Test(arguments: KernelLibrary.available)
  func directProductMatchesNaive(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 1000..<1200 {
      var random = SeededGenerator(seed)
      let test = GemmCase(&random, sizes: Self.sizes)
      let c = test.output()
      var args = test.arguments(test.b.pointer, c)
      kernels.pointee.gemm_direct(&args, 0, Int64(test.m), 0, test.panels(kernels))
      if let mistake = test.mistake(c) {
        Issue.record("seed \(seed), \(test): \(mistake)")
        return
      }
    }
  }

  /// Rows of B that lie a power of two apart, which a cache cannot keep, are copied for many rows of A, not for few.
  @Test(arguments: KernelLibrary.available)
  func rowsFarApartAreTheSameForManyAndForFew(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 4000..<4060 {
      var random = SeededGenerator(seed)
      let test = GemmCase(
        &random, rows: [18, 29, 60], sizes: [1, 7, 16, 17, 33], depths: [25, 100, 384, 385, 800, 1201],
        bRows: [256, 512, 768, 1024])
      let (whole, parts) = (test.output(), test.output())
      var args = test.arguments(test.b.pointer, whole)
      let panels = test.panels(kernels)
      kernels.pointee.gemm_direct(&args, 0, Int64(test.m), 0, panels)
      args.c = parts.base
      for row in stride(from: 0, to: test.m, by: 7) {
        kernels.pointee.gemm_direct(&args, Int64(row), Int64(min(test.m, row + 7)), 0, panels)
      }
      if let mistake = whole.array == parts.array ? test.mistake(whole) : "depends on the split" {
        Issue.record("seed \(seed), \(test): \(mistake)")
        return
      }
    }
  }

  /// Whether weights are packed or not is a matter of speed, where columns are adjacent.
  @Test(arguments: KernelLibrary.available)
  func oneRowInPlaceGivesThePackedProduct(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 3000..<3120 {
      var random = SeededGenerator(seed)
      let test = GemmCase(
        &random, rows: [1, 1, 2], sizes: [1, 7, 130, 511, 512, 513, 1024, 1030, 2047, 2048, 4100, 4144],
        depths: [0, 1, 7, 8, 9, 16, 33])
      let packed = test.pack(kernels)
      let (direct, whole) = (test.output(), test.output())
      let panels = test.panels(kernels), cut = Int64(random.int(0...Int(panels)))
      var args = test.arguments(test.b.pointer, direct)
      for row in 0..<Int64(test.m) {
        kernels.pointee.gemm_direct(&args, row, row + 1, 0, cut)
        kernels.pointee.gemm_direct(&args, row, row + 1, cut, panels)
      }
      (args.b, args.c) = (packed.pointer, whole.base)
      kernels.pointee.gemm(&args, 0, Int64(test.m), 0, panels)
      // A tile adds what is to be added to a part of a vector after the sum, not before.
      let isExact = test.nStride == 1 && test.epilogue.addend == nil
      let isSame = isExact ? direct.array == whole.array : test.mistake(direct) == nil
      if !isSame {
        Issue.record("seed \(seed), \(test)")
        return
      }
    }
  }

  @Test(arguments: KernelLibrary.available)
  func resultsDoNotDependOnTheSplit(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 2000..<2080 {
      var random = SeededGenerator(seed)
      var test = GemmCase(&random, sizes: [1, 7, 8, 24, 33, 64, 130])
      test.interleaved = Int32(seed % 2)
      let packed = test.pack(kernels)
      let whole = test.output(), parts = test.output()
      var args = test.arguments(packed.pointer, whole)
      let panels = test.panels(kernels), m = Int64(test.m)
      kernels.pointee.gemm(&args, 0, m, 0, panels)
      args.c = parts.base
      let row = Int64(random.int(0...test.m)), panel = Int64(random.int(0...Int(panels)))
      for rows in [(0, row), (row, m)] {
        for columns in [(0, panel), (panel, panels)] {
          kernels.pointee.gemm(&args, rows.0, rows.1, columns.0, columns.1)
        }
      }
      if whole.array != parts.array {
        Issue.record("seed \(seed), \(test)")
        return
      }
    }
  }

  /// Interleaved rows are added up otherwise than others, but for each cut of the product in the same way.
  @Test(arguments: KernelLibrary.available)
  func interleavedProductsDoNotDependOnTheSplit(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<150 {
      var random = SeededGenerator(seed)
      var test = GemmCase(
        &random, rows: [1, 4, 5, 12, 13, 50, 97], sizes: [1, 8, 9, 16, 17, 24, 33, 40, 65, 88, 104],
        depths: [2, 16, 18, 96, 766, 768, 770])
      test.interleaved = 1
      let packed = test.pack(kernels), panels = test.panels(kernels)
      let whole = test.output(), parts = test.output()
      var args = test.arguments(packed.pointer, whole)
      kernels.pointee.gemm(&args, 0, Int64(test.m), 0, panels)
      args.c = parts.base
      var row = 0
      while row < test.m {
        let end = min(test.m, row + random.pick([1, 3, 4, 12, 48]))
        kernels.pointee.gemm(&args, Int64(row), Int64(end), 0, panels)
        row = end
      }
      let isSame = whole.array.map(\.bitPattern) == parts.array.map(\.bitPattern)
      if let mistake = isSame ? test.mistake(whole) : "another result in parts" {
        Issue.record("seed \(seed), \(test): \(mistake)")
        return
      }
    }
  }

  @Test(arguments: KernelLibrary.available)
  func addendMayBeTheOutput(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    var random = SeededGenerator(7)
    var test = GemmCase(&random, sizes: [33])
    test.epilogue = .plain
    let packed = test.pack(kernels)
    let once = test.output(), twice = test.output()
    var args = test.arguments(packed.pointer, once)
    kernels.pointee.gemm(&args, 0, 33, 0, test.panels(kernels))
    args.c = twice.base
    kernels.pointee.gemm(&args, 0, 33, 0, test.panels(kernels))
    args.epilogue.addend = twice.pointer
    args.epilogue.addend_row_stride = args.c_row_stride
    kernels.pointee.gemm(&args, 0, 33, 0, test.panels(kernels))
    for i in 0..<33 {
      for j in 0..<test.n {
        #expect(abs(twice[i * test.cStride + j] - 2 * once[i * test.cStride + j]) < 1e-4)
      }
    }
  }

  /// Weights of a model file may lie at any byte.
  @Test(arguments: KernelLibrary.available)
  func packsAnyStridesAtAnyAddress(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<60 {
      var random = SeededGenerator(seed)
      let taps = random.pick([1, 4, 9]), depth = random.pick([1, 3, 16, 37]), n = random.pick([1, 15, 16, 40, 100])
      let shift = random.int(0...3)
      let values = (0..<taps * depth * n).map { _ in Float(random.int(-8...8)) / 8 }
      let raw = [UInt8](repeating: 0, count: shift) + values.flatMap { withUnsafeBytes(of: $0) { Array($0) } }
      let source = Guarded<UInt8>(raw.count) { raw[$0] }
      // [n][depth][taps], as convolution weights are stored; or [taps][depth][n].
      let stored = random.int(0...1) == 0
      let (outer, inner, column) = stored ? (1, taps, taps * depth) : (depth * n, n, 1)
      let packed = Guarded<Float>(Int(kernels.pointee.packed_b_floats(Int64(taps * depth), Int64(n)))) { _ in .nan }
      var args = dlk_pack_b_args(
        source: source.pointer + shift, k_outer: Int64(taps), k_inner: Int64(depth),
        n: Int64(n), k_outer_stride: Int64(outer), k_inner_stride: Int64(inner), n_stride: Int64(column), scale: 2,
        packed: packed.base, row_begin: 0, row_end: 0, paired: 0, interleaved: 0)
      let panel = Int(kernels.pointee.gemm_panel), lanes = Int(kernels.pointee.vector_floats)
      let cut = taps == 1 ? random.int(1...depth) : 0
      // A matrix may come in parts of its rows.
      for (begin, end) in cut == 0 ? [(0, 0)] : [(0, cut), (cut, depth)] where taps > 1 || begin < end {
        (args.row_begin, args.row_end) = (Int64(begin), Int64(end))
        kernels.pointee.pack_b(&args, 0, Int64((n + panel - 1) / panel))
      }
      for j in 0..<(n + lanes - 1) / lanes * lanes {
        let first = j / panel * panel
        let width = min(panel, (n - first + lanes - 1) / lanes * lanes)
        for tap in 0..<taps {
          for d in 0..<depth {
            let got = packed[first * taps * depth + (tap * depth + d) * width + j - first]
            let value = j < n ? 2 * values[tap * outer + d * inner + j * column] : 0
            if got != value {
              Issue.record("seed \(seed): [\(tap)][\(d)][\(j)] expected \(value), got \(got)")
              return
            }
          }
        }
      }
    }
  }

  @Test(arguments: KernelLibrary.available)
  func infinityAndNaNPassThrough(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    let a = Guarded<Float>([1, .infinity, .nan, 2])
    let b = Guarded<Float>((0..<40).map { $0 < 20 ? 1 : 0.5 })
    let packed = Guarded<Float>(Int(kernels.pointee.packed_b_floats(2, 20))) { _ in 0 }
    var pack = dlk_pack_b_args(b.pointer, k: 2, n: 20, kStride: 20, nStride: 1, packed: packed.base)
    kernels.pointee.pack_b(&pack, 0, 3)
    let c = Guarded<Float>(40) { _ in 0 }
    var args = dlk_gemm_args()
    (args.m, args.n, args.k) = (2, 20, 2)
    (args.a, args.a_row_stride, args.b) = (a.pointer, 2, packed.pointer)
    (args.c, args.c_row_stride, args.epilogue) = (c.base, 20, .plain)
    args.epilogue.activation = DLK_UNARY_RELU
    kernels.pointee.gemm(&args, 0, 2, 0, 3)
    for j in 0..<20 {
      #expect(c[j] == .infinity)
      #expect(c[20 + j].isNaN)
    }
  }
}
