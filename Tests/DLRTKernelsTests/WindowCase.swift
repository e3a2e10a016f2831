import CKernelSupport
import DLRTKernels

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
  ///   - wide: the window has so many taps across, and `height` down, over a plane, and any padding.
  ///   - tall: the addresses of all windows do not fit into the driver's memory at once, even if none is in the padding.
  init(
    _ random: inout SeededGenerator, outputs: Int? = nil, pads: Bool = true, dense: Bool = false, slides: Bool = false,
    deep: Int? = nil, tall: Bool = false, wide: Int? = nil,
    height: Int? = nil
  ) {
    let isDeep = deep != nil
    channels =
      deep ?? random.pick(slides ? [1, 4, 17, 33, 64, 250] : tall ? [1, 3, 5] : [1, 3, 4, 16, 17, 20, 33, 64])
    func axis(_ size: Int? = nil) -> (Int64, Int64, Int64, Int64, Int64, Int64, Int64) {
      let kernel = isDeep ? 3 : size ?? random.pick([1, 1, 2, 3, 3, 5, 7])
      let stride = slides ? 1 : random.int(1...(isDeep ? 2 : 3)), dilation = slides ? 1 : random.pick([1, 1, 2])
      let reach = (kernel - 1) * dilation + 1
      let most = wide == nil ? min(3, reach - 1) : reach - 1
      let pad = pads ? random.int(0...most) : 0, padEnd = pads ? random.int(0...most) : 0
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
    var (w, h) = (axis(slides ? 3 : wide), axis(height))
    if tall {
      let across = random.pick([4, 6, 10, 12, 34]), lines = random.pick([1, 1, 3])
      (w, h) = (long(random.pick([1, 3]), across), long(lines, 2300 / lines / across))
    }
    (window.in_w, window.out_w, window.kernel_w, window.stride_w, window.dilation_w, window.pad_w, window.pad_end_w) = w
    (window.in_h, window.out_h, window.kernel_h, window.stride_h, window.dilation_h, window.pad_h, window.pad_end_h) = h
    (window.in_d, window.out_d, window.kernel_d, window.stride_d, window.dilation_d) = (1, 1, 1, 1, 1)
    if !slides, !isDeep, !tall, wide == nil, random.int(0...3) == 0 {
      (window.in_d, window.out_d, window.kernel_d, window.pad_d, window.pad_end_d) = (3, 3, 3, 1, 1)
    }
    // A plane of windows wholly in the padding.
    if slides, random.int(0...5) == 0 { (window.pad_d, window.stride_d) = (1, 2) }
    let gap = dense ? 0 : random.int(0...2), rowGap = dense ? 0 : random.int(0...1) * 5
    x = Self.layout(channels + gap, window.in_w, window.in_h, rowGap)
    y = Self.layout(
      (outputs ?? channels) + random.int(0...2), window.out_w, window.out_h,
      tall ? 0 : random.int(0...1) * 7)
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
    return dlk_pixels(pixel_stride: Int64(stride), row_stride: row, plane_stride: row * height + 3 * Int64(gap))
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
