import CKernelSupport
import DLRTKernels
import Testing

@Suite struct DepthwiseTests {
  /// Across and down.
  private static let windowsOfManyTaps = [
    (7, 7), (9, 9), (11, 11), (13, 5), (5, 7), (6, 6), (27, 1), (1, 31), (64, 1), (2, 16), (12, 13), (65, 1), (19, 19),
  ]

  @Test(arguments: KernelLibrary.available)
  func convolutionMatchesNaive(isa: ISA) {
    for seed in 0..<320 {
      var random = SeededGenerator(seed)
      let test = WindowCase(&random, slides: seed % 3 == 0)
      let group = random.pick([1, 1, 2, 4, 8, 16])
      if !matchesNaive(test, isa, seed, group: group, &random) { return }
    }
  }

  @Test(arguments: KernelLibrary.available)
  func windowsOfManyTapsMatchNaive(isa: ISA) {
    for seed in 0..<104 {
      var random = SeededGenerator(seed)
      let (across, down) = Self.windowsOfManyTaps[seed % Self.windowsOfManyTaps.count]
      let test = WindowCase(&random, wide: across, height: down)
      let group = random.pick([1, 1, 2, 4, 8, 16])
      if !matchesNaive(test, isa, seed, group: group, inputs: 1, &random) { return }
    }
  }

  /// - Parameters:
  ///   - group: channels that a group makes, if a vector holds whole groups.
  ///   - inputs: channels that it reads; most often as many where it is not said.
  private func matchesNaive(
    _ test: WindowCase, _ isa: ISA, _ seed: Int, group: Int, inputs: Int? = nil, _ random: inout SeededGenerator
  ) -> Bool {
    let kernels = KernelLibrary.table(for: isa)
    var test = test
    let group = Int(kernels.pointee.vector_floats) % group == 0 ? group : 1
    var inputs = inputs ?? (seed % 4 == 3 ? random.int(1...group) : group)
    if test.channels % inputs != 0 { inputs = 1 }
    let channels = test.channels / inputs * group, stride = channels + random.int(0...3)
    test.makeRoom(outputs: channels)
    let rows = test.taps * inputs
    let weights = Guarded(random: (rows - 1) * stride + channels, &random), bias = Guarded(random: channels, &random)
    let y = test.output(channels)
    var args = dlk_depthwise_args()
    (args.window, args.channels, args.group, args.inputs) = (test.window, Int64(channels), Int64(group), Int64(inputs))
    (args.x, args.x_pixels, args.y, args.y_pixels) = (test.image.pointer, test.x, y.base, test.y)
    (args.weights, args.weight_stride, args.a, args.b) = (weights.pointer, Int64(stride), -0.5, 0.5)
    args.activation = random.pick([DLK_UNARY_IDENTITY, DLK_UNARY_CLIP, DLK_UNARY_HARD_SWISH])
    let hasBias = random.int(0...1) == 1
    if hasBias { args.bias = bias.pointer }
    let middle = Int64(random.int(0...Int(test.outRows)))
    kernels.pointee.depthwise(&args, 0, middle)
    kernels.pointee.depthwise(&args, middle, test.outRows)
    let tolerance = max(2e-5, 3e-7 * Double(test.taps))
    for pixel in 0..<test.outPixels {
      let (place, taps) = test.under(pixel)
      for c in 0..<channels {
        var sum = hasBias ? Double(bias[c]) : 0
        for (tap, from) in taps.enumerated() {
          guard let from else { continue }
          for k in 0..<inputs {
            sum += Double(test.image[from + c / group * inputs + k]) * Double(weights[(tap * inputs + k) * stride + c])
          }
        }
        let value = exact(args.activation, -0.5, 0.5, Float(sum)), got = Double(y[place + c])
        if !(abs(got - value) <= tolerance) {
          Issue.record("seed \(seed), \(test): pixel \(pixel) [\(c)] expected \(value), got \(got)")
          return false
        }
      }
    }
    return true
  }

  /// Rows kept in a ring, of which each output row needs the last few, give what the whole image gives.
  @Test(arguments: KernelLibrary.available)
  func windowsReadARingOfRows(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<160 {
      var random = SeededGenerator(seed)
      let isPool = seed % 4 == 3, tallest = seed < 140 || isPool ? nil : random.pick([9, 16, 31, 32])
      let wide = seed < 140 || isPool ? nil : random.pick([2, 5, 7, 9])
      var test = WindowCase(&random, slides: !isPool && seed % 2 == 0, wide: wide, height: tallest)
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
          (args.weights, args.weight_stride) = (weights.pointer, args.channels)
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
}
