import CKernelSupport

func packedWinogradFloats(tile: Int, channels: Int, n: Int) -> Int {
  (tile &+ 2) &* (tile &+ 2) &* packedFloats(k: channels, n: n)
}

func packWinograd(_ args: dlk_pack_winograd_args, _ panels: Range<Int>) {
  if args.tile == 2 {
    packWinograd(WinogradF2.self, args, panels)
  } else {
    packWinograd(WinogradF4.self, args, panels)
  }
}

private func packWinograd<F: WinogradTransform>(
  _ f: F.Type, _ args: dlk_pack_winograd_args, _ panels: Range<Int>
) {
  let n = Int(args.n), depth = Int(args.planes &* args.channels), points = F.points &* F.points
  for panel in panels {
    let first = panel &* panelColumns, columns = min(panelColumns, n &- first)
    guard columns > 0 else { return }
    let width = ceilDivide(columns, lanes) &* lanes
    let target: Target = args.packed + first &* depth &* points
    for row in 0..<depth {
      let plane = row / Int(args.channels), channel = row &- plane &* Int(args.channels)
      forEachVector(columns) { column, present in
        let element =
          channel &* Int(args.channel_stride) &+ plane &* Int(args.plane_stride)
          &+ (first &+ column) &* Int(args.n_stride)
        transformWeights(
          f, args, args.source + element &* 4, present, target + (row &* width &+ column),
          pointStride: depth &* width)
      }
    }
  }
}

/// G·g·Gᵀ for a vector of columns.
@inline(__always)
private func transformWeights<F: WinogradTransform>(
  _ f: F.Type, _ args: dlk_pack_winograd_args, _ source: UnsafeRawPointer, _ count: Int, _ target: Target,
  pointStride: Int
) {
  var weights = InlineArray<9, VF> { _ in VF() }, middle = InlineArray<18, VF> { _ in VF() }
  var line = InlineArray<6, VF> { _ in VF() }
  withUnsafeMutablePointer(to: &weights) { weights in
    let lanesOfWeights = UnsafeMutableRawPointer(weights).assumingMemoryBound(to: Float.self)
    for tap in 0..<9 {
      let tapOffset = tap / 3 &* Int(args.row_stride) &+ tap % 3 &* Int(args.column_stride)
      for lane in 0..<count {
        let from = source + (tapOffset &+ lane &* Int(args.n_stride)) &* 4
        lanesOfWeights[tap &* lanes &+ lane] = dlk_load_scalar(from)
      }
    }
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
