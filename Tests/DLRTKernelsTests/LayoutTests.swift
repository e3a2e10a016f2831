import CKernelSupport
import DLRTKernels
import Testing

@Suite struct LayoutTests {
  @Test(arguments: KernelLibrary.available, [1, 2, 4, 8])
  func transposeMovesEveryElement(isa: ISA, bytes: Int) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<120 {
      var random = SeededGenerator(seed)
      let sizes = [0, 1, 2, 3, 4, 7, 16, 17, 33, 64, 70]
      let (rows, columns) = (random.pick(sizes), random.pick(sizes))
      let xStride = columns + random.int(0...2), yStride = rows + random.int(0...1) * 3
      let xCount = rows == 0 || columns == 0 ? 0 : (rows - 1) * xStride + columns
      let yCount = rows == 0 || columns == 0 ? 0 : (columns - 1) * yStride + rows
      let x = Guarded<UInt8>(xCount * bytes, offset: random.int(0...1)) { _ in UInt8(random.int(1...255)) }
      let y = Guarded<UInt8>(yCount * bytes, fence: random.pick([.before, .behind])) { _ in 0 }
      var args = dlk_transpose_args(
        rows: Int64(rows), columns: Int64(columns), element_bytes: Int64(bytes), x: x.pointer,
        x_row_stride: Int64(xStride), y: y.base, y_row_stride: Int64(yStride), fills: 0)
      let middle = Int64(random.int(0...rows)), center = Int64(random.int(0...columns))
      for r in [(0, middle), (middle, Int64(rows))] {
        for c in [(center, Int64(columns)), (0, center)] { kernels.pointee.transpose(&args, r.0, r.1, c.0, c.1) }
      }
      for c in 0..<(rows == 0 ? 0 : columns) {
        for i in 0..<(c + 1 < columns ? yStride : rows) * bytes {
          let value = i < rows * bytes ? x[(i / bytes * xStride + c) * bytes + i % bytes] : 0
          if y[c * yStride * bytes + i] != value {
            Issue.record("seed \(seed), \(rows)×\(columns), strides \(xStride) \(yStride): column \(c), byte \(i)")
            return
          }
        }
      }
    }
  }

  @Test(arguments: KernelLibrary.available)
  func bytesMayFillTheirRows(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<60 {
      var random = SeededGenerator(seed)
      let rows = random.int(1...4), columns = random.pick([1, 2, 5, 16, 17, 63, 64, 130])
      let x = Guarded<UInt8>(rows * columns) { _ in UInt8(random.int(1...255)) }
      let y = Guarded<UInt8>(columns * 4) { _ in 0 }
      var args = dlk_transpose_args(
        rows: Int64(rows), columns: Int64(columns), element_bytes: 1, x: x.pointer, x_row_stride: Int64(columns),
        y: y.base, y_row_stride: 4, fills: 1)
      let center = Int64(random.int(0...columns))
      kernels.pointee.transpose(&args, 0, Int64(rows), center, Int64(columns))
      kernels.pointee.transpose(&args, 0, Int64(rows), 0, center)
      for c in 0..<columns {
        for r in 0..<rows { #expect(y[c * 4 + r] == x[r * columns + c], "seed \(seed)") }
      }
    }
  }

  @Test(arguments: KernelLibrary.available)
  func imagesAreCopiedWithMargins(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<80 {
      var random = SeededGenerator(seed)
      let channels = random.pick([1, 2, 3, 4, 5, 16, 19]), height = random.int(1...5),
        width = random.pick([1, 5, 16, 37])
      let strides = random.pick([(height * width, width, 1), (1, width * channels, channels), (1, width * 20, 20)])
      let count = (channels - 1) * strides.0 + (height - 1) * strides.1 + (width - 1) * strides.2 + 1
      let x = Guarded(random: count, &random)
      let (top, left, bottom, right) = (random.int(0...2), random.int(0...3), random.int(0...2), random.int(0...3))
      let rowStride = (left + width + right) * channels + random.int(0...2), rows = top + height + bottom
      let y = Guarded<Float>((rows - 1) * rowStride + (left + width + right) * channels) { _ in -77 }
      var args = dlk_copy_image_args(
        channels: Int64(channels), height: Int64(height), width: Int64(width), x: x.pointer,
        x_channel_stride: Int64(strides.0), x_row_stride: Int64(strides.1), x_pixel_stride: Int64(strides.2),
        top: Int64(top), left: Int64(left), bottom: Int64(bottom), right: Int64(right), value: 0.25, y: y.base,
        y_row_stride: Int64(rowStride))
      let middle = Int64(random.int(0...rows))
      kernels.pointee.copy_image(&args, middle, Int64(rows))
      kernels.pointee.copy_image(&args, 0, middle)
      for row in 0..<rows {
        for pixel in 0..<left + width + right {
          for channel in 0..<channels {
            let isInside = (0..<height).contains(row - top) && (0..<width).contains(pixel - left)
            let value =
              isInside ? x[channel * strides.0 + (row - top) * strides.1 + (pixel - left) * strides.2] : 0.25
            if y[row * rowStride + pixel * channels + channel] != value {
              Issue.record("seed \(seed): row \(row), pixel \(pixel), channel \(channel)")
              return
            }
          }
        }
      }
    }
  }
}
