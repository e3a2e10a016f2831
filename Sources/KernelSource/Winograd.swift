import CKernelSupport

/// How far ahead of the transforms their memory is asked for: tiles touch too many places at once for the hardware to
/// see where they lead.
let tilesAhead = 2

/// Floats between the planes of a transform, which must not all fall into one set of the cache.
@inline(__always) func planeStride(_ floats: Int) -> Int { floats &+ 16 }

/// How many channels ahead each pass of a transform asks for its input.
private let channelsAhead = 32
/// Where a vector is a whole line, passes are too fast for what they ask for to come in time.
@inline(__always) private var asksInPasses: Bool { lanes < 16 }

/// Vectors in a line of memory.
@inline(__always) private var lineVectors: Int { 16 / lanes }

/// Panels whose products are made at a time.
private let panelsAtOnce = 8

func winogradWorkspaceFloats(tile: Int, block: Int, channels: Int, n: Int) -> Int {
  let points = (tile &+ 2) &* (tile &+ 2), panel = planeStride(block &* panelColumns)
  let inputs = planeStride(block &* channels), most = Int(dlk_winograd_block(Int64(tile)))
  // Blocks of fewer tiles leave room for several panels.
  let room = planeStride(most &* channels) &+ planeStride(most &* panelColumns) &- inputs
  let panels = max(1, min(panelsAtOnce, ceilDivide(n, panelColumns), room / panel))
  return points &* (inputs &+ panels &* panel)
}

func winograd(_ args: dlk_winograd_args, tiles: Range<Int>, panels: Range<Int>) {
  switch args.tile {
  case 2: winograd(WinogradF2.self, args, tiles, panels)
  #if !DL_AVX512
    case 6: winograd(WinogradF6.self, args, tiles, panels)
  #endif
  default: winograd(WinogradF4.self, args, tiles, panels)
  }
}

private func winograd<F: WinogradTransform>(
  _ f: F.Type, _ args: dlk_winograd_args, _ tiles: Range<Int>, _ panels: Range<Int>
) {
  var bias = InlineArray<128, Float> { _ in 0 }, scratch = InlineArray<1024, Float> { _ in 0 }
  var patch = WinogradPatch { _ in 0 }
  withAddress(of: &bias) { bias in
    withAddress(of: &scratch) { scratch in
      withAddress(of: &patch) { patch in
        let driver = WinogradDriver<F>(
          args, bias: bias.assumingMemoryBound(to: Float.self), scratch: scratch.assumingMemoryBound(to: Float.self),
          patch: patch.assumingMemoryBound(to: Float.self))
        let blocks = Tiling(tiles.count, limit: Int(args.block))
        var tile = tiles.lowerBound
        for block in 0..<blocks.tiles {
          let count = blocks.rows(block)
          driver.run(tile..<tile &+ count, panels)
          tile = tile &+ count
        }
      }
    }
  }
}

struct WinogradDriver<F: WinogradTransform> {
  let args: dlk_winograd_args
  let epilogue: Epilogue
  let tilesAcross: Int
  let tilesDown: Int
  /// The image does not stay in the nearer caches.
  let fetchesInput: Bool
  let fetchesOutput: Bool
  /// A panel's bias, with zeros behind it, and the outputs of a tile `[row][column][panel]` that cannot be stored
  /// directly.
  let bias: Target
  let scratch: Target
  /// Memory for `withPatch`.
  let patch: Target
  private var zeros: Source { Source(bias + 64) }

  init(_ args: dlk_winograd_args, bias: Target, scratch: Target, patch: Target) {
    self.args = args
    self.bias = bias
    self.scratch = scratch
    self.patch = patch
    epilogue = Epilogue(args.epilogue)
    tilesAcross = ceilDivide(Int(args.out_w), F.outputs)
    tilesDown = ceilDivide(Int(args.out_h), F.outputs)
    fetchesInput = args.in_h &* args.x_pixels.row_stride > 1 << 16
    fetchesOutput =
      max(args.out_h &* args.y_pixels.row_stride, args.out_h / 2 &* args.pooled_pixels.row_stride) > 1 << 16
  }

  /// Channels of all planes under a window.
  private var depth: Int { Int(args.kernel_d &* args.channels) }

  /// Where a tile stands: its output plane, counted over images, and its first output row and column.
  func position(_ tile: Int) -> (plane: Int, row: Int, column: Int) {
    let line = tile / tilesAcross
    return (line / tilesDown, line % tilesDown &* F.outputs, (tile &- line &* tilesAcross) &* F.outputs)
  }

  /// The plane of the input under one plane of the window; nil where that is padding.
  private func source(_ plane: Int, _ tap: Int) -> Source? {
    let image = plane / Int(args.out_d)
    let z =
      (plane &- image &* Int(args.out_d)) &* Int(args.stride_d) &- Int(args.pad_d) &+ tap &* Int(args.dilation_d)
    guard UInt(bitPattern: z) < UInt(bitPattern: Int(args.in_d)) else { return nil }
    return args.x + (image &* Int(args.x_image_stride) &+ z &* Int(args.x_pixels.plane_stride))
  }

  func run(_ tiles: Range<Int>, _ panels: Range<Int>) {
    let depth = depth, points = F.points &* F.points
    let inputs: Target = args.workspace, inputStride = planeStride(tiles.count &* depth)
    let products = inputs + points &* inputStride
    for tile in tiles {
      if fetchesInput, !asksInPasses { fetchInput(tile &+ tilesAhead) }
      transformInput(tile, inputs + (tile &- tiles.lowerBound) &* depth, inputStride)
    }
    let end = min(panels.upperBound, ceilDivide(Int(args.n), panelColumns))
    // Inputs that no cache nearby keeps from panel to panel are read once for as many of them as there is room for.
    let inputFloats = points &* inputStride, panelFloats = points &* planeStride(tiles.count &* panelColumns)
    let workspace = winogradWorkspaceFloats(
      tile: F.outputs, block: Int(args.block), channels: depth, n: Int(args.n))
    let atOnce = inputFloats > 100_000 ? max(1, (workspace &- inputFloats) / panelFloats) : 1
    var panel = panels.lowerBound
    while panel < end {
      let next = min(end, panel &+ atOnce)
      for point in 0..<points {
        for p in panel..<next {
          let width = width(p)
          multiply(
            inputs + point &* inputStride, weights(p, point),
            products + ((p &- panel) &* panelFloats &+ point &* planeStride(tiles.count &* width)), tiles: tiles.count,
            vectors: width / lanes, next: p &+ 1 < next ? weights(p &+ 1, point) : weights(panel, point &+ 1))
        }
      }
      for p in panel..<next { finish(tiles, p, products + (p &- panel) &* panelFloats) }
      panel = next
    }
  }

  /// Columns of a panel, filled up to whole vectors.
  @inline(__always) func width(_ panel: Int) -> Int {
    ceilDivide(min(panelColumns, Int(args.n) &- panel &* panelColumns), lanes) &* lanes
  }

  /// Where the weights of a panel for one point are.
  @inline(__always) private func weights(_ panel: Int, _ point: Int) -> Source {
    let place = WinogradPanel(panel, depth: depth, points: F.points &* F.points)
    return args.weights + (place.place &+ point &* place.pointStride(width: width(panel)))
  }

  /// Brings the pixels of a tile into the cache, but for those that it shares with the tile before it.
  @inline(never)
  private func fetchInput(_ tile: Int) {
    let (plane, row, column) = position(tile), channels = Int(args.channels)
    // The last plane of the window is the one that no plane before has brought.
    guard plane < Int(args.images &* args.out_d), let x = source(plane, Int(args.kernel_d) &- 1) else { return }
    let top = row &- Int(args.pad_h), left = column &- Int(args.pad_w)
    let shared = column == 0 ? 0 : F.points &- F.outputs
    let bottom = min(Int(args.in_h), top &+ F.points), right = min(Int(args.in_w), left &+ F.points)
    var y = max(0, top)
    while y < bottom {
      var i = max(0, left &+ shared)
      while i < right {
        let pixel = x + (y &* Int(args.x_pixels.row_stride) &+ i &* Int(args.x_pixels.pixel_stride))
        var channel = 0
        while channel < channels {
          dlk_prefetch_l2(pixel + channel)
          channel = channel &+ 16
        }
        i = i &+ 1
      }
      y = y &+ 1
    }
  }

  /// Bᵀ·d·B of one tile for all channels of all planes under the window; the planes of the result are `stride` apart.
  @inline(never)
  private func transformInput(_ tile: Int, _ target: Target, _ stride: Int) {
    let (plane, row, column) = position(tile), channels = Int(args.channels)
    let top = row &- Int(args.pad_h), left = column &- Int(args.pad_w)
    let (pixelStride, rowStride) = (Int(args.x_pixels.pixel_stride), Int(args.x_pixels.row_stride))
    // From a pixel to its like under the next tile.
    let ahead =
      column &+ F.outputs < Int(args.out_w)
      ? F.outputs &* pixelStride : F.outputs &* rowStride &- column &* pixelStride
    for tap in 0..<Int(args.kernel_d) {
      // The last plane of the window is the one that no plane before has brought.
      let fetches = fetchesInput && asksInPasses && tap == Int(args.kernel_d) &- 1
      var addresses = InlineArray<64, Source> { [padding = args.padding!] _ in padding }
      if let x = source(plane, tap) {
        for i in 0..<F.points where UInt(bitPattern: top &+ i) < UInt(bitPattern: Int(args.in_h)) {
          for j in 0..<F.points where UInt(bitPattern: left &+ j) < UInt(bitPattern: Int(args.in_w)) {
            addresses[i &* F.points &+ j] =
              x + ((top &+ i) &* rowStride &+ (left &+ j) &* pixelStride)
          }
        }
      }
      let place = target + tap &* channels
      withAddress(of: &addresses) { addresses in
        let addresses = UnsafePointer(addresses.assumingMemoryBound(to: Source.self))
        var channel = 0
        while channel &+ lanes <= channels {
          let parts = min(lineVectors, (channels &- channel) / lanes), end = channel &+ channelsAhead
          let next = fetches ? (end < channels ? end : end &- channels &+ ahead) : 0
          transformInput(WholeColumns.self, addresses, channel, lanes, place + channel, stride, parts, next)
          channel = channel &+ parts &* lanes
        }
        if channel < channels {
          transformInput(PartialColumns.self, addresses, channel, channels &- channel, place + channel, stride, 1, 0)
        }
      }
    }
  }

  /// - Parameters:
  ///   - parts: vectors side by side, so that each line of memory is read and written only once: tiles of images whose
  ///     rows are a power of two apart fill all ways of their sets.
  ///   - next: floats from the addresses to what is asked for meanwhile, if not 0.
  @inline(__always)
  private func transformInput<C: ColumnAccess>(
    _ c: C.Type, _ addresses: UnsafePointer<Source>, _ channel: Int, _ count: Int, _ target: Target,
    _ stride: Int, _ parts: Int, _ next: Int
  ) {
    var line = WinogradLine { _ in VF() }, result = WinogradLine { _ in VF() }
    let square = F.points &* F.points &* lanes
    withPatch { patch in
      var column = 0
      while column < passes {
        if asksInPasses, next != 0 {
          for row in 0..<F.points { dlk_prefetch(addresses[row &* F.points &+ column] + next) }
        }
        var part = 0
        repeat {
          let at = channel &+ part &* lanes, to = patch + (part &* square &+ column &* lanes)
          for row in 0..<F.points { line[row] = C.load(addresses[row &* F.points &+ column] + at, count) }
          apply(F.input, line, &result)
          for row in 0..<F.points { dlk_store(to + row &* F.points &* lanes, result[row]) }
          part = part &+ 1
        } while part < parts
        column = column &+ 1
      }
      var row = 0
      while row < passes {
        var part = 0
        repeat {
          let from = patch + (part &* square &+ row &* F.points &* lanes)
          let place = target + (row &* F.points &* stride &+ part &* lanes)
          for column in 0..<F.points { line[column] = dlk_load(from + column &* lanes) }
          apply(F.input, line, &result)
          for column in 0..<F.points { C.store(place + column &* stride, result[column], count) }
          part = part &+ 1
        } while part < parts
        row = row &+ 1
      }
    }
  }

  /// What a transform keeps between its passes: where these are loops, in memory, else in what registers there are.
  @inline(__always)
  func withPatch(_ body: (Target) -> Void) {
    var registers = InlineArray<64, VF> { _ in VF() }
    withAddress(of: &registers) { body(isLooped ? patch : $0.assumingMemoryBound(to: Float.self)) }
  }

  /// Of so many passes with 16 registers a compiler would make one piece, twice as long for what it moves to and fro.
  @inline(__always) private var isLooped: Bool { lanes < 16 }

  /// As many as a tile has points along each side, which the compiler does not know where they are to be loops.
  @inline(__always) var passes: Int { isLooped ? Int(args.tile) &+ 2 : F.points }

  /// Calls a transform on local arrays.
  @_transparent
  func apply(
    _ transform: (UnsafePointer<VF>, Int, UnsafeMutablePointer<VF>) -> Void, _ from: WinogradLine,
    _ to: inout WinogradLine
  ) {
    withUnsafePointer(to: from) { from in
      withUnsafeMutablePointer(to: &to) { to in
        transform(
          UnsafeRawPointer(from).assumingMemoryBound(to: VF.self), 1,
          UnsafeMutableRawPointer(to).assumingMemoryBound(to: VF.self))
      }
    }
  }

  /// m = v · u for one point: `[tiles][channels]` by `[channels][vectors]`.
  @inline(never)  // Or the loop over points would hold it once for each of them.
  private func multiply(_ v: Target, _ u: Source, _ m: Target, tiles: Int, vectors: Int, next: Source) {
    let channels = depth, width = vectors &* lanes
    let tiling = Tiling(tiles, limit: tileRows(vectors))
    var rows = InlineArray<16, Source> { Source(v) + $0 &* channels }
    withAddress(of: &rows) { rows in
      var tile = Tile(
        rows: UnsafePointer(rows.assumingMemoryBound(to: Source.self)), taps: 1, depth: channels, b: u, bStep: width,
        lastColumns: lanes, c: m, cStride: width, bias: zeros, addend: nil, addendStride: 0, clamp: false, low: 0,
        high: 0, prefetch: UnsafeRawPointer(next), prefetchStep: width &* 4 / tiling.tiles)
      var index = 0
      while index < tiling.tiles {
        let count = tiling.rows(index)
        tile.tiles = tiling.alike(index)
        tile.step = count &* channels
        runTile(&tile, rows: count, vectors: vectors)
        index = index &+ tile.tiles
        tile.c += tile.tiles &* count &* width
        tile.shift = tile.shift &+ tile.tiles &* tile.step
        tile.prefetch += tile.tiles &* tile.prefetchStep &* channels
      }
    }
  }
}
