import CKernelSupport

/// Copies images of few channels into rows that hold their padding, so that each row under a window is a single run of
/// memory.
struct ImageCopy: Sendable {
  private let channels: Int
  private let images: Int
  private let down: WindowAxis
  private let across: WindowAxis
  private let isChannelsFirst: Bool
  private let height: Int
  private let width: Int

  /// - Parameter problem: one group, at most two axes.
  init(_ problem: ConvolutionProblem, isChannelsFirst: Bool) throws {
    let axes = problem.geometry.axes
    try WindowAxis.checkCopy(axes, images: problem.batch, pixelBytes: problem.inputChannels &* 4)
    channels = problem.inputChannels
    images = problem.batch
    down = axes.count > 1 ? axes[0] : .single
    across = axes[axes.count - 1]
    self.isChannelsFirst = isChannelsFirst
    height = down.paddedSize
    width = across.paddedSize
  }

  /// Of one image.
  var floats: Int { (height &* width &* channels &+ 15) & ~15 }
  var bytes: Int { floats &* 4 }
  var rowFloats: Int { width &* channels }
  var pixels: dlk_pixels { dlk_pixels([height, width], pixelStride: channels) }

  /// The window over the copy, which has no padding.
  var window: dlk_window {
    ConvolutionGeometry([down.inside(height), across.inside(width)]).kernelWindow
  }

  /// All images.
  func run(
    _ io: borrowing StepIO, _ kernels: KernelSet, _ x: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>
  ) {
    let chunks = Chunks(height, cost: Double(width &* channels) * 0.3)
    for image in 0..<images {
      let args = arguments(x, image, to: target + image &* floats)
      io.parallel(chunks) { range in
        var copy = args
        kernels.table.pointee.copy_image(&copy, Int64(range.lowerBound), Int64(range.upperBound))
      }
    }
  }

  /// Rows of the copy of one image, into memory for as many.
  func run(
    _ rows: Range<Int>, _ kernels: KernelSet, _ x: UnsafePointer<Float>, _ image: Int,
    _ target: UnsafeMutablePointer<Float>
  ) {
    // The kernel counts rows over the whole copy.
    var args = arguments(x, image, to: target - rows.lowerBound &* width &* channels)
    kernels.table.pointee.copy_image(&args, Int64(rows.lowerBound), Int64(rows.upperBound))
  }

  private func arguments(
    _ x: UnsafePointer<Float>, _ image: Int, to target: UnsafeMutablePointer<Float>
  ) -> dlk_copy_image_args {
    let plane = down.input &* across.input
    var args = dlk_copy_image_args()
    args.channels = Int64(channels)
    args.height = Int64(down.input)
    args.width = Int64(across.input)
    args.x_channel_stride = isChannelsFirst ? Int64(plane) : 1
    args.x_pixel_stride = isChannelsFirst ? 1 : Int64(channels)
    args.x_row_stride = Int64(across.input) &* args.x_pixel_stride
    args.top = Int64(down.padBegin)
    args.left = Int64(across.padBegin)
    args.bottom = Int64(height &- down.padBegin &- down.input)
    args.right = Int64(width &- across.padBegin &- across.input)
    args.y_row_stride = Int64(width &* channels)
    args.x = x + image &* plane &* channels
    args.y = target
    return args
  }
}
