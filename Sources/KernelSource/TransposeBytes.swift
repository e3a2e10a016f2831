import CKernelSupport

/// Bytes come together by zips, which stay within 16 bytes: each of these holds columns of its own.
func transposeBytes(_ args: dlk_transpose_args, _ rows: Range<Int>, _ columns: Range<Int>) {
  let height = rows.count, isWhole = height == Int(args.rows)
  if isWhole, args.y_row_stride == 4, height == 4 || 0 < height && height < 4 && args.fills != 0 {
    return makeWords(args, columns)
  }
  if height < 4 || columns.count < 4 { return transposeScalars(UInt8.self, args, rows, columns) }
  let xStride = Int(args.x_row_stride), yStride = Int(args.y_row_stride), size = 4 &* lanes
  var column = columns.lowerBound
  while column < columns.upperBound {
    let width = min(size, columns.upperBound &- column)
    var row = rows.lowerBound
    while row < rows.upperBound {
      let height = min(16, rows.upperBound &- row)
      let x = args.x + (row &* xStride &+ column)
      var block = InlineArray<16, VI> { $0 < height ? dlk_load_bytes(x + $0 &* xStride, width) : VI() }
      for _ in 0..<4 {
        let from = block
        for i in 0..<8 {
          block[2 &* i] = dlk_zip_low_i8(from[i], from[i &+ 8])
          block[2 &* i &+ 1] = dlk_zip_high_i8(from[i], from[i &+ 8])
        }
      }
      let y = args.y + (column &* yStride &+ row)
      withAddress(of: &block) { block in
        for index in 0..<width {
          let from = block + ((index & 15) &* size &+ (index & ~15))
          let to = y + index &* yStride
          if height == 16 {
            to.copyMemory(from: from, byteCount: 16)
          } else {
            to.copyMemory(from: from, byteCount: height)
          }
        }
      }
      row = row &+ 16
    }
    column = column &+ size
  }
}

/// Up to four rows into the bytes of words.
private func makeWords(_ args: dlk_transpose_args, _ columns: Range<Int>) {
  let xStride = Int(args.x_row_stride), height = Int(args.rows), size = 4 &* lanes
  var column = columns.lowerBound
  while column < columns.upperBound {
    let width = min(size, columns.upperBound &- column)
    let x = InlineArray<4, VI> {
      $0 < height ? dlk_load_bytes(args.x + ($0 &* xStride &+ column), width) : VI()
    }
    let a = dlk_zip_low_i8(x[0], x[1]), b = dlk_zip_high_i8(x[0], x[1])
    let c = dlk_zip_low_i8(x[2], x[3]), d = dlk_zip_high_i8(x[2], x[3])
    var words: InlineArray<4, VI> = [
      dlk_zip_low_i16(a, c), dlk_zip_high_i16(a, c), dlk_zip_low_i16(b, d), dlk_zip_high_i16(b, d),
    ]
    let y: UnsafeMutableRawPointer = args.y + column &* 4
    withAddress(of: &words) { words in
      var index = 0
      while index < width {
        let from = words + ((index & 15) / 4 &* size &+ (index & ~15))
        (y + index &* 4).copyMemory(from: from, byteCount: min(16, (width &- index) &* 4))
        index = index &+ 4
      }
    }
    column = column &+ size
  }
}
