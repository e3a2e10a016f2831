import CKernelSupport

extension ConvolutionGeometry {
  /// What the kernels take: up to three axes, of which leading ones may be missing.
  package static let mostKernelAxes = 3

  /// The window in the kernels' form; only for at most three axes.
  package var kernelWindow: dlk_window {
    let axes = Array(repeating: .single, count: max(0, Self.mostKernelAxes - axes.count)) + axes
    let (d, h, w) = (axes[0], axes[1], axes[2])
    return dlk_window(
      in_d: Int64(d.input), in_h: Int64(h.input), in_w: Int64(w.input), out_d: Int64(d.output), out_h: Int64(h.output),
      out_w: Int64(w.output), kernel_d: Int64(d.kernel), kernel_h: Int64(h.kernel), kernel_w: Int64(w.kernel),
      stride_d: Int64(d.stride), stride_h: Int64(h.stride), stride_w: Int64(w.stride), dilation_d: Int64(d.dilation),
      dilation_h: Int64(h.dilation), dilation_w: Int64(w.dilation), pad_d: Int64(d.padBegin), pad_h: Int64(h.padBegin),
      pad_w: Int64(w.padBegin), pad_end_d: Int64(d.padEnd), pad_end_h: Int64(h.padEnd), pad_end_w: Int64(w.padEnd))
  }

  /// Output rows, counted over planes.
  package var outputRows: Int { axes.dropLast().reduce(1) { $0 &* $1.output } }
}

extension WindowAxis {
  /// An axis that is not there.
  static let single = WindowAxis(input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, padBegin: 0, padEnd: 0)
}

extension dlk_pixels {
  /// Dense pixels of an image with the given spatial sizes.
  init(_ spatial: [Int], pixelStride: Int) {
    let row = pixelStride &* (spatial.last ?? 1)
    let height = spatial.count > 1 ? spatial[spatial.count - 2] : 1
    self.init(
      pixel_stride: Int64(pixelStride), row_stride: Int64(row), plane_stride: Int64(row &* height))
  }
}
