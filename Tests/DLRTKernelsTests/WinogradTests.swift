import CKernelSupport
import DLRTKernels
import Testing

@Suite struct WinogradTests {
  @Test(arguments: KernelLibrary.available, [2, 4, 6])
  func winogradMatchesNaive(isa: ISA, tile: Int) {
    let kernels = KernelLibrary.table(for: isa)
    if tile == 6, kernels.pointee.vector_floats == 16 { return }
    for seed in 0..<40 {
      var random = SeededGenerator(seed)
      let (images, inH, inW) = (random.int(1...2), random.int(1...11), random.int(1...30))
      let (padH, padW, endH, endW) = (random.int(1...2), random.int(1...2), random.int(1...2), random.int(0...1))
      let (outH, outW) = (inH + padH + endH - 2, inW + padW + endW - 2)
      // Half of the windows are planar.
      let isDeep = random.int(0...1) == 1
      let (inD, kernelD) = isDeep ? (random.int(1...4), random.int(1...3)) : (1, 1)
      let (strideD, dilationD) = isDeep ? (random.int(1...2), random.int(1...2)) : (1, 1)
      let (padD, endD) = isDeep ? (random.int(0...2), random.int(0...2)) : (0, 0)
      let roomD = inD + padD + endD - (kernelD - 1) * dilationD - 1
      guard outH > 0, outW > 0, roomD >= 0 else { continue }
      let outD = roomD / strideD + 1
      let (channels, n) = (random.pick([1, 3, 16, 20, 33]), random.pick([1, 8, 16, 24, 64, 70]))
      let (xStride, yStride) = (channels + random.int(0...2), n + random.int(0...2))
      let xRow = inW * xStride + random.int(0...1) * 3, yRow = outW * yStride + random.int(0...1) * 5
      let x = Guarded(random: (images * inD * inH - 1) * xRow + (inW - 1) * xStride + channels, &random)
      let weights = Guarded(random: n * channels * kernelD * 9, &random), bias = Guarded(random: n, &random)
      let addend = Guarded(random: images * outD * outH * outW * n, &random)
      let y = Guarded<Float>((images * outD * outH - 1) * yRow + (outW - 1) * yStride + n) { _ in -77 }
      let padding = Guarded<Float>(channels) { _ in 0 }
      let packed = Guarded<Float>(
        Int(kernels.pointee.packed_winograd_floats(Int64(tile), Int64(kernelD * channels), Int64(n)))
      ) { _ in .nan }
      var pack = dlk_pack_winograd_args(
        source: weights.pointer, tile: Int64(tile), planes: Int64(kernelD), channels: Int64(channels), n: Int64(n),
        packed: packed.base)
      let panel = Int64(kernels.pointee.gemm_panel), panels = (Int64(n) + panel - 1) / panel
      kernels.pointee.pack_winograd(&pack, 0, panels)
      let block = Int64(random.int(1...Int(dlk_winograd_block(Int64(tile)))))
      let workspace = Guarded<Float>(
        Int(kernels.pointee.winograd_workspace_floats(Int64(tile), block, Int64(kernelD * channels), Int64(n)))
      ) { _ in .nan }

      var args = dlk_winograd_args()
      (args.tile, args.images, args.channels, args.n) = (Int64(tile), Int64(images), Int64(channels), Int64(n))
      args.block = block
      (args.in_h, args.in_w, args.out_h, args.out_w) = (Int64(inH), Int64(inW), Int64(outH), Int64(outW))
      (args.pad_h, args.pad_w) = (Int64(padH), Int64(padW))
      (args.kernel_d, args.in_d, args.out_d) = (Int64(kernelD), Int64(inD), Int64(outD))
      (args.stride_d, args.dilation_d, args.pad_d) = (Int64(strideD), Int64(dilationD), Int64(padD))
      (args.x, args.x_image_stride) = (x.pointer, Int64(inD * inH * xRow))
      args.x_pixels = dlk_pixels(pixel_stride: Int64(xStride), row_stride: Int64(xRow), plane_stride: Int64(inH * xRow))
      (args.y, args.y_image_stride) = (y.base, Int64(outD * outH * yRow))
      args.y_pixels = dlk_pixels(
        pixel_stride: Int64(yStride), row_stride: Int64(yRow), plane_stride: Int64(outH * yRow))
      (args.weights, args.padding, args.workspace) = (packed.pointer, padding.pointer, workspace.base)
      args.epilogue = .plain
      args.epilogue.bias = bias.pointer
      args.epilogue.activation = random.pick([DLK_UNARY_IDENTITY, DLK_UNARY_RELU, DLK_UNARY_TANH])
      let adds = random.int(0...1) == 1
      if adds { (args.epilogue.addend, args.epilogue.addend_row_stride) = (addend.pointer, Int64(n)) }
      let tiles = images * outD * ((outH + tile - 1) / tile) * ((outW + tile - 1) / tile),
        middle = Int64(random.int(0...tiles))
      kernels.pointee.winograd(&args, 0, middle, 0, panels)
      kernels.pointee.winograd(&args, middle, Int64(tiles), 0, panels)

      for pixel in 0..<images * outD * outH * outW {
        let (plane, oy, ox) = (pixel / outW / outH, pixel / outW % outH, pixel % outW)
        let (image, oz) = (plane / outD, plane % outD)
        for j in 0..<n {
          var sum = Double(bias[j]) + (adds ? Double(addend[pixel * n + j]) : 0), size = 1.0
          for tap in 0..<9 * kernelD {
            let (iz, iy, ix) = (
              oz * strideD - padD + tap / 9 * dilationD, oy + tap / 3 % 3 - padH, ox + tap % 3 - padW
            )
            guard (0..<inD).contains(iz), (0..<inH).contains(iy), (0..<inW).contains(ix) else { continue }
            for c in 0..<channels {
              let term =
                Double(x[((image * inD + iz) * inH + iy) * xRow + ix * xStride + c])
                * Double(weights[(j * channels + c) * 9 * kernelD + tap])
              sum += term
              size += abs(term)
            }
          }
          let value = exact(args.epilogue.activation, 0, 0, Float(sum))
          let got = Double(y[(plane * outH + oy) * yRow + ox * yStride + j])
          if !(abs(got - value) <= 4e-6 * size.squareRoot() * (tile == 6 ? 16 : 4)) {
            Issue.record(
              "seed \(seed), \(images)×\(inD)×\(inH)×\(inW) under \(kernelD), \(channels)→\(n): pixel \(pixel) [\(j)] \(value), got \(got)"
            )
            return
          }
        }
      }
    }
  }

  /// With Y or without it, the greatest of each 2 × 2 outputs is what a look at Y finds.
  @Test(arguments: KernelLibrary.available, [2, 4, 6])
  func pooledOutputsAreTheGreatest(isa: ISA, tile: Int) {
    let kernels = KernelLibrary.table(for: isa)
    if tile == 6, kernels.pointee.vector_floats == 16 { return }
    for seed in 0..<24 {
      var random = SeededGenerator(seed)
      let (images, height, width) = (random.int(1...2), random.int(1...14), random.int(1...27))
      let (channels, n) = (random.pick([9, 16, 33]), random.pick([1, 8, 16, 24, 64, 70]))
      let (yStride, pooledStride) = (n + random.int(0...2), n + random.int(0...2))
      let image = PaddedImage(
        kernels, tile: tile, images: images, height: height, width: width, channels: channels, n: n,
        block: Int64(random.int(1...Int(dlk_winograd_block(Int64(tile))))), &random)
      let bias = Guarded(random: n, &random), addend = Guarded(random: images * height * width * n, &random)
      var args = image.args
      args.y_pixels = .dense(yStride, height, width)
      args.y_image_stride = args.y_pixels.plane_stride
      args.pooled_pixels = .dense(pooledStride, height / 2, width / 2)
      args.pooled_image_stride = args.pooled_pixels.plane_stride
      args.epilogue.bias = bias.pointer
      args.epilogue.activation = random.pick([DLK_UNARY_IDENTITY, DLK_UNARY_RELU, DLK_UNARY_TANH])
      if random.int(0...1) == 1 {
        (args.epilogue.addend, args.epilogue.addend_row_stride) = (addend.pointer, Int64(n))
      }
      let pooledCount = images * (height / 2) * (width / 2)
      func room(_ pixels: Int, _ stride: Int) -> Guarded<Float> {
        Guarded<Float>(pixels == 0 ? 0 : (pixels - 1) * stride + n) { _ in -77 }
      }
      let plain = room(images * height * width, yStride), both = room(images * height * width, yStride)
      let with = room(pooledCount, pooledStride), alone = room(pooledCount, pooledStride)
      args.y = plain.base
      kernels.pointee.winograd(&args, 0, image.tiles, 0, image.panels)
      (args.y, args.pooled) = (both.base, with.base)
      kernels.pointee.winograd(&args, 0, image.tiles, 0, image.panels)
      (args.y, args.pooled) = (nil, alone.base)
      kernels.pointee.winograd(&args, 0, image.tiles, 0, image.panels)

      for i in 0..<plain.count where plain[i] != both[i] {
        Issue.record("seed \(seed): [\(i)] \(plain[i]) without pooling, \(both[i]) with it")
        return
      }
      for pixel in 0..<pooledCount {
        let (oy, ox) = (pixel / (width / 2) % (height / 2), pixel % (width / 2))
        let corner = (pixel / (width / 2) / (height / 2) * height + 2 * oy) * width + 2 * ox
        for j in 0..<n {
          let value = [0, 1, width, width + 1].map { plain[(corner + $0) * yStride + j] }.max()
          let (a, b) = (with[pixel * pooledStride + j], alone[pixel * pooledStride + j])
          guard a == value, b == value else {
            Issue.record(
              "seed \(seed), \(images)×\(height)×\(width), \(channels)→\(n): pixel \(pixel) [\(j)] \(value ?? .nan), got \(a), \(b)"
            )
            return
          }
        }
      }
    }
  }

  /// Few tiles of many channels are multiplied point by point over all panels; panels by themselves give the same.
  @Test(arguments: KernelLibrary.available, [2, 4, 6])
  func panelsMayBeSplit(isa: ISA, tile: Int) {
    let kernels = KernelLibrary.table(for: isa)
    if tile == 6, kernels.pointee.vector_floats == 16 { return }
    var random = SeededGenerator(tile)
    for (size, channels, n) in [(7, 500, 150), (13, 200, 193), (3, 90, 70)] {
      let image = PaddedImage(
        kernels, tile: tile, images: 1, height: size, width: size, channels: channels, n: n, block: nil, &random)
      let whole = Guarded<Float>(size * size * n) { _ in -77 }, split = Guarded<Float>(size * size * n) { _ in -77 }
      var args = image.args
      args.y_pixels = .dense(n, size, size)
      args.y = whole.base
      kernels.pointee.winograd(&args, 0, image.tiles, 0, image.panels)
      args.y = split.base
      for panel in 0..<image.panels { kernels.pointee.winograd(&args, 0, image.tiles, panel, panel + 1) }
      for i in 0..<whole.count where !(whole[i] == split[i]) {
        Issue.record("\(size) × \(size), \(channels)→\(n): [\(i)] \(whole[i]) at once, \(split[i]) by panels")
        return
      }
    }
  }
}

/// Random images whose outputs have their size, with packed weights and with what a call needs but for its outputs.
private struct PaddedImage {
  let args: dlk_winograd_args
  let tiles: Int64
  let panels: Int64
  /// What the arguments point to.
  private let memory: [Guarded<Float>]

  /// - Parameter block: nil for as many tiles as there may be.
  init(
    _ kernels: UnsafePointer<dlk_kernel_table>, tile: Int, images: Int, height: Int, width: Int, channels: Int, n: Int,
    block: Int64?, _ random: inout SeededGenerator
  ) {
    tiles = Int64(images * ((height + tile - 1) / tile) * ((width + tile - 1) / tile))
    let panel = Int64(kernels.pointee.gemm_panel)
    panels = (Int64(n) + panel - 1) / panel
    let block = block ?? min(tiles, dlk_winograd_block(Int64(tile)))
    let x = Guarded(random: images * height * width * channels, &random)
    let weights = Guarded(random: n * channels * 9, &random), padding = Guarded<Float>(channels) { _ in 0 }
    let packed = Guarded<Float>(
      Int(kernels.pointee.packed_winograd_floats(Int64(tile), Int64(channels), Int64(n)))
    ) { _ in .nan }
    var pack = dlk_pack_winograd_args(
      source: weights.pointer, tile: Int64(tile), planes: 1, channels: Int64(channels), n: Int64(n),
      packed: packed.base)
    kernels.pointee.pack_winograd(&pack, 0, panels)
    let workspace = Guarded<Float>(
      Int(kernels.pointee.winograd_workspace_floats(Int64(tile), block, Int64(channels), Int64(n)))
    ) { _ in .nan }
    memory = [x, padding, packed, workspace]

    var args = dlk_winograd_args()
    (args.tile, args.images, args.channels, args.n) = (Int64(tile), Int64(images), Int64(channels), Int64(n))
    args.block = block
    (args.in_h, args.in_w, args.out_h, args.out_w) = (Int64(height), Int64(width), Int64(height), Int64(width))
    (args.pad_h, args.pad_w, args.kernel_d, args.in_d, args.out_d) = (1, 1, 1, 1, 1)
    (args.stride_d, args.dilation_d) = (1, 1)
    (args.x, args.x_pixels) = (x.pointer, .dense(channels, height, width))
    args.x_image_stride = args.x_pixels.plane_stride
    (args.weights, args.padding, args.workspace) = (packed.pointer, padding.pointer, workspace.base)
    args.epilogue = .plain
    self.args = args
  }
}

extension dlk_pixels {
  fileprivate static func dense(_ stride: Int, _ height: Int, _ width: Int) -> dlk_pixels {
    dlk_pixels(
      pixel_stride: Int64(stride), row_stride: Int64(stride * width), plane_stride: Int64(stride * width * height))
  }
}
