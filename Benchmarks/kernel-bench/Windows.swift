import CKernelSupport
import DLRTKernels

/// A square image under a square window.
struct ConvShape {
  var side, channels, n, kernel, stride: Int

  var out: Int { (side - 1) / stride + 1 }
  var window: dlk_window {
    let (side, out, kernel, stride, pad) = (
      Int64(side), Int64(out), Int64(kernel), Int64(stride), Int64((kernel - 1) / 2)
    )
    return dlk_window(
      in_d: 1, in_h: side, in_w: side, out_d: 1, out_h: out, out_w: out, kernel_d: 1, kernel_h: kernel,
      kernel_w: kernel,
      stride_d: 1, stride_h: stride, stride_w: stride, dilation_d: 1, dilation_h: 1, dilation_w: 1, pad_d: 0,
      pad_h: pad,
      pad_w: pad, pad_end_d: 0, pad_end_h: pad, pad_end_w: pad)
  }
  func pixels(_ side: Int, _ channels: Int) -> dlk_pixels {
    dlk_pixels(
      pixel_stride: Int64(channels), row_stride: Int64(side * channels), plane_stride: Int64(side * side * channels))
  }
}

func benchConvolution(_ kernels: Kernels, _ peak: Double) {
  let shapes = [
    ConvShape(side: 56, channels: 64, n: 64, kernel: 3, stride: 1),
    ConvShape(side: 28, channels: 128, n: 128, kernel: 3, stride: 1),
    ConvShape(side: 14, channels: 256, n: 256, kernel: 3, stride: 1),
    ConvShape(side: 7, channels: 512, n: 512, kernel: 3, stride: 1),
    ConvShape(side: 56, channels: 128, n: 128, kernel: 3, stride: 2),
    ConvShape(side: 14, channels: 512, n: 512, kernel: 3, stride: 2),
    ConvShape(side: 56, channels: 256, n: 512, kernel: 1, stride: 2),
    ConvShape(side: 224, channels: 64, n: 64, kernel: 3, stride: 1),
    ConvShape(side: 224, channels: 3, n: 32, kernel: 3, stride: 2),
    ConvShape(side: 224, channels: 3, n: 64, kernel: 7, stride: 2),
  ]
  for shape in shapes {
    let depth = shape.channels * shape.kernel * shape.kernel, outPixels = shape.out * shape.out
    let x = buffer(shape.side * shape.side * shape.channels), y = buffer(outPixels * shape.n), bias = buffer(shape.n)
    let packed = buffer(Int(kernels.pointee.packed_b_floats(Int64(depth), Int64(shape.n)))), zeros = buffer(depth)
    zeros.update(repeating: 0, count: depth)
    var args = dlk_conv_args()
    (args.window, args.channels, args.n) = (shape.window, Int64(shape.channels), Int64(shape.n))
    (args.x, args.x_pixels) = (UnsafePointer(x), shape.pixels(shape.side, shape.channels))
    (args.y, args.y_pixels) = (y, shape.pixels(shape.out, shape.n))
    (args.weights, args.padding, args.epilogue) = (UnsafePointer(packed), UnsafePointer(zeros), .plain)
    (args.epilogue.bias, args.epilogue.activation) = (UnsafePointer(bias), DLK_UNARY_RELU)
    let seconds = shortest { kernels.pointee.conv(&args, 0, Int64(outPixels), 0, panels(kernels, shape.n)) }
    let rate = Double(2 * outPixels * shape.n * depth) / seconds / 1e9
    var line = padded(
      "conv \(shape.side)² \(shape.channels)→\(shape.n) \(shape.kernel)×\(shape.kernel) /\(shape.stride)", 28)
    line += " \(fixed(seconds * 1e3, 3)) ms  \(fixed(rate)) GFLOP/s (\(fixed(100 * rate / peak, 0))%)"
    if shape.channels == 3 {
      let pad = (shape.kernel - 1) / 2, side = shape.side + 2 * pad
      let room = buffer(side * side * 3)
      var copy = dlk_copy_image_args(
        channels: 3, height: Int64(shape.side), width: Int64(shape.side), x: x,
        x_channel_stride: Int64(shape.side * shape.side), x_row_stride: Int64(shape.side), x_pixel_stride: 1,
        top: Int64(pad), left: Int64(pad), bottom: Int64(pad), right: Int64(pad), value: 0, y: room,
        y_row_stride: Int64(side * 3))
      let copying = shortest { kernels.pointee.copy_image(&copy, 0, Int64(side)) }
      (args.window.in_h, args.window.in_w, args.window.pad_h, args.window.pad_w) = (Int64(side), Int64(side), 0, 0)
      (args.x, args.x_pixels) = (UnsafePointer(room), shape.pixels(side, 3))
      let convolving = shortest { kernels.pointee.conv(&args, 0, Int64(outPixels), 0, panels(kernels, shape.n)) }
      let rate = Double(2 * outPixels * shape.n * depth) / convolving / 1e9
      line +=
        "; padded copy \(fixed(copying * 1e6)) µs + \(fixed(convolving * 1e3, 3)) ms (\(fixed(100 * rate / peak, 0))%)"
    }
    print(line)
  }
}

func benchDepthwise(_ kernels: Kernels, _ peak: Double) {
  let shapes = [
    (112, 32, 3, 1), (112, 96, 3, 2), (56, 144, 3, 1), (28, 192, 3, 1), (14, 384, 3, 1), (14, 576, 3, 1),
    (7, 960, 3, 1),
    (56, 144, 5, 2), (28, 240, 5, 1), (14, 480, 5, 1), (56, 96, 7, 1), (14, 384, 7, 1), (7, 768, 7, 1), (32, 768, 7, 1),
    (56, 96, 7, 2), (32, 256, 9, 1),
  ]
  for (side, channels, kernel, stride) in shapes {
    let shape = ConvShape(side: side, channels: channels, n: channels, kernel: kernel, stride: stride)
    let x = buffer(side * side * channels), y = buffer(shape.out * shape.out * channels)
    let weights = buffer(kernel * kernel * channels), bias = buffer(channels)
    var args = dlk_depthwise_args()
    (args.window, args.channels, args.group, args.inputs) = (shape.window, Int64(channels), 1, 1)
    (args.x, args.x_pixels) = (UnsafePointer(x), shape.pixels(side, channels))
    (args.y, args.y_pixels) = (y, shape.pixels(shape.out, channels))
    args.weight_stride = Int64(channels)
    (args.weights, args.bias, args.activation, args.b) = (
      UnsafePointer(weights), UnsafePointer(bias), DLK_UNARY_CLIP, 6
    )
    let seconds = shortest { kernels.pointee.depthwise(&args, 0, Int64(shape.out)) }
    let rate = Double(2 * shape.out * shape.out * channels * kernel * kernel) / seconds / 1e9
    print(
      padded("depthwise \(side)² \(channels) \(kernel)×\(kernel) /\(stride)", 28),
      "\(fixed(seconds * 1e6)) µs  \(fixed(rate)) GFLOP/s (\(fixed(100 * rate / peak, 0))%)")
  }
}

func benchLayout(_ kernels: Kernels, _ peak: Double) {
  for (rows, columns) in [(3, 50176), (64, 3136), (256, 196), (3136, 64), (768, 768)] {
    let x = buffer(rows * columns), y = buffer(rows * columns)
    for bytes in [4, 1] {
      var args = dlk_transpose_args(
        rows: Int64(rows), columns: Int64(columns), element_bytes: Int64(bytes), x: x, x_row_stride: Int64(columns),
        y: y,
        y_row_stride: Int64(rows), fills: 0)
      let seconds = shortest { kernels.pointee.transpose(&args, 0, Int64(rows), 0, Int64(columns)) }
      let rate = Double(2 * bytes * rows * columns) / seconds / 1e9
      print("transpose \(rows)×\(columns), \(bytes) bytes: \(fixed(rate)) GB/s")
    }
  }
  let shape = ConvShape(side: 112, channels: 64, n: 64, kernel: 3, stride: 2)
  let x = buffer(112 * 112 * 64), y = buffer(56 * 56 * 64)
  for (name, function) in [("max", DLK_POOL_MAX), ("average", DLK_POOL_AVERAGE)] {
    var args = dlk_pool_args(
      function: function, window: shape.window, channels: 64, x: x, x_pixels: shape.pixels(112, 64), y: y,
      y_pixels: shape.pixels(56, 64), x_ring: 0)
    print("\(name) pool 112² 64 3×3 /2: \(fixed(shortest { kernels.pointee.pool(&args, 0, 56) } * 1e6)) µs")
  }
}
