import CKernelSupport

// The way back from products to outputs.

extension WinogradDriver {
  /// Transforms the products of one panel back.
  func finish(_ tiles: Range<Int>, _ panel: Int, _ products: Target) {
    let first = panel &* panelColumns, columns = min(panelColumns, Int(args.n) &- first), width = width(panel)
    for i in 0..<width { bias[i] = i < columns ? (args.epilogue.bias.map { $0[first &+ i] } ?? 0) : 0 }
    for tile in tiles {
      if fetchesOutput, tile &+ tilesAhead < tiles.upperBound { fetchOutput(tile &+ tilesAhead, first, columns) }
      transformOutput(
        tile, products + (tile &- tiles.lowerBound) &* width, planeStride(tiles.count &* width), column: first,
        columns: columns, vectors: width / lanes)
    }
  }

  private func target(_ plane: Int) -> Target? {
    guard let y = args.y else { return nil }
    let image = plane / Int(args.out_d), z = plane &- image &* Int(args.out_d)
    return y + (image &* Int(args.y_image_stride) &+ z &* Int(args.y_pixels.plane_stride))
  }

  private func pooled(_ plane: Int) -> Target? { args.pooled.map { $0 + plane &* Int(args.pooled_image_stride) } }

  /// Brings the lines that a tile's outputs for one panel go to into the cache.
  @inline(never)
  private func fetchOutput(_ tile: Int, _ first: Int, _ columns: Int) {
    let (plane, row, column) = position(tile)
    let bottom = min(row &+ F.outputs, Int(args.out_h)), right = min(column &+ F.outputs, Int(args.out_w))
    func fetch(_ place: Target, _ pixels: dlk_pixels, _ rows: Range<Int>, _ across: Range<Int>) {
      for i in rows {
        for j in across {
          let pixel = place + (i &* Int(pixels.row_stride) &+ j &* Int(pixels.pixel_stride) &+ first)
          var at = 0
          while at < columns {
            dlk_prefetch_write(pixel + at)
            at = at &+ 16
          }
        }
      }
    }
    if let y = target(plane) { fetch(y, args.y_pixels, row..<bottom, column..<right) }
    if let pooled = pooled(plane) {
      fetch(pooled, args.pooled_pixels, row / 2..<bottom / 2, column / 2..<right / 2)
    }
  }

  /// Aᵀ·m·A of one tile for one panel, finished and stored.
  @inline(never)
  private func transformOutput(
    _ tile: Int, _ products: Target, _ stride: Int, column first: Int, columns: Int, vectors: Int
  ) {
    let (plane, row, column) = position(tile), width = vectors &* lanes
    let rows = min(F.outputs, Int(args.out_h) &- row), across = min(F.outputs, Int(args.out_w) &- column)
    let pixelStride = Int(args.y_pixels.pixel_stride), rowStride = Int(args.y_pixels.row_stride)
    let place = target(plane).map { $0 + (row &* rowStride &+ column &* pixelStride &+ first) }
    let pooledPixel = Int(args.pooled_pixels.pixel_stride), pooledRow = Int(args.pooled_pixels.row_stride)
    let pooled = pooled(plane).map { $0 + (row / 2 &* pooledRow &+ column / 2 &* pooledPixel &+ first) }
    let pixel = (plane &* Int(args.out_h) &+ row) &* Int(args.out_w) &+ column
    let isDirect = epilogue.isFree && columns == width
    for vector in 0..<vectors {
      let at = vector &* lanes
      var outputs = WinogradOutputs { _ in VF() }
      transform(products + at, stride, dlk_load(bias + at), &outputs)
      for i in 0..<rows {
        for j in 0..<across {
          var value = outputs[i &* F.outputs &+ j]
          if isDirect {
            if let addend = args.epilogue.addend {
              let from = (pixel &+ i &* Int(args.out_w) &+ j) &* Int(args.epilogue.addend_row_stride) &+ first &+ at
              value += dlk_load(addend + from)
            }
            if epilogue.clamps {
              value = dlk_min(constant(epilogue.high), dlk_max(constant(epilogue.low), value))
            }
            if let place { dlk_store(place + (i &* rowStride &+ j &* pixelStride &+ at), value) }
            if pooled != nil { outputs[i &* F.outputs &+ j] = value }
          } else {
            dlk_store(scratch + ((i &* F.outputs &+ j) &* width &+ at), value)
          }
        }
      }
      guard isDirect, let pooled else { continue }
      for i in 0..<rows / 2 {
        for j in 0..<across / 2 {
          let corner = 2 &* (i &* F.outputs &+ j)
          dlk_store(
            pooled + (i &* pooledRow &+ j &* pooledPixel &+ at),
            greatest(
              outputs[corner], outputs[corner &+ 1], outputs[corner &+ F.outputs], outputs[corner &+ F.outputs &+ 1]))
        }
      }
    }
    if isDirect { return }
    for i in 0..<rows {
      let line = scratch + i &* F.outputs &* width
      epilogue.finish(
        line, width: width, rows: across, row: pixel &+ i &* Int(args.out_w), column: first, columns: columns,
        c: place.map { $0 + i &* rowStride } ?? line, cStride: place == nil ? width : pixelStride)
    }
    guard let pooled else { return }
    let finished = Source(place ?? scratch)
    let (down, right) = place == nil ? (F.outputs &* width, width) : (rowStride, pixelStride)
    for i in 0..<rows / 2 {
      for j in 0..<across / 2 {
        let corner = finished + 2 &* (i &* down &+ j &* right), result = pooled + (i &* pooledRow &+ j &* pooledPixel)
        forEachVector(columns) { at, count in
          let quarter = { dlk_load_partial(corner + ($0 &+ at), count) }
          dlk_store_partial(
            result + at, greatest(quarter(0), quarter(right), quarter(down), quarter(down &+ right)), count)
        }
      }
    }
  }

  @inline(__always)
  private func greatest(_ a: VF, _ b: VF, _ c: VF, _ d: VF) -> VF {
    PoolMaximum.join(PoolMaximum.join(PoolMaximum.join(a, b), c), d)
  }

  /// The outputs of a tile for one vector of columns, `[row][column]`, the bias added where sums start at it.
  @inline(__always)
  private func transform(_ products: Target, _ stride: Int, _ bias: VF, _ outputs: inout WinogradOutputs) {
    var line = WinogradLine { _ in VF() }, result = WinogradLine { _ in VF() }
    let start = epilogue.startsAtBias ? bias : VF()
    withPatch { patch in
      var column = 0
      while column < passes {
        let from = products + column &* stride
        for row in 0..<F.points { line[row] = dlk_load(from + row &* F.points &* stride) }
        apply(F.output, line, &result)
        for row in 0..<F.outputs { dlk_store(patch + (row &* F.points &+ column) &* lanes, result[row]) }
        column = column &+ 1
      }
      for row in 0..<F.outputs {
        let from = patch + row &* F.points &* lanes
        for column in 0..<F.points { line[column] = dlk_load(from + column &* lanes) }
        apply(F.output, line, &result)
        for column in 0..<F.outputs { outputs[row &* F.outputs &+ column] = result[column] + start }
      }
    }
  }
}
