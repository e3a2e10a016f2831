/// A convolution cut into parts for threads and caches: ranges of output pixels and of panels of output channels. Kernels
/// give the same result for every cut.
struct ConvolutionCut: Sendable {
  struct Part {
    /// Image, or image and group.
    let image: Int
    let pixels: Range<Int>
    let panels: Range<Int>
  }

  private let pixels: Int
  private let panels: Int
  private let pixelBlock: Int
  private let pixelBlocks: Int
  private let panelBlock: Int
  private let panelBlocks: Int
  let count: Int

  /// Input bytes of a part that stay in the second-level cache while panel after panel passes over them.
  private static let cacheBytes = 256 << 10
  /// Pixels that a part has at least, where there are as many: fewer would read the weights too often.
  private static let leastPixels = 96

  /// - Parameters:
  ///   - pixelBytes: input bytes that an output pixel adds to those of its neighbour.
  ///   - flops: of all images.
  init(pixels: Int, panels: Int, images: Int, pixelBytes: Int, flops: Int, _ planning: Planning) {
    self.pixels = pixels
    self.panels = panels
    let rows = Int(planning.kernels.table.pointee.gemm_rows)
    // Parts of at least some 20 µs, and enough of them that threads end together.
    let worthwhile = max(1, Int(Double(flops) / 100 / 20_000))
    let wanted = planning.threads == 1 ? 1 : min(worthwhile, planning.threads * 4)
    let perImage = (wanted + images - 1) / max(images, 1)
    let tiles = (pixels + rows - 1) / rows
    let cachedTiles = max((Self.leastPixels + rows - 1) / rows, Self.cacheBytes / max(pixelBytes * rows, 1))
    var tileBlock = min(max(tiles, 1), cachedTiles)
    if tiles / tileBlock < perImage { tileBlock = max(1, tiles / perImage) }
    var blocks = (max(tiles, 1) + tileBlock - 1) / tileBlock
    // Blocks of one height: a low one at the end would read all weights for little.
    tileBlock = (max(tiles, 1) + blocks - 1) / blocks
    blocks = (max(tiles, 1) + tileBlock - 1) / tileBlock
    // Few pixels: each part takes all of them and some of the channels, so that no weight is read twice.
    if tiles < 4 * perImage, panels >= perImage {
      tileBlock = max(tiles, 1)
      blocks = 1
    }
    pixelBlock = tileBlock * rows
    pixelBlocks = blocks
    panelBlock = blocks >= perImage ? max(panels, 1) : max(1, (panels * blocks + perImage - 1) / perImage)
    panelBlocks = (panels + panelBlock - 1) / panelBlock
    count = images * pixelBlocks * panelBlocks
  }

  subscript(index: Int) -> Part {
    let panel = index % panelBlocks &* panelBlock
    let rest = index / panelBlocks
    let pixel = rest % pixelBlocks &* pixelBlock
    return Part(
      image: rest / pixelBlocks, pixels: pixel..<min(pixel &+ pixelBlock, pixels),
      panels: panel..<min(panel &+ panelBlock, panels))
  }
}
