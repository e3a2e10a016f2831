import CKernelSupport

/// What is done to a finished tile, sorted out once per call.
struct Epilogue {
  let source: dlk_epilogue
  /// The sums can start at bias + addend, be clamped in registers and be stored straight to their place.
  let isFree: Bool
  /// The sums can start at the bias.
  let startsAtBias: Bool
  let clamps: Bool
  let low: Float
  let high: Float

  init(_ source: dlk_epilogue) {
    self.source = source
    startsAtBias = source.scale == 1
    switch source.activation {
    case DLK_UNARY_RELU: (clamps, low, high) = (true, 0, .infinity)
    case DLK_UNARY_CLIP: (clamps, low, high) = (true, source.a, source.b)
    default: (clamps, low, high) = (false, 0, 0)
    }
    let addsFirst = source.addend == nil || (source.addend_scale == 1 && source.addend_last == 0)
    isFree = startsAtBias && addsFirst && (clamps || source.activation == DLK_UNARY_IDENTITY)
  }

  /// Stores the sums as they are.
  static var none: Epilogue {
    var source = dlk_epilogue()
    source.scale = 1
    return Epilogue(source)
  }

  /// Finishes a tile of sums that lies in `scratch`, `width` floats a row, and writes `columns` of each row to `c`.
  ///
  /// - Parameters:
  ///   - row, column: where the tile stands in the whole product.
  func finish(
    _ scratch: Target, width: Int, rows: Int, row: Int, column: Int, columns: Int, c: Target, cStride: Int
  ) {
    if !startsAtBias {
      let scale = VF(repeating: source.scale)
      for i in 0..<rows {
        forEachVector(columns) { at, count in
          let sum = dlk_load(scratch + (i &* width &+ at))
          let bias = source.bias.map { dlk_load_partial($0 + (column &+ at), count) } ?? VF()
          dlk_store(scratch + (i &* width &+ at), dlk_fma(sum, scale, bias))
        }
      }
    }
    if source.addend_last == 0 {
      add(to: scratch, width: width, rows: rows, row: row, column: column, columns: columns)
    }
    let addsLast = source.addend_last != 0 && source.addend != nil
    if !addsLast, columns % lanes == 0 {
      unary(
        source.activation, source.a, source.b,
        RowBlock(x: Source(scratch), xStride: width, y: c, yStride: cStride, rows: rows, columns: columns))
      return
    }
    // All of the tile at once, with what fills it up: ends of rows would be a call each.
    unary(source.activation, source.a, source.b, Source(scratch), scratch, rows &* width)
    if addsLast { add(to: scratch, width: width, rows: rows, row: row, column: column, columns: columns) }
    for i in 0..<rows {
      let from = scratch + i &* width, to = c + i &* cStride
      forEachVector(columns) { at, count in
        if count == lanes {
          dlk_store(to + at, dlk_load(from + at))
        } else {
          dlk_store_partial(to + at, dlk_load(from + at), count)
        }
      }
    }
  }

  private func add(to scratch: Target, width: Int, rows: Int, row: Int, column: Int, columns: Int) {
    guard let addend = source.addend else { return }
    let scale = VF(repeating: source.addend_scale), stride = Int(source.addend_row_stride)
    for i in 0..<rows {
      let from = addend + ((row &+ i) &* stride &+ column)
      forEachVector(columns) { at, count in
        let place = scratch + (i &* width &+ at)
        dlk_store(place, dlk_fma(dlk_load_partial(from + at, count), scale, dlk_load(place)))
      }
    }
  }
}

/// Calls `body` with the offset of each vector of `count` floats and the number of floats in it.
@_transparent func forEachVector(_ count: Int, _ body: (Int, Int) -> Void) {
  var at = 0
  while at < count {
    body(at, min(lanes, count &- at))
    at = at &+ lanes
  }
}
