import CKernelSupport
import DLRTGraph

extension PixelConvolution {
  func winograd(tile: Int, _ weights: PackedWeight?, _ packing: WeightPacking, _ planning: Planning) -> Step {
    let plane = problem.geometry.axes.suffix(2).map { $0 }
    let depth = problem.geometry.axes.dropLast(2).first ?? .single
    let (channels, n) = (problem.inputChannels, problem.outputChannels)
    let tiles = problem.batch &* depth.output &* plane.reduce(1) { $0 &* (($1.output &+ tile &- 1) / tile) }
    let cut = WinogradCut(
      tile: tile, tiles: tiles, panels: panels, groups: problem.groups, flops: problem.flops,
      threads: planning.threads)
    let paddingBytes = (channels &* 4 &+ 63) & ~63
    let workspaceFloats = kernels.table.pointee.winograd_workspace_floats(
      Int64(tile), Int64(cut.block), Int64(channels &* depth.kernel), Int64(n))
    let threadFloats = (Int(workspaceFloats) &+ 15) & ~15
    let weightFloats = packing.floatsPerGroup
    var base = dlk_winograd_args()
    base.tile = Int64(tile)
    base.block = Int64(cut.block)
    base.images = Int64(problem.batch)
    (base.in_h, base.in_w) = (Int64(plane[0].input), Int64(plane[1].input))
    (base.out_h, base.out_w) = (Int64(plane[0].output), Int64(plane[1].output))
    (base.pad_h, base.pad_w) = (Int64(plane[0].padBegin), Int64(plane[1].padBegin))
    (base.kernel_d, base.stride_d) = (Int64(depth.kernel), Int64(depth.stride))
    (base.dilation_d, base.pad_d) = (Int64(depth.dilation), Int64(depth.padBegin))
    (base.in_d, base.out_d) = (Int64(depth.input), Int64(depth.output))
    (base.channels, base.n) = (Int64(channels), Int64(n))
    base.x_pixels = dlk_pixels(problem.geometry.input, pixelStride: xPlace.stride)
    base.y_pixels = dlk_pixels(problem.geometry.output, pixelStride: yPlace.stride)
    base.x_image_stride = base.x_pixels.plane_stride &* base.in_d
    base.y_image_stride = base.y_pixels.plane_stride &* base.out_d
    base.pooled_pixels = dlk_pixels(plane.map { $0.output / 2 }, pixelStride: n)
    base.pooled_image_stride = base.pooled_pixels.plane_stride
    let fixed = WinogradArguments(base)
    let threads = cut.count > 1 ? planning.threads : 1
    return Step(kernel: name("winograd\(tile)"), workspace: paddingBytes &+ threadFloats &* 4 &* threads) { [self] io in
      guard let weights else { return }
      let x = self.x(io), y = wantsImage ? self.y(io) : nil
      let pooled = wantsPooled ? io.output(1, as: Float.self) : nil
      let padding = io.workspace.assumingMemoryBound(to: Float.self)
      padding.update(repeating: 0, count: channels)
      let scratch = (io.workspace + paddingBytes).assumingMemoryBound(to: Float.self)
      var args = fixed.value
      args.padding = UnsafePointer(padding)
      let whole = epilogue(io)
      try io.withUnits(of: weights) { units, packed in
        let packed = packed.assumingMemoryBound(to: Float.self)
        let cut = cut.of(units)
        io.parallel(cut.count) { index, thread in
          let part = cut[index]
          let channel = part.group &* n
          var own = args
          own.x = x + part.group &* channels
          own.y = y.map { $0 + channel }
          own.pooled = pooled.map { $0 + channel }
          own.weights = packed + part.group &* weightFloats
          own.workspace = scratch + thread &* threadFloats
          own.epilogue = whole
          own.epilogue.bias = whole.bias.map { $0 + channel }
          own.epilogue.addend = whole.addend.map { $0 + channel }
          kernels.table.pointee.winograd(
            &own, Int64(part.tiles.lowerBound), Int64(part.tiles.upperBound), Int64(part.panels.lowerBound),
            Int64(part.panels.upperBound))
        }
      }
    }
  }
}

/// How tiles and panels are shared out to threads.
struct WinogradCut: Sendable {
  struct Part {
    let group: Int
    let tiles: Range<Int>
    let panels: Range<Int>
  }

  private let tile: Int
  private let tiles: Int
  private let panels: Int
  private let flops: Int
  private let threads: Int
  private var firstPanel = 0
  private let tileParts: Int
  private let panelParts: Int
  let count: Int
  /// Tiles that a part does together at most.
  let block: Int

  /// The fewest tiles that keep a kernel's products efficient.
  private static let leastTiles = 18

  /// - Parameter tile: outputs of a tile along each side.
  init(tile: Int, tiles: Int, panels: Int, groups: Int, flops: Int, threads: Int) {
    let most = Int(dlk_winograd_block(Int64(tile)))
    self.tile = tile
    self.tiles = tiles
    self.panels = panels
    self.flops = flops
    self.threads = threads
    // Parts of at least some 20 µs; several for each thread, so that all end together.
    let worthwhile = max(1, flops / 8_000_000)
    let wanted = threads == 1 ? 1 : min(worthwhile, 4 * threads)
    let perGroup = (wanted + groups - 1) / max(groups, 1)
    let blocks = (tiles + most - 1) / most
    if perGroup <= 1 {
      (tileParts, panelParts) = (1, 1)
    } else if blocks >= perGroup {
      (tileParts, panelParts) = (min(blocks, 4 * perGroup), 1)
    } else {
      // As many parts as threads at least; input tiles are transformed once for each part of the panels.
      let least = min(threads, perGroup)
      let even = (blocks + least - 1) / least * least
      tileParts = tiles / even >= Self.leastTiles ? even : blocks
      panelParts = tileParts >= least ? 1 : min(max(panels, 1), (least + tileParts - 1) / tileParts)
    }
    count = groups * tileParts * panelParts
    let perPart = (tiles + tileParts - 1) / max(tileParts, 1), rounds = (perPart + most - 1) / most
    block = max(1, (perPart + rounds - 1) / max(rounds, 1))
  }

  /// The same for some panels of the only group; nil stands for all.
  func of(_ panels: Range<Int>?) -> WinogradCut {
    guard let panels else { return self }
    var cut = WinogradCut(
      tile: tile, tiles: tiles, panels: panels.count, groups: 1, flops: flops / max(self.panels, 1) &* panels.count,
      threads: threads)
    cut.firstPanel = panels.lowerBound
    return cut
  }

  subscript(index: Int) -> Part {
    let inner = tileParts &* panelParts
    let group = index / inner
    let rest = index &- group &* inner
    let own = ProductSplit.slice(panels, rest % panelParts, of: panelParts)
    return Part(
      group: group, tiles: ProductSplit.slice(tiles, rest / panelParts, of: tileParts),
      panels: firstPanel &+ own.lowerBound..<firstPanel &+ own.upperBound)
  }
}

/// Kernel arguments without pointers, so that they may travel.
private struct WinogradArguments: @unchecked Sendable {
  let value: dlk_winograd_args
  init(_ value: dlk_winograd_args) { self.value = value }
}
