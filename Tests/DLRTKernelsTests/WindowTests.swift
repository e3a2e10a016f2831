import CKernelSupport
import DLRTKernels
import Testing

/// A random window over a random image.
struct WindowCase: CustomStringConvertible {
  var window = dlk_window()
  var channels: Int
  var x, y: dlk_pixels
  let image: Guarded<Float>

  /// - Parameters:
  ///   - slides: the window is three wide, over a plane, and goes on by one pixel and one row.
  ///   - deep: so many channels, under a window of three by three that has some forty places, one run of memory.
  ///   - height: of the window.
  ///   - tall: the addresses of all windows do not fit into the driver's memory at once, even if none is in the padding.
  init(
    _ random: inout SeededGenerator, outputs: Int? = nil, pads: Bool = true, dense: Bool = false, slides: Bool = false,
    deep: Int? = nil, tall: Bool = false, height: Int? = nil
  ) {
    let isDeep = deep != nil
    channels =
      deep ?? random.pick(slides ? [1, 4, 17, 33, 64, 250] : tall ? [1, 3, 5] : [1, 3, 4, 16, 17, 20, 33, 64])
    func axis(_ size: Int? = nil) -> (Int64, Int64, Int64, Int64, Int64, Int64, Int64) {
      let kernel = isDeep ? 3 : size ?? random.pick([1, 1, 2, 3, 3, 5, 7])
      let stride = slides ? 1 : random.int(1...(isDeep ? 2 : 3)), dilation = slides ? 1 : random.pick([1, 1, 2])
      let reach = (kernel - 1) * dilation + 1
      let pad = pads ? random.int(0...min(3, reach - 1)) : 0, padEnd = pads ? random.int(0...min(3, reach - 1)) : 0
      let input =
        max(1, reach - pad - padEnd) + (isDeep ? 5 * stride + 1 : random.int(0...random.pick([9, 9, 9, 25])))
      let output = (input + pad + padEnd - reach) / stride + 1
      return (Int64(input), Int64(output), Int64(kernel), Int64(stride), Int64(dilation), Int64(pad), Int64(padEnd))
    }
    func long(_ kernel: Int, _ output: Int) -> (Int64, Int64, Int64, Int64, Int64, Int64, Int64) {
      let stride = random.int(1...2), pad = pads ? random.int(0...1) : 0, padEnd = pads ? random.int(0...1) : 0
      let input = max(1, (output - 1) * stride + kernel - pad - padEnd)
      return (
        Int64(input), Int64((input + pad + padEnd - kernel) / stride + 1), Int64(kernel), Int64(stride), 1, Int64(pad),
        Int64(padEnd)
      )
    }
    var (w, h) = (axis(slides ? 3 : nil), axis(height))
    if tall {
      let across = random.pick([4, 6, 10, 12, 34]), lines = random.pick([1, 1, 3])
      (w, h) = (long(random.pick([1, 3]), across), long(lines, 2300 / lines / across))
    }
    (window.in_w, window.out_w, window.kernel_w, window.stride_w, window.dilation_w, window.pad_w, window.pad_end_w) = w
    (window.in_h, window.out_h, window.kernel_h, window.stride_h, window.dilation_h, window.pad_h, window.pad_end_h) = h
    (window.in_d, window.out_d, window.kernel_d, window.stride_d, window.dilation_d) = (1, 1, 1, 1, 1)
    if !slides, !isDeep, !tall, random.int(0...3) == 0 {
      (window.in_d, window.out_d, window.kernel_d, window.pad_d, window.pad_end_d) = (3, 3, 3, 1, 1)
    }
    // A plane of windows wholly in the padding.
    if slides, random.int(0...5) == 0 { (window.pad_d, window.stride_d) = (1, 2) }
    let gap = dense ? 0 : random.int(0...2), rowGap = dense ? 0 : random.int(0...1) * 5
    x = Self.layout(channels + gap, window.in_w, window.in_h, rowGap)
    y = Self.layout(
      (outputs ?? channels) + random.int(0...2), window.out_w, window.out_h,
      isDeep || tall ? 0 : random.int(0...1) * 7)
    let count =
      Self.place(window.in_d - 1, window.in_h - 1, window.in_w - 1, x) + channels
    image = Guarded(random: count, &random)
  }

  /// Gives outputs so many channels.
  mutating func makeRoom(outputs: Int) {
    y = Self.layout(outputs + Int(y.pixel_stride) % 3, window.out_w, window.out_h, Int(y.row_stride) % 2 * 7)
  }

  private static func layout(_ stride: Int, _ width: Int64, _ height: Int64, _ gap: Int) -> dlk_pixels {
    let row = Int64(stride) * width + Int64(gap)
    return dlk_pixels(pixel_stride: Int64(stride), row_stride: row, plane_stride: row * height)
  }

  static func place(_ z: Int64, _ y: Int64, _ x: Int64, _ pixels: dlk_pixels) -> Int {
    Int(z * pixels.plane_stride + y * pixels.row_stride + x * pixels.pixel_stride)
  }

  var taps: Int { Int(window.kernel_d * window.kernel_h * window.kernel_w) }
  var outPixels: Int { Int(window.out_d * window.out_h * window.out_w) }
  var outRows: Int64 { window.out_d * window.out_h }

  var description: String { "\(window) channels \(channels) x \(x) y \(y)" }

  /// Output pixel number `pixel` in y, and for each tap in order the place of the pixel under it in x, if there is one.
  func under(_ pixel: Int) -> (place: Int, taps: [Int?]) {
    let pixel = Int64(pixel)
    let (oz, oy, ox) = (
      pixel / window.out_w / window.out_h, pixel / window.out_w % window.out_h, pixel % window.out_w
    )
    var taps: [Int?] = []
    for kz in 0..<window.kernel_d {
      for ky in 0..<window.kernel_h {
        for kx in 0..<window.kernel_w {
          let z = oz * window.stride_d - window.pad_d + kz * window.dilation_d
          let y = oy * window.stride_h - window.pad_h + ky * window.dilation_h
          let x = ox * window.stride_w - window.pad_w + kx * window.dilation_w
          let isInside =
            (0..<window.in_d).contains(z) && (0..<window.in_h).contains(y) && (0..<window.in_w).contains(x)
          taps.append(isInside ? Self.place(z, y, x, self.x) : nil)
        }
      }
    }
    return (Self.place(oz, oy, ox, y), taps)
  }

  /// Taps of the window of `pixel` inside the padded image.
  func paddedSize(_ pixel: Int) -> Int {
    let pixel = Int64(pixel)
    func axis(_ out: Int64, _ stride: Int64, _ kernel: Int64, _ dilation: Int64, _ input: Int64) -> Int {
      (0..<kernel).filter { out * stride + $0 * dilation < input }.count
    }
    return axis(
      pixel % window.out_w, window.stride_w, window.kernel_w, window.dilation_w,
      window.in_w + window.pad_w + window.pad_end_w)
      * axis(
        pixel / window.out_w % window.out_h, window.stride_h, window.kernel_h, window.dilation_h,
        window.in_h + window.pad_h + window.pad_end_h)
      * axis(
        pixel / window.out_w / window.out_h, window.stride_d, window.kernel_d, window.dilation_d,
        window.in_d + window.pad_d + window.pad_end_d)
  }

  func output(_ n: Int) -> Guarded<Float> {
    Guarded(Self.place(window.out_d - 1, window.out_h - 1, window.out_w - 1, y) + n) { _ in -77 }
  }
}

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
  func depthwiseMatchesNaive(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<320 {
      var random = SeededGenerator(seed)
      var test = WindowCase(&random, slides: seed % 3 == 0)
      let wanted = random.pick([1, 1, 2, 4, 8, 16])
      let group = Int(kernels.pointee.vector_floats) % wanted == 0 ? wanted : 1
      var inputs = seed % 4 == 3 ? random.int(1...group) : group
      if test.channels % inputs != 0 { inputs = 1 }
      let channels = test.channels / inputs * group
      test.makeRoom(outputs: channels)
      let weights = Guarded(random: test.taps * inputs * channels, &random), bias = Guarded(random: channels, &random)
      let y = test.output(channels)
      var args = dlk_depthwise_args()
      (args.window, args.channels, args.group, args.inputs) = (
        test.window, Int64(channels), Int64(group), Int64(inputs)
      )
      (args.x, args.x_pixels, args.y, args.y_pixels) = (test.image.pointer, test.x, y.base, test.y)
      (args.weights, args.a, args.b) = (weights.pointer, -0.5, 0.5)
      args.activation = random.pick([DLK_UNARY_IDENTITY, DLK_UNARY_CLIP, DLK_UNARY_HARD_SWISH])
      let hasBias = random.int(0...1) == 1
      if hasBias { args.bias = bias.pointer }
      let middle = Int64(random.int(0...Int(test.outRows)))
      kernels.pointee.depthwise(&args, 0, middle)
      kernels.pointee.depthwise(&args, middle, test.outRows)
      for pixel in 0..<test.outPixels {
        let (place, taps) = test.under(pixel)
        for c in 0..<channels {
          var sum = hasBias ? Double(bias[c]) : 0
          for (tap, from) in taps.enumerated() {
            guard let from else { continue }
            for k in 0..<inputs {
              let x = Double(test.image[from + c / group * inputs + k])
              sum += x * Double(weights[(tap * inputs + k) * channels + c])
            }
          }
          let value = exact(args.activation, -0.5, 0.5, Float(sum)), got = Double(y[place + c])
          if !(abs(got - value) <= 2e-5) {
            Issue.record("seed \(seed), \(test): pixel \(pixel) [\(c)] expected \(value), got \(got)")
            return
          }
        }
      }
    }
  }

  /// Rows kept in a ring, of which each output row needs the last few, give what the whole image gives.
  @Test(arguments: KernelLibrary.available)
  func windowsReadARingOfRows(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<160 {
      var random = SeededGenerator(seed)
      let isPool = seed % 4 == 3, tallest = seed < 140 || isPool ? nil : random.pick([9, 16, 31, 32])
      var test = WindowCase(&random, slides: !isPool && seed % 2 == 0, height: tallest)
      (test.window.in_d, test.window.out_d, test.window.kernel_d) = (1, 1, 1)
      (test.window.pad_d, test.window.pad_end_d) = (0, 0)
      let weights = Guarded(random: test.taps * test.channels, &random)
      let function = random.pick([DLK_POOL_MAX, DLK_POOL_AVERAGE, DLK_POOL_AVERAGE_PADDED])
      let run = { [test] (x: UnsafePointer<Float>, ring: Int, y: UnsafeMutablePointer<Float>, from: Int64, to: Int64) in
        if isPool {
          var args = dlk_pool_args()
          (args.function, args.window, args.channels) = (function, test.window, Int64(test.channels))
          (args.x, args.x_ring, args.x_pixels, args.y, args.y_pixels) = (x, Int64(ring), test.x, y, test.y)
          kernels.pointee.pool(&args, from, to)
        } else {
          var args = dlk_depthwise_args()
          (args.window, args.channels, args.group, args.inputs) = (test.window, Int64(test.channels), 1, 1)
          (args.x, args.x_ring, args.x_pixels, args.y, args.y_pixels) = (x, Int64(ring), test.x, y, test.y)
          args.weights = weights.pointer
          kernels.pointee.depthwise(&args, from, to)
        }
      }
      let expected = test.output(test.channels), y = test.output(test.channels)
      run(test.image.pointer, 0, expected.base, 0, test.window.out_h)
      // A few rows at a time.
      let band = Int64(random.int(1...4))
      let extent = (test.window.kernel_h - 1) * test.window.dilation_h + 1
      let rows = Int(extent + (band - 1) * test.window.stride_h) + random.int(0...2)
      let rowFloats = Int(test.x.row_stride),
        width = Int(test.window.in_w - 1) * Int(test.x.pixel_stride) + test.channels
      let ring = Guarded<Float>((rows - 1) * rowFloats + width) { _ in .nan }
      for row in stride(from: 0, to: test.window.out_h, by: Int(band)) {
        let end = min(row + band, test.window.out_h)
        let first = row * test.window.stride_h - test.window.pad_h
        for line in max(0, first)..<max(0, min(test.window.in_h, first + Int64(rows))) {
          for i in 0..<width { ring.base[Int(line) % rows * rowFloats + i] = test.image[Int(line) * rowFloats + i] }
        }
        run(ring.pointer, rows, y.base, row, end)
      }
      for i in 0..<y.count where y[i].bitPattern != expected[i].bitPattern {
        Issue.record("seed \(seed), \(test): [\(i)] expected \(expected[i]), got \(y[i])")
        return
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
