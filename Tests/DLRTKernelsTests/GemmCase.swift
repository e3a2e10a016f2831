import CKernelSupport
import DLRTKernels

/// A random product and its naive twin.
struct GemmCase: CustomStringConvertible {
  var m, n, k: Int
  var aStride, cStride, addendStride: Int
  var kStride, nStride: Int
  var epilogue = dlk_epilogue.plain
  /// Whether the last panel may have its rows two by two.
  var interleaved: Int32 = 0
  let a, b, bias, addend: Guarded<Float>

  /// - Parameter bRows: floats from one row of B to the next, columns being adjacent; by default any layout.
  init(
    _ random: inout SeededGenerator, rows: [Int]? = nil, sizes: [Int], depths: [Int]? = nil, bRows: [Int]? = nil
  ) {
    (m, n, k) = (random.pick(rows ?? sizes), random.pick(sizes + [64, 96, 128, 200]), random.pick(depths ?? sizes))
    aStride = k + random.int(0...3)
    cStride = n + random.int(0...3)
    addendStride = n + random.int(0...2)
    switch random.int(0...2) {
    case 0: (kStride, nStride) = (n + random.int(0...2), 1)
    case 1: (kStride, nStride) = (1, k + random.int(0...2))
    default: (kStride, nStride) = (2, 2 * k + 1)
    }
    if let bRows { (kStride, nStride) = (random.pick(bRows), 1) }
    a = Guarded(random: m == 0 || k == 0 ? 0 : (m - 1) * aStride + k, &random)
    b = Guarded(random: n == 0 || k == 0 ? 0 : (n - 1) * nStride + (k - 1) * kStride + 1, &random, offset: 0)
    bias = Guarded(random: n, &random)
    addend = Guarded(random: m == 0 || n == 0 ? 0 : (m - 1) * addendStride + n, &random)
    if random.int(0...2) > 0 { epilogue.bias = bias.pointer }
    if random.int(0...2) > 0 {
      epilogue.addend = addend.pointer
      epilogue.addend_row_stride = Int64(addendStride)
      epilogue.addend_scale = random.pick([1, 1, -0.5])
      epilogue.addend_last = Int32(random.int(0...1))
    }
    epilogue.scale = random.pick([1, 1, 0.25])
    epilogue.activation = random.pick([
      DLK_UNARY_IDENTITY, DLK_UNARY_IDENTITY, DLK_UNARY_RELU, DLK_UNARY_CLIP, DLK_UNARY_GELU_ERF, DLK_UNARY_TANH,
      DLK_UNARY_LEAKY_RELU,
    ])
    (epilogue.a, epilogue.b) = (-0.1, 0.4)
  }

  /// A product of given numbers without anything else, and without room between rows.
  init(m: Int, n: Int, k: Int, a: [Float], b: [Float]) {
    (self.m, self.n, self.k) = (m, n, k)
    (aStride, cStride, addendStride, kStride, nStride) = (k, n, n, n, 1)
    (self.a, self.b) = (Guarded(a), Guarded(b))
    (bias, addend) = (Guarded([]), Guarded([]))
  }

  var description: String {
    "m \(m) n \(n) k \(k) strides \(aStride) \(kStride) \(nStride) \(cStride) f \(epilogue.activation.rawValue)"
  }

  /// The expected value and the magnitude of what was summed.
  func expected(_ i: Int, _ j: Int) -> (Double, Double) {
    var sum = 0.0, size = 0.0
    for p in 0..<k {
      let term = Double(a[i * aStride + p]) * Double(b[p * kStride + j * nStride])
      sum += term
      size += abs(term)
    }
    sum *= Double(epilogue.scale)
    if epilogue.bias != nil { sum += Double(bias[j]) }
    let extra = epilogue.addend == nil ? 0 : Double(epilogue.addend_scale) * Double(addend[i * addendStride + j])
    if epilogue.addend_last == 0 { sum += extra }
    var result = exact(epilogue.activation, epilogue.a, epilogue.b, Float(sum))
    if epilogue.addend_last != 0 { result += extra }
    return (result, size + 1)
  }

  func arguments(_ b: UnsafePointer<Float>, _ c: Guarded<Float>) -> dlk_gemm_args {
    dlk_gemm_args(
      m: Int64(m), n: Int64(n), k: Int64(k), a: a.pointer, a_row_stride: Int64(aStride), b: b,
      b_row_stride: Int64(kStride), b_column_stride: Int64(nStride), c: c.base, c_row_stride: Int64(cStride), c_run: 0,
      c_run_stride: 0,
      epilogue: epilogue, next: nil, paired: 0, interleaved: interleaved, workspace: nil)
  }

  func output() -> Guarded<Float> { Guarded(m == 0 || n == 0 ? 0 : (m - 1) * cStride + n) { _ in -77 } }

  func pack(_ kernels: Kernels) -> Guarded<Float> {
    let packed = Guarded<Float>(Int(kernels.pointee.packed_b_floats(Int64(k), Int64(n)))) { _ in .nan }
    var args = dlk_pack_b_args(b.pointer, k: k, n: n, kStride: kStride, nStride: nStride, packed: packed.base)
    args.interleaved = interleaved
    kernels.pointee.pack_b(&args, 0, panels(kernels))
    return packed
  }

  func panels(_ kernels: Kernels) -> Int64 {
    let width = Int64(kernels.pointee.gemm_panel)
    return (Int64(n) + width - 1) / width
  }

  /// The first wrong element, and whether the gaps between rows were left alone.
  ///
  /// - Parameter size: what errors are in proportion to; by default the magnitude of what is summed.
  func mistake(_ c: Guarded<Float>, size sizeOf: ((_ row: Int, _ column: Int) -> Double)? = nil) -> String? {
    for i in 0..<m {
      for j in 0..<n {
        var (value, size) = expected(i, j)
        if let sizeOf { size = sizeOf(i, j) }
        let got = Double(c[i * cStride + j])
        if !(abs(got - value) <= 2e-6 * size) { return "[\(i)][\(j)]: expected \(value), got \(got)" }
      }
      if n > 0, i + 1 < m { for j in n..<cStride where c[i * cStride + j] != -77 { return "wrote between rows" } }
    }
    return nil
  }
}

/// Memory for the rows of a product in runs of a few, with gaps between them.
struct RunsOfRows {
  let c: Guarded<Float>
  private let test: GemmCase
  private let run: Int
  private let stride: Int

  init(_ random: inout SeededGenerator, _ test: GemmCase) {
    self.test = test
    run = random.int(1...20)
    stride = run * test.cStride + random.int(0...40)
    c = Guarded<Float>((test.m + run - 1) / run * stride) { _ in 77 }
  }

  func place(_ args: inout dlk_gemm_args) {
    (args.c, args.c_run, args.c_run_stride) = (c.base, Int64(run), Int64(stride))
  }

  /// Where the rows are not those of `whole`, or something else was written.
  func mistake(_ whole: Guarded<Float>) -> String? {
    var expected = [Float](repeating: 77, count: c.array.count)
    for row in 0..<test.m {
      for column in 0..<test.n {
        expected[row / run * stride + row % run * test.cStride + column] = whole[row * test.cStride + column]
      }
    }
    for (index, value) in c.array.enumerated() where value.bitPattern != expected[index].bitPattern {
      return "runs of \(run) rows, \(stride) floats apart: \(value) at \(index) instead of \(expected[index])"
    }
    return nil
  }
}
