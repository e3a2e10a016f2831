import DLRTGraph
import Glibc

/// Moves blocks of equal size between a contiguous list of blocks and places given by offsets.
///
/// Gather, GatherElements and GatherND read from such places; Scatter* write to them.
package struct BlockMove: Sendable {
  private typealias Loop =
    @Sendable (UnsafeRawPointer, UnsafeMutableRawPointer, UnsafePointer<Int>, Range<Int>, Int) -> Void

  /// Bytes of one block.
  package let bytes: Int
  private let loop: Loop

  /// - Parameter bytes: the size of a block.
  package init(gathering bytes: Int) {
    self.bytes = bytes
    loop =
      switch bytes {
      case 1: Self.gather(UInt8.self)
      case 2: Self.gather(UInt16.self)
      case 4: Self.gather(UInt32.self)
      case 8: Self.gather(UInt64.self)
      default:
        { source, target, offsets, range, bytes in
          for index in range { memcpy(target + index &* bytes, source + offsets[index] &* bytes, bytes) }
        }
      }
  }

  package init(scattering bytes: Int) {
    self.bytes = bytes
    loop =
      switch bytes {
      case 1: Self.scatter(UInt8.self)
      case 2: Self.scatter(UInt16.self)
      case 4: Self.scatter(UInt32.self)
      case 8: Self.scatter(UInt64.self)
      default:
        { source, target, offsets, range, bytes in
          for index in range { memcpy(target + offsets[index] &* bytes, source + index &* bytes, bytes) }
        }
      }
  }

  // Blocks may be several small elements, so their addresses promise no alignment.
  private static func gather<T: BitwiseCopyable & Sendable>(_: T.Type) -> Loop {
    { source, target, offsets, range, _ in
      for index in range {
        target.storeBytes(
          of: source.loadUnaligned(fromByteOffset: offsets[index] &* MemoryLayout<T>.size, as: T.self),
          toByteOffset: index &* MemoryLayout<T>.size, as: T.self)
      }
    }
  }

  private static func scatter<T: BitwiseCopyable & Sendable>(_: T.Type) -> Loop {
    { source, target, offsets, range, _ in
      for index in range {
        target.storeBytes(
          of: source.loadUnaligned(fromByteOffset: index &* MemoryLayout<T>.size, as: T.self),
          toByteOffset: offsets[index] &* MemoryLayout<T>.size, as: T.self)
      }
    }
  }

  /// Moves the blocks of a range of the list.
  ///
  /// - Parameter offsets: places counted in blocks.
  @inline(__always)
  package func run(
    _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ offsets: UnsafePointer<Int>, _ range: Range<Int>
  ) {
    loop(source, target, offsets, range, bytes)
  }

  /// A cut of the list for threads.
  package func chunks(_ count: Int) -> Chunks { Chunks(count, cost: 1.5 + Double(bytes) * 0.1) }
}
