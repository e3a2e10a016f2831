import CKernelSupport
import DLRTGraph

extension ConvolutionProblem {
  /// Whether the kernel for groups narrower than a vector takes the convolution.
  func hasNarrowGroups(_ kernels: KernelSet) -> Bool {
    guard groups > 1, inputChannels == outputChannels, [2, 4, 8].contains(inputChannels),
      inputChannels < Int(kernels.table.pointee.vector_floats),
      geometry.axes.count <= ConvolutionGeometry.mostKernelAxes, let across = geometry.axes.last
    else { return false }
    return across.kernel == 3 && across.stride <= 2 && across.dilation == 1
  }
}

extension PixelConvolution {
  func narrowGroups(_ weights: TensorStorage?, _ packing: WeightPacking) -> Step {
    let geometry = problem.geometry
    let (rows, channels) = (geometry.outputRows, outputChannels)
    let chunks = Chunks(
      problem.batch &* rows, cost: Double(problem.flops) / Double(max(problem.batch &* rows, 1)) / 100)
    let (inputSize, outputSize) = (geometry.inputSize &* channels, geometry.outputSize &* channels)
    let window = geometry.kernelWindow
    let (xPixels, yPixels) = (
      dlk_pixels(geometry.input, pixelStride: channels), dlk_pixels(geometry.output, pixelStride: channels)
    )
    return Step(kernel: name("narrow-groups"), workspace: weights == nil ? packing.bytes : 0) { io in
      let (x, y) = (io.input(0, as: Float.self), io.output(0, as: Float.self))
      var args = dlk_narrow_groups_args()
      args.window = window
      args.group = Int64(problem.inputChannels)
      args.channels = Int64(channels)
      args.x_pixels = xPixels
      args.y_pixels = yPixels
      args.weights = packing.weights(weights, io, at: io.workspace)
      args.bias = io.hasInput(2) ? io.input(2, as: Float.self) : nil
      args.activation = op.activation.function
      args.a = op.activation.a
      args.b = op.activation.b
      io.parallel(chunks) { range in
        // A chunk may end within the next image.
        var row = range.lowerBound
        while row < range.upperBound {
          let image = row / rows
          let end = min(range.upperBound, (image &+ 1) &* rows)
          var own = args
          own.x = x + image &* inputSize
          own.y = y + image &* outputSize
          kernels.table.pointee.narrow_groups(&own, Int64(row &- image &* rows), Int64(end &- image &* rows))
          row = end
        }
      }
    }
  }
}
