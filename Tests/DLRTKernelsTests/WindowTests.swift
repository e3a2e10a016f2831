import CKernelSupport
import DLRTKernels
import Testing

@Suite struct WindowTests {
  @Test(arguments: KernelLibrary.available)
  func convolutionMatchesNaive(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<100 {
      var random = SeededGenerator(seed)
      // Some panels are large enough to be multiplied in parts: the first of them on levels of wide vectors, the
      // others on all.
      let deep: (channels: Int, n: Int)? = 70..<76 ~= seed ? (seed < 72 ? (1100, 16) : (1900, 8)) : nil
      let n = deep?.n ?? random.pick([1, 5, 16, 24, 40, 64, 80])
      let isDense = random.int(0...3) == 0, pads = seed < 76 ? !isDense : random.int(0...2) == 0
      let test = WindowCase(
        &random, outputs: n, pads: pads, dense: isDense, deep: deep?.channels, tall: seed >= 76)
      let depth = test.taps * test.channels
      let weights = Guarded(random: depth * n, &random), bias = Guarded(random: n, &random)
      let addend = Guarded(random: test.outPixels * n, &random)
      let packed = Guarded<Float>(Int(kernels.pointee.packed_b_floats(Int64(depth), Int64(n)))) { _ in .nan }
      // [n][channel][tap], as models store it.
      var pack = dlk_pack_b_args(
        source: weights.pointer, k_outer: Int64(test.taps), k_inner: Int64(test.channels),
        n: Int64(n), k_outer_stride: 1, k_inner_stride: Int64(test.taps), n_stride: Int64(depth), scale: 1,
        packed: packed.base, row_begin: 0, row_end: 0, paired: 0, interleaved: Int32(seed % 2))
      let panel = Int64(kernels.pointee.gemm_panel), panels = (Int64(n) + panel - 1) / panel
      kernels.pointee.pack_b(&pack, 0, panels)
      let padding = Guarded<Float>(test.channels * Int(test.window.kernel_w)) { _ in 0 }
      let y = test.output(n)
      var args = dlk_conv_args()
      (args.window, args.channels, args.n) = (test.window, Int64(test.channels), Int64(n))
      args.interleaved = pack.interleaved
      (args.x, args.x_pixels, args.y, args.y_pixels) = (test.image.pointer, test.x, y.base, test.y)
      (args.weights, args.padding, args.epilogue) = (packed.pointer, padding.pointer, .plain)
      args.epilogue.bias = bias.pointer
      args.epilogue.activation = random.pick([DLK_UNARY_IDENTITY, DLK_UNARY_RELU, DLK_UNARY_SILU])
      args.epilogue.a = 1
      let adds = random.int(0...1) == 1
      if adds { (args.epilogue.addend, args.epilogue.addend_row_stride) = (addend.pointer, Int64(n)) }
      let middle = Int64(random.int(0...test.outPixels))
      kernels.pointee.conv(&args, 0, middle, 0, panels)
      kernels.pointee.conv(&args, middle, Int64(test.outPixels), 0, panels)
      for pixel in 0..<test.outPixels {
        let (place, taps) = test.under(pixel)
        for j in 0..<n {
          var sum = Double(bias[j]) + (adds ? Double(addend[pixel * n + j]) : 0), size = 1.0
          for (tap, from) in taps.enumerated() {
            guard let from else { continue }
            for c in 0..<test.channels {
              let term = Double(test.image[from + c]) * Double(weights[(j * test.channels + c) * test.taps + tap])
              sum += term
              size += abs(term)
            }
          }
          let value = exact(args.epilogue.activation, 1, 0, Float(sum)), got = Double(y[place + j])
          if !(abs(got - value) <= 1e-6 * size + 3e-7 * abs(value)) {
            Issue.record("seed \(seed), \(test), n \(n): pixel \(pixel) [\(j)] expected \(value), got \(got)")
            return
          }
        }
      }
    }
  }

  /// Whether some taps of a tile lie in the padding or not, and wherever the pixels are cut.
  @Test(arguments: KernelLibrary.available)
  func interleavedWindowsDoNotDependOnTheSplit(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<120 {
      var random = SeededGenerator(seed)
      let n = random.pick([1, 8, 9, 16, 17, 24, 33, 40, 65, 88, 104])
      let test = WindowCase(&random, outputs: n, pads: seed % 3 > 0, dense: seed % 2 == 0)
      let depth = test.taps * test.channels
      let weights = Guarded(random: depth * n, &random), bias = Guarded(random: n, &random)
      let packed = Guarded<Float>(Int(kernels.pointee.packed_b_floats(Int64(depth), Int64(n)))) { _ in .nan }
      var pack = dlk_pack_b_args(
        source: weights.pointer, k_outer: Int64(test.taps), k_inner: Int64(test.channels), n: Int64(n),
        k_outer_stride: 1, k_inner_stride: Int64(test.taps), n_stride: Int64(depth), scale: 1, packed: packed.base,
        row_begin: 0, row_end: 0, paired: 0, interleaved: 1)
      let panel = Int64(kernels.pointee.gemm_panel), panels = (Int64(n) + panel - 1) / panel
      kernels.pointee.pack_b(&pack, 0, panels)
      let padding = Guarded<Float>(test.channels * Int(test.window.kernel_w)) { _ in 0 }
      let whole = test.output(n), parts = test.output(n)
      var args = dlk_conv_args()
      (args.window, args.channels, args.n, args.interleaved) = (test.window, Int64(test.channels), Int64(n), 1)
      (args.x, args.x_pixels, args.y, args.y_pixels) = (test.image.pointer, test.x, whole.base, test.y)
      (args.weights, args.padding, args.epilogue) = (packed.pointer, padding.pointer, .plain)
      args.epilogue.bias = bias.pointer
      args.epilogue.activation = random.pick([DLK_UNARY_IDENTITY, DLK_UNARY_RELU, DLK_UNARY_SILU])
      args.epilogue.a = 1
      kernels.pointee.conv(&args, 0, Int64(test.outPixels), 0, panels)
      args.y = parts.base
      var pixel = 0
      while pixel < test.outPixels {
        let end = min(test.outPixels, pixel + random.pick([1, 5, 12, 30]))
        for panel in 0..<panels { kernels.pointee.conv(&args, Int64(pixel), Int64(end), panel, panel + 1) }
        pixel = end
      }
      #expect(whole.array.map(\.bitPattern) == parts.array.map(\.bitPattern), "seed \(seed), \(test), n \(n)")
    }
  }

  /// Groups taken together give the bits that they give one by one.
  @Test(arguments: KernelLibrary.available)
  func groupsTogetherAreAsOneByOne(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<72 {
      var random = SeededGenerator(seed)
      let groups = random.int(2...5), panel = Int(kernels.pointee.gemm_panel)
      let test = WindowCase(
        &random, outputs: groups * panel, pads: seed < 60 || seed % 4 == 0, tall: seed >= 60)
      let channels = max(1, test.channels / groups)
      if channels * groups > test.channels { continue }
      let n = random.pick([1, panel / 8, panel / 4, 3 * panel / 8, panel / 2, 5 * panel / 8, panel - 1, panel])
      let depth = test.taps * channels
      let floats = Int(kernels.pointee.packed_b_floats(Int64(depth), Int64(n)))
      let packed = Guarded(random: floats * groups, &random), bias = Guarded(random: n * groups, &random)
      let addend = Guarded(random: test.outPixels * n * groups, &random)
      let padding = Guarded<Float>(channels * groups * Int(test.window.kernel_w)) { _ in 0 }
      let (together, oneByOne) = (test.output(n * groups), test.output(n * groups))
      var args = dlk_conv_args()
      (args.window, args.channels, args.n) = (test.window, Int64(channels), Int64(n))
      args.interleaved = Int32(seed % 2)
      (args.x, args.x_pixels, args.y_pixels) = (test.image.pointer, test.x, test.y)
      (args.weights, args.padding, args.epilogue) = (packed.pointer, padding.pointer, .plain)
      args.epilogue.bias = bias.pointer
      args.epilogue.activation = random.pick([DLK_UNARY_IDENTITY, DLK_UNARY_RELU, DLK_UNARY_SILU])
      if random.int(0...1) == 1 {
        (args.epilogue.addend, args.epilogue.addend_row_stride) = (addend.pointer, Int64(n * groups))
      }
      var all = args
      (all.groups, all.y) = (Int64(groups), together.base)
      let (middle, some) = (Int64(random.int(0...test.outPixels)), Int64(random.int(0...groups)))
      kernels.pointee.conv(&all, 0, middle, 0, Int64(groups))
      kernels.pointee.conv(&all, middle, Int64(test.outPixels), 0, some)
      kernels.pointee.conv(&all, middle, Int64(test.outPixels), some, Int64(groups))
      for group in 0..<groups {
        var one = args
        one.x = test.image.pointer + group * channels
        one.weights = packed.pointer + group * floats
        one.y = oneByOne.base + group * n
        one.epilogue.bias = bias.pointer + group * n
        one.epilogue.addend = args.epilogue.addend.map { $0 + group * n }
        kernels.pointee.conv(&one, 0, Int64(test.outPixels), 0, 1)
      }
      #expect(together.array.map(\.bitPattern) == oneByOne.array.map(\.bitPattern), "seed \(seed), \(test), n \(n)")
    }
  }

  /// A window of more taps than the driver keeps addresses for.
  @Test(arguments: KernelLibrary.available)
  func hugeWindowsAreSummedWhole(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    var random = SeededGenerator(5)
    let (size, kernel, n) = (20, 13, 20)
    let x = Guarded(random: size * size, &random), weights = Guarded(random: kernel * kernel * n, &random)
    let packed = Guarded<Float>(Int(kernels.pointee.packed_b_floats(169, 20))) { _ in 0 }
    var pack = dlk_pack_b_args(weights.pointer, k: 169, n: n, kStride: n, nStride: 1, packed: packed.base)
    let panel = Int64(kernels.pointee.gemm_panel), panels = (20 + panel - 1) / panel
    kernels.pointee.pack_b(&pack, 0, panels)
    let padding = Guarded<Float>(13) { _ in 0 }, y = Guarded<Float>(size * size * n) { _ in -77 }
    var args = dlk_conv_args()
    args.window = dlk_window(
      in_d: 1, in_h: 20, in_w: 20, out_d: 1, out_h: 20, out_w: 20, kernel_d: 1, kernel_h: 13, kernel_w: 13, stride_d: 1,
      stride_h: 1, stride_w: 1, dilation_d: 1, dilation_h: 1, dilation_w: 1, pad_d: 0, pad_h: 6, pad_w: 6, pad_end_d: 0,
      pad_end_h: 6, pad_end_w: 6)
    (args.channels, args.n, args.x, args.weights) = (1, 20, x.pointer, packed.pointer)
    args.x_pixels = dlk_pixels(pixel_stride: 1, row_stride: 20, plane_stride: 400)
    args.y_pixels = dlk_pixels(pixel_stride: 20, row_stride: 400, plane_stride: 8000)
    (args.padding, args.y, args.epilogue) = (padding.pointer, y.base, .plain)
    args.epilogue.activation = DLK_UNARY_RELU
    kernels.pointee.conv(&args, 0, 400, 0, panels)
    for oy in 0..<size {
      for ox in 0..<size {
        for j in 0..<n {
          var sum = 0.0
          for ky in 0..<kernel {
            for kx in 0..<kernel {
              let (iy, ix) = (oy + ky - 6, ox + kx - 6)
              guard (0..<size).contains(iy), (0..<size).contains(ix) else { continue }
              sum += Double(x[iy * size + ix]) * Double(weights[(ky * kernel + kx) * n + j])
            }
          }
          #expect(abs(Double(y[(oy * size + ox) * n + j]) - max(0, sum)) < 5e-5)
        }
      }
    }
  }

  @Test(arguments: KernelLibrary.available)
  func poolingMatchesNaive(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<160 {
      var random = SeededGenerator(seed)
      let test = WindowCase(&random)
      let y = test.output(test.channels)
      let function = random.pick([DLK_POOL_MAX, DLK_POOL_AVERAGE, DLK_POOL_AVERAGE_PADDED])
      var args = dlk_pool_args()
      (args.function, args.window, args.channels) = (function, test.window, Int64(test.channels))
      (args.x, args.x_pixels, args.y, args.y_pixels) = (test.image.pointer, test.x, y.base, test.y)
      kernels.pointee.pool(&args, 0, test.outRows)
      for pixel in 0..<test.outPixels {
        let (place, taps) = test.under(pixel)
        for c in 0..<test.channels {
          let values = taps.compactMap { $0 }.map { Double(test.image[$0 + c]) }
          let sum = values.reduce(0, +)
          let value: Double =
            switch function {
            case DLK_POOL_MAX: values.max() ?? -.infinity
            case DLK_POOL_AVERAGE: sum / Double(values.count)
            default: sum / Double(test.paddedSize(pixel))
            }
          let got = Double(y[place + c])
          if !(abs(got - value) <= 1e-5) && !(got == value) && !(got.isNaN && value.isNaN) {
            Issue.record("seed \(seed), \(test), \(function): pixel \(pixel) [\(c)] expected \(value), got \(got)")
            return
          }
        }
      }
    }
  }
}
