import CKernelSupport

func transpose(_ args: dlk_transpose_args, _ rows: Range<Int>, _ columns: Range<Int>) {
  switch args.element_bytes {
  case 1: transposeBytes(args, rows, columns)
  case 2: transposeScalars(UInt16.self, args, rows, columns)
  case 4: transposeVectors(args, rows, columns)
  default: transposeScalars(UInt64.self, args, rows, columns)
  }
}

/// Square blocks pass through registers; 64 columns are finished before the next, so that a column's cache lines in y
/// are still there when the next block of rows adds to them.
private func transposeVectors(_ args: dlk_transpose_args, _ rows: Range<Int>, _ columns: Range<Int>) {
  let xStride = Int(args.x_row_stride) &* 4, yStride = Int(args.y_row_stride) &* 4
  if rows.count == 3, yStride == 12 {
    interleaveThree(args, columns)
    return
  }
  if 0 < rows.count, rows.count < lanes / 2, yStride == rows.count &* 4 {
    interleave(args, rows, columns)
    return
  }
  var strip = columns.lowerBound
  while strip < columns.upperBound {
    let end = min(columns.upperBound, strip &+ 64)
    var row = rows.lowerBound
    while row < rows.upperBound {
      let height = min(lanes, rows.upperBound &- row)
      var column = strip
      while column < end {
        let width = min(lanes, end &- column)
        let x = args.x + (row &* xStride &+ column &* 4), y = args.y + (column &* yStride &+ row &* 4)
        if height == lanes && width == lanes {
          var block = VectorBlock { dlk_load(x + $0 &* xStride) }
          transposeInRegisters(&block)
          for i in 0..<lanes { dlk_store(y + i &* yStride, block[i]) }
        } else {
          var block = VectorBlock { $0 < height ? dlk_load_partial(x + $0 &* xStride, width) : VF() }
          transposeInRegisters(&block)
          for i in 0..<width { dlk_store_partial(y + i &* yStride, block[i], height) }
        }
        column = column &+ lanes
      }
      row = row &+ lanes
    }
    strip = end
  }
}

/// Three planes into pixels, as images come.
private func interleaveThree(_ args: dlk_transpose_args, _ columns: Range<Int>) {
  let xStride = Int(args.x_row_stride) &* 4
  var column = columns.lowerBound
  while column &+ lanes <= columns.upperBound {
    let x = args.x + column &* 4, y = args.y + column &* 12
    let (a, b, c) = (dlk_load(x), dlk_load(x + xStride), dlk_load(x + 2 &* xStride))
    dlk_store(y, dlk_interleave3(a, b, c, 0))
    dlk_store(y + 4 &* lanes, dlk_interleave3(a, b, c, 1))
    dlk_store(y + 8 &* lanes, dlk_interleave3(a, b, c, 2))
    column = column &+ lanes
  }
  while column < columns.upperBound {
    for row in 0..<3 {
      let value = (args.x + (row &* xStride &+ column &* 4)).loadUnaligned(as: UInt32.self)
      (args.y + (column &* 12 &+ row &* 4)).storeBytes(of: value, as: UInt32.self)
    }
    column = column &+ 1
  }
}

/// Few rows into dense pixels: each pixel is stored as a whole vector, whose surplus the following pixels overwrite.
private func interleave(_ args: dlk_transpose_args, _ rows: Range<Int>, _ columns: Range<Int>) {
  let xStride = Int(args.x_row_stride) &* 4, height = rows.count
  let x = args.x + rows.lowerBound &* xStride, y = args.y + rows.lowerBound &* 4
  // Pixels that follow a vector's worth of pixels before the range ends.
  let safe = columns.upperBound &- ceilDivide(lanes, height)
  var column = columns.lowerBound
  while column < columns.upperBound {
    let width = min(lanes, columns.upperBound &- column)
    var block = VectorBlock {
      $0 < height ? dlk_load_partial(x + ($0 &* xStride &+ column &* 4), width) : VF()
    }
    transposeInRegisters(&block)
    for i in 0..<width {
      let pixel = y + (column &+ i) &* height &* 4
      if column &+ i < safe {
        dlk_store(pixel, block[i])
      } else {
        dlk_store_partial(pixel, block[i], height)
      }
    }
    column = column &+ lanes
  }
}

@inline(__always)
func transposeScalars<T: BitwiseCopyable>(
  _ type: T.Type, _ args: dlk_transpose_args, _ rows: Range<Int>, _ columns: Range<Int>
) {
  let size = MemoryLayout<T>.size, xStride = Int(args.x_row_stride), yStride = Int(args.y_row_stride)
  var row = rows.lowerBound
  while row < rows.upperBound {
    let rowEnd = min(rows.upperBound, row &+ 32)
    var column = columns.lowerBound
    while column < columns.upperBound {
      let columnEnd = min(columns.upperBound, column &+ 32)
      for c in column..<columnEnd {
        for r in row..<rowEnd {
          let value = (args.x + (r &* xStride &+ c) &* size).loadUnaligned(as: T.self)
          (args.y + (c &* yStride &+ r) &* size).storeBytes(of: value, as: T.self)
        }
      }
      column = columnEnd
    }
    row = rowEnd
  }
}

func copyImage(_ args: dlk_copy_image_args, _ rows: Range<Int>) {
  let channels = Int(args.channels), width = Int(args.width), height = Int(args.height)
  let value = constant(args.value)
  for row in rows {
    let y: Target = args.y + row &* Int(args.y_row_stride)
    let line = row &- Int(args.top), whole = (Int(args.left) &+ width &+ Int(args.right)) &* channels
    guard line >= 0 && line < height else {
      fill(y, value, whole)
      continue
    }
    let left = Int(args.left) &* channels
    fill(y, value, left)
    fill(y + (left &+ width &* channels), value, Int(args.right) &* channels)
    let x: Source = args.x + line &* Int(args.x_row_stride)
    if args.x_channel_stride == 1 && args.x_pixel_stride == args.channels {
      copyFloats(x, y + left, width &* channels)
    } else if args.x_pixel_stride == 1 {
      let planes = dlk_transpose_args(
        rows: args.channels, columns: args.width, element_bytes: 4, x: x, x_row_stride: args.x_channel_stride,
        y: y + left, y_row_stride: args.channels, fills: 0)
      transposeVectors(planes, 0..<channels, 0..<width)
    } else {
      for pixel in 0..<width {
        for channel in 0..<channels {
          y[left &+ pixel &* channels &+ channel] =
            x[pixel &* Int(args.x_pixel_stride) &+ channel &* Int(args.x_channel_stride)]
        }
      }
    }
  }
}

private func fill(_ y: Target, _ value: VF, _ count: Int) {
  forEachVector(count) { at, present in dlk_store_partial(y + at, value, present) }
}

private func copyFloats(_ x: Source, _ y: Target, _ count: Int) {
  forEachVector(count) { at, present in dlk_store_partial(y + at, dlk_load_partial(x + at, present), present) }
}
