import CKernelSupport
import DLRTGraph

/// Transposes a matrix whose rows are contiguous in the source and whose columns are contiguous in the target: the inner
/// part of a strided copy.
struct Transposition: PlainTask {
  /// Takes source, target, rows and columns of the target's view, the distance of columns in the source, and that of
  /// rows in the target, both in bytes.
  typealias Loop = @Sendable (UnsafeRawPointer, UnsafeMutableRawPointer, Int, Int, Int, Int) -> Void

  /// Source lines that are read side by side: they stay in the first-level cache even when their distance is a power
  /// of two.
  private static let width = 16

  func run<T: BitwiseCopyable & Equatable & Sendable>(_: T.Type) -> Loop {
    let kernels = KernelSet.active
    return { source, target, rows, columns, sourceStep, targetStep in
      let size = MemoryLayout<T>.size
      if size == 4, rows < 4, sourceStep == rows &* size {
        Self.separate(source, target, rows, columns, targetStep)
        return
      }
      if size == 4, columns == 2, targetStep == 2 &* size {
        Self.interleave(source, source + sourceStep, target, rows)
        return
      }
      if size == 4 {
        var args = dlk_transpose_args()
        (args.rows, args.columns, args.element_bytes) = (Int64(columns), Int64(rows), 4)
        (args.x, args.x_row_stride) = (source, Int64(sourceStep / size))
        (args.y, args.y_row_stride) = (target, Int64(targetStep / size))
        return kernels.table.pointee.transpose(&args, 0, args.rows, 0, args.columns)
      }
      var column = 0
      while column &+ Self.width <= columns {
        let from = source + column &* sourceStep
        let to = target + column &* size
        for row in 0..<rows {
          let line = (to + row &* targetStep).assumingMemoryBound(to: T.self)
          let element = from + row &* size
          for index in 0..<Self.width {
            line[index] = (element + index &* sourceStep).assumingMemoryBound(to: T.self).pointee
          }
        }
        column = column &+ Self.width
      }
      while column < columns {
        let line = (source + column &* sourceStep).assumingMemoryBound(to: T.self)
        let to = target + column &* size
        for row in 0..<rows { (to + row &* targetStep).assumingMemoryBound(to: T.self).pointee = line[row] }
        column = column &+ 1
      }
    }
  }

  /// Separates two or three interleaved channels, as of an image whose pixels are together.
  private static func separate(
    _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ channels: Int, _ columns: Int, _ targetStep: Int
  ) {
    typealias Line = SIMD4<UInt32>
    var column = 0
    while column &+ 4 <= columns, channels > 1 {
      let from = source + column &* channels &* 4
      let to = target + column &* 4
      let a = from.loadUnaligned(as: Line.self)
      let b = from.loadUnaligned(fromByteOffset: 16, as: Line.self)
      if channels == 2 {
        to.storeBytes(of: Line(a[0], a[2], b[0], b[2]), as: Line.self)
        to.storeBytes(of: Line(a[1], a[3], b[1], b[3]), toByteOffset: targetStep, as: Line.self)
      } else {
        let c = from.loadUnaligned(fromByteOffset: 32, as: Line.self)
        to.storeBytes(of: Line(a[0], a[3], b[2], c[1]), as: Line.self)
        to.storeBytes(of: Line(a[1], b[0], b[3], c[2]), toByteOffset: targetStep, as: Line.self)
        to.storeBytes(of: Line(a[2], b[1], c[0], c[3]), toByteOffset: 2 &* targetStep, as: Line.self)
      }
      column = column &+ 4
    }
    while column < columns {
      for channel in 0..<channels {
        let element = source.load(fromByteOffset: (column &* channels &+ channel) &* 4, as: UInt32.self)
        target.storeBytes(of: element, toByteOffset: channel &* targetStep &+ column &* 4, as: UInt32.self)
      }
      column = column &+ 1
    }
  }

  /// Joins two runs element by element, as of channels that are shuffled in two groups.
  private static func interleave(
    _ first: UnsafeRawPointer, _ second: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ count: Int
  ) {
    typealias Line = SIMD4<UInt32>
    var index = 0
    while index &+ 4 <= count {
      let a = first.loadUnaligned(fromByteOffset: index &* 4, as: Line.self)
      let b = second.loadUnaligned(fromByteOffset: index &* 4, as: Line.self)
      target.storeBytes(of: Line(a[0], b[0], a[1], b[1]), toByteOffset: index &* 8, as: Line.self)
      target.storeBytes(of: Line(a[2], b[2], a[3], b[3]), toByteOffset: index &* 8 &+ 16, as: Line.self)
      index = index &+ 4
    }
    while index < count {
      target.storeBytes(
        of: first.loadUnaligned(fromByteOffset: index &* 4, as: UInt32.self), toByteOffset: index &* 8, as: UInt32.self)
      target.storeBytes(
        of: second.loadUnaligned(fromByteOffset: index &* 4, as: UInt32.self), toByteOffset: index &* 8 &+ 4,
        as: UInt32.self)
      index = index &+ 1
    }
  }
}
