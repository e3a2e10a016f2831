import CKernelSupport

// A panel of few columns leaves lanes unused, and has a load for each of few sums. So its rows are interleaved two by two:
// a vector holds eight columns of rows 2k and 2k + 1 of B, which one load of two neighbouring elements of A serves.

/// The vectors that two rows of the last panel take, or 0 where it is packed row by row.
///
/// Sums of even and of odd rows are put together at the end of a tile, so that all of the depth has to be multiplied in one
/// go, whatever rows and panels a call is for: neither in blocks of the depth nor in parts of the taps.
///
/// - Parameters:
///   - taps: of a convolution's window; 1 of a matrix.
///   - depth: rows of B for each of them.
func interleavedVectors(taps: Int, depth: Int, n: Int) -> Int {
  #if DL_AVX512
    let vectors = ceilDivide(n % panelColumns, 8), rows = taps &* depth
    guard depth % 2 == 0, rows > 0, taps <= WindowRows.mostTaps, rows <= deepest, rows &* vectors &* 32 <= partBytes
    else { return 0 }
    return vectors == 4 || vectors > 5 ? 0 : vectors
  #else
    return 0
  #endif
}

#if DL_AVX512
  /// Rows of the largest tile.
  @inline(__always) func interleavedTileRows(_ vectors: Int) -> Int {
    switch vectors {
    case 5: 4
    case 3: 8
    default: 12
    }
  }

  /// `MR` rows by `NV` vectors of eight columns: sums over the even and over the odd rows of B in neighbouring lanes.
  private enum InterleavedKernel<let MR: Int, let NV: Int> {
    private typealias Sums = InlineArray<MR, InlineArray<NV, VF>>

    /// - Parameter listed: rows of which each tap has an address.
    @inline(never)
    static func run(_ tile: UnsafePointer<Tile>, listed: Int) {
      var rows = tile.pointee.rows, shift = tile.pointee.shift, prefetch = tile.pointee.prefetch
      var c = tile.pointee.c, addend = tile.pointee.addend
      for _ in 0..<tile.pointee.tiles {
        if tile.pointee.fetchesAddend, let addend {
          for i in MR..<2 &* MR {
            for j in 0..<(NV &+ 1) / 2 { dlk_prefetch(addend + (i &* tile.pointee.addendStride &+ j &* lanes)) }
          }
        }
        var sums = Sums { _ in InlineArray<NV, VF> { _ in VF(repeating: -0.0) } }
        add(&sums, tile, rows, listed, shift, &prefetch)
        finish(sums, tile, c, addend)
        c += MR &* tile.pointee.cStride
        if let last = addend { addend = last + MR &* tile.pointee.addendStride }
        rows += tile.pointee.listStep
        if tile.pointee.listStep == 0 { shift = shift &+ tile.pointee.step }
      }
    }

    @inline(__always)
    private static func add(
      _ sums: inout Sums, _ tile: UnsafePointer<Tile>, _ rows: UnsafePointer<Source>, _ listed: Int, _ shift: Int,
      _ prefetch: inout UnsafeRawPointer
    ) {
      var b = tile.pointee.b, rows = rows
      let prefetchStep = tile.pointee.prefetchStep, depth = tile.pointee.depth
      let step = tile.pointee.step, fetched = tile.pointee.fetched
      for _ in 0..<tile.pointee.taps {
        let a = InlineArray<MR, Source> { rows[$0] + shift }
        rows += listed
        var k = 0
        while k < depth {
          if k < fetched { for i in 0..<MR { dlk_prefetch(a[i] + (k &+ step)) } }
          let end = min(depth, k &+ 16)
          repeat {
            let bVectors = InlineArray<NV, VF> { dlk_load(b + $0 &* lanes) }
            b += NV &* lanes
            if NV > 1 {
              dlk_prefetch_l2(prefetch)
              dlk_prefetch_l2(prefetch + prefetchStep)
              prefetch += 2 &* prefetchStep
            }
            for i in 0..<MR {
              let aVector = dlk_load_two(a[i] + k)
              for j in 0..<NV { sums[i][j] = dlk_fma(aVector, bVectors[j], sums[i][j]) }
            }
            k = k &+ 2
          } while k < end
        }
      }
    }

    @inline(__always)
    private static func finish(_ sums: Sums, _ tile: UnsafePointer<Tile>, _ c: Target, _ addend: Source?) {
      let columns = tile.pointee.lastColumns, stride = tile.pointee.cStride, addendStride = tile.pointee.addendStride
      let low = VF(repeating: tile.pointee.low), high = VF(repeating: tile.pointee.high)
      for j in 0..<(NV &+ 1) / 2 {
        let bias = dlk_load(tile.pointee.bias + j &* lanes), count = 2 &* j &+ 2 < NV ? lanes : columns
        for i in 0..<MR {
          var sum = dlk_add_neighbours(sums[i][2 &* j], sums[i][min(2 &* j &+ 1, NV &- 1)])
          if 2 &* j &+ 1 == NV { sum = dlk_every_other_two(sum) }
          sum += bias
          if let addend { sum += dlk_load_partial(addend + (i &* addendStride &+ j &* lanes), count) }
          if tile.pointee.clamp { sum = dlk_min(high, dlk_max(low, sum)) }
          dlk_store_partial(c + (i &* stride &+ j &* lanes), sum, count)
        }
      }
    }
  }

  func runInterleavedTile(_ tile: UnsafePointer<Tile>, rows: Int, vectors: Int) {
    if rows == interleavedTileRows(vectors) { return runInterleavedRows(tile, rows, listed: rows, vectors) }
    // Of the last rows, four at a time and one by one.
    var part = tile.pointee
    var row = 0
    while row < rows {
      let count = rows &- row >= 4 ? 4 : 1
      runInterleavedRows(&part, count, listed: rows, vectors)
      part.rows += count
      part.c += count &* part.cStride
      if let addend = part.addend { part.addend = addend + count &* part.addendStride }
      row = row &+ count
    }
  }

  /// Tiles of the heights that `interleavedTileRows` and the last rows have.
  private func runInterleavedRows(_ tile: UnsafePointer<Tile>, _ rows: Int, listed: Int, _ vectors: Int) {
    switch (vectors, rows) {
    case (1, 1): InterleavedKernel<1, 1>.run(tile, listed: listed)
    case (1, 4): InterleavedKernel<4, 1>.run(tile, listed: listed)
    case (1, _): InterleavedKernel<12, 1>.run(tile, listed: listed)
    case (2, 1): InterleavedKernel<1, 2>.run(tile, listed: listed)
    case (2, 4): InterleavedKernel<4, 2>.run(tile, listed: listed)
    case (2, _): InterleavedKernel<12, 2>.run(tile, listed: listed)
    case (3, 1): InterleavedKernel<1, 3>.run(tile, listed: listed)
    case (3, 4): InterleavedKernel<4, 3>.run(tile, listed: listed)
    case (3, _): InterleavedKernel<8, 3>.run(tile, listed: listed)
    case (_, 1): InterleavedKernel<1, 5>.run(tile, listed: listed)
    default: InterleavedKernel<4, 5>.run(tile, listed: listed)
    }
  }
#endif
