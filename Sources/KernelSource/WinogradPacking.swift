import CKernelSupport

func packedWinogradFloats(tile: Int, channels: Int, n: Int) -> Int {
  let panels = ceilDivide(n, panelColumns), width = ceilDivide(n &- (panels &- 1) &* panelColumns, lanes) &* lanes
  guard panels > 0 else { return 0 }
  let last = WinogradPanel(panels &- 1, depth: channels, points: (tile &+ 2) &* (tile &+ 2))
  return last.place &+ last.points &* last.pointStride(width: width)
}

/// Where a panel of the transformed weights is: `[point][row][column]`.
struct WinogradPanel {
  let depth: Int
  let points: Int
  /// Floats before the panel.
  let place: Int

  init(_ panel: Int, depth: Int, points: Int) {
    self.depth = depth
    self.points = points
    place = panel &* points &* Self.pointStride(depth, panelColumns)
  }

  /// Floats from one point to the next.
  func pointStride(width: Int) -> Int { Self.pointStride(depth, width) }

  /// The points must not all fall into one set of the cache, and each begins at a pair of its lines.
  private static func pointStride(_ depth: Int, _ width: Int) -> Int { depth &* width &+ 32 }
}

func packWinograd(_ args: dlk_pack_winograd_args, _ panels: Range<Int>) {
  switch args.tile {
  case 2: packWinograd(WinogradF2.self, args, panels)
  #if !DL_AVX512
    case 6: packWinograd(WinogradF6.self, args, panels)
  #endif
  default: packWinograd(WinogradF4.self, args, panels)
  }
}

private func packWinograd<F: WinogradTransform>(
  _ f: F.Type, _ args: dlk_pack_winograd_args, _ panels: Range<Int>
) {
  let n = Int(args.n), channels = Int(args.channels), planes = Int(args.planes)
  let depth = planes &* channels, points = F.points &* F.points
  for panel in panels {
    let first = panel &* panelColumns, columns = min(panelColumns, n &- first)
    guard columns > 0 else { return }
    let width = ceilDivide(columns, lanes) &* lanes
    let place = WinogradPanel(panel, depth: depth, points: points), stride = place.pointStride(width: width)
    let target: Target = args.packed + place.place
    // In the order of the source, whose rows are too many for the hardware to foresee.
    for row in 0..<depth {
      let channel = row / planes, plane = row &- channel &* planes
      let line = target + (plane &* channels &+ channel) &* width
      if lanes == 8 {
        // Each point has a run of lines of its own, more than the hardware follows, and two stores fill a line.
        for point in 0..<points { dlk_prefetch_write(line + (point &* stride &+ 8 &* width)) }
      }
      forEachVector(columns) { column, present in
        let element = ((first &+ column) &* depth &+ row) &* 9
        transformWeights(
          f, args.source + element &* 4, present, columnBytes: depth &* 36,
          line + column, pointStride: stride)
      }
    }
  }
}

/// G·g·Gᵀ for a vector of columns, whose nine weights are adjacent.
@inline(__always)
private func transformWeights<F: WinogradTransform>(
  _ f: F.Type, _ source: UnsafeRawPointer, _ count: Int, columnBytes: Int, _ target: Target, pointStride: Int
) {
  var weights = InlineArray<9, VF> { _ in VF() }, middle = InlineArray<24, VF> { _ in VF() }
  var line = WinogradLine { _ in VF() }
  forEachVector(9) { tap, length in
    var block = VectorBlock { _ in VF() }
    for lane in 0..<count {
      let from = source + (lane &* columnBytes &+ tap &* 4)
      dlk_prefetch(from + 512)
      block[lane] = length == lanes ? dlk_load(from) : dlk_load_partial(from, length)
    }
    transposeInRegisters(&block)
    for i in 0..<length { weights[tap &+ i] = dlk_in_one_piece(block[i]) }
  }
  withUnsafeMutablePointer(to: &weights) { weights in
    withUnsafeMutablePointer(to: &middle) { middle in
      withUnsafeMutablePointer(to: &line) { line in
        let g = UnsafeMutableRawPointer(weights).assumingMemoryBound(to: VF.self)
        let columns = UnsafeMutableRawPointer(middle).assumingMemoryBound(to: VF.self)
        let result = UnsafeMutableRawPointer(line).assumingMemoryBound(to: VF.self)
        // `columns` is [kernel column][point row].
        for column in 0..<3 { F.weight(g + column, 3, columns + column &* F.points) }
        for row in 0..<F.points {
          F.weight(columns + row, F.points, result)
          for point in 0..<F.points {
            dlk_store(target + (row &* F.points &+ point) &* pointStride, result[point])
          }
        }
      }
    }
  }
}
