import CKernelSupport
import DLRTKernels

/// The AVX-512 level has no tiles of 6 × 6.
func winogradTiles(_ kernels: Kernels) -> [Int] { kernels.pointee.vector_floats == 16 ? [2, 4] : [2, 4, 6] }

func benchWinograd(_ kernels: Kernels, _ peak: Double) {
  for (side, channels, n) in [
    (224, 64, 64), (112, 128, 128), (56, 64, 64), (56, 256, 256), (28, 128, 128), (28, 512, 512), (14, 256, 256),
    (14, 512, 512),
    (7, 512, 512), (256, 32, 32), (256, 64, 64), (64, 128, 128), (55, 16, 64),
  ] {
    var line = padded("winograd \(side)² \(channels)→\(n)", 26)
    let shape = ConvShape(side: side, channels: channels, n: n, kernel: 3, stride: 1)
    let x = buffer(side * side * channels), y = buffer(side * side * n), bias = buffer(n), zeros = buffer(channels)
    zeros.update(repeating: 0, count: channels)
    let flops = Double(2 * side * side * n * channels * 9)
    for tile in winogradTiles(kernels) {
      let packed = buffer(Int(kernels.pointee.packed_winograd_floats(Int64(tile), Int64(channels), Int64(n))))
      let across = (side + tile - 1) / tile, block = min(Int64(across * across), dlk_winograd_block(Int64(tile)))
      let workspace = buffer(
        Int(kernels.pointee.winograd_workspace_floats(Int64(tile), block, Int64(channels), Int64(n))))
      var args = dlk_winograd_args()
      (args.tile, args.images, args.channels, args.n) = (Int64(tile), 1, Int64(channels), Int64(n))
      (args.kernel_d, args.in_d, args.out_d, args.stride_d, args.dilation_d) = (1, 1, 1, 1, 1)
      (args.in_h, args.in_w, args.out_h, args.out_w) = (Int64(side), Int64(side), Int64(side), Int64(side))
      (args.pad_h, args.pad_w, args.x, args.y) = (1, 1, UnsafePointer(x), y)
      (args.x_pixels, args.y_pixels) = (shape.pixels(side, channels), shape.pixels(side, n))
      (args.weights, args.padding, args.workspace) = (UnsafePointer(packed), UnsafePointer(zeros), workspace)
      args.epilogue = .plain
      (args.epilogue.bias, args.epilogue.activation) = (UnsafePointer(bias), DLK_UNARY_RELU)
      args.block = block
      let seconds = shortest { kernels.pointee.winograd(&args, 0, Int64(across * across), 0, panels(kernels, n)) }
      let rate = flops / seconds / 1e9
      line += "  F\(tile) \(fixed(seconds * 1e3, 3)) ms, \(fixed(rate)) GFLOP/s (\(fixed(100 * rate / peak, 0))%)"
    }
    print(line)
  }
}
