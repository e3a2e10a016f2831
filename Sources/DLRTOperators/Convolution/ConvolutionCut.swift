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
  private let pixelParts: Int
  private let panelParts: Int
  /// All parts but the last hold a multiple of so many pixels.
  private let unit: Int
  let count: Int

  /// Input bytes of a part that stay in the second-level cache while panel after panel passes over them.
  private static let cacheBytes = 256 << 10
  /// Pixels that a part has at least, where there are as many: fewer would read the weights too often.
  private static let leastPixels = 96
  /// What a part costs beside its products, as pixels.
  private static let partPixels = 2

  /// - Parameters:
  ///   - pixelBytes: input bytes that an output pixel adds to those of its neighbour.
  ///   - flops: of all images.
  init(pixels: Int, panels: Int, images: Int, pixelBytes: Int, flops: Int, _ planning: Planning) {
    self.init(
      pixels: pixels, panels: panels, images: images, pixelBytes: pixelBytes, flops: flops,
      rows: Int(planning.kernels.table.pointee.gemm_rows), threads: planning.threads)
  }

  /// - Parameter rows: of a tile.
  init(pixels: Int, panels: Int, images: Int, pixelBytes: Int, flops: Int, rows: Int, threads: Int) {
    self.pixels = pixels
    self.panels = panels
    // Few pixels take as long as ten do: as long as the weights come from memory.
    let work = Double(flops) * max(1, 10 / max(1, Double(pixels) * Double(images)))
    // Parts of at least some 20 µs, and enough of them that threads end together.
    let worthwhile = Int(max(1, min(work / 100 / 20_000, Double(threads * 4))))
    let wanted = threads == 1 ? 1 : worthwhile
    let perImage = (wanted + images - 1) / max(images, 1)
    // As many for each thread.
    let even = perImage < threads ? perImage : (perImage + threads - 1) / threads * threads
    let tiles = max(1, (pixels + rows - 1) / rows)
    let cachedTiles = max((Self.leastPixels + rows - 1) / rows, Self.cacheBytes / max(pixelBytes * rows, 1))
    let blocks = (tiles + cachedTiles - 1) / cachedTiles
    if perImage == 1 {
      (pixelParts, panelParts) = (blocks, 1)
    } else if tiles >= 4 * perImage {
      (pixelParts, panelParts) = ((blocks + even - 1) / even * even, 1)
    } else if panels >= perImage {
      // Few pixels: each part takes all of them and some of the channels, so that no weight is read twice.
      (pixelParts, panelParts) = (1, min(panels, even))
    } else {
      // Few channels too: the parts that take the busiest thread least.
      func cost(_ parts: Int) -> Int {
        (parts * panels + threads - 1) / threads * ((pixels + parts - 1) / parts + Self.partPixels)
      }
      pixelParts = (1...min(tiles, threads)).min { cost($0) < cost($1) } ?? 1
      panelParts = max(panels, 1)
    }
    // Whole tiles, or pairs of pixels where tiles would make parts unequal.
    unit = tiles % pixelParts == 0 || tiles >= 64 * pixelParts ? rows : 2
    count = images * pixelParts * panelParts
  }

  subscript(index: Int) -> Part {
    let pixel = index % pixelParts
    let rest = index / pixelParts
    let units = (pixels &+ unit &- 1) / unit
    let slice = ProductSplit.slice(units, pixel, of: pixelParts)
    return Part(
      image: rest / panelParts,
      pixels: slice.lowerBound &* unit..<min(slice.upperBound &* unit, pixels),
      panels: ProductSplit.slice(panels, rest % panelParts, of: panelParts))
  }
}
