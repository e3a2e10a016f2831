import DLRTGraph

/// A Windows bitmap: 1, 4 or 8 bits with a table of colours, 16, 24 or 32 bits with or without masks, not compressed.
struct BitmapFile {
  private let bytes: UnsafeBufferPointer<UInt8>
  private let width: Int
  private let height: Int
  private let isTopDown: Bool
  private let bits: Int
  private let start: Int
  private let table: Int
  private let tableEntry: Int
  private let tableCount: Int
  /// Of red, green and blue, for 16 and 32 bits.
  private var masks: [UInt32]

  init?(_ bytes: UnsafeBufferPointer<UInt8>) {
    self.bytes = bytes
    func number(_ offset: Int, _ size: Int) -> Int? {
      guard offset >= 0, bytes.count - size >= offset else { return nil }
      return (0..<size).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
    }
    func signed(_ offset: Int) -> Int? { number(offset, 4).map { Int(Int32(truncatingIfNeeded: $0)) } }
    guard let start = number(10, 4), let header = number(14, 4) else { return nil }
    self.start = start
    if header == 12 {
      guard let width = number(18, 2), let height = number(20, 2), let bits = number(24, 2) else { return nil }
      (self.width, self.height, self.bits, isTopDown) = (width, height, bits, false)
      (table, tableEntry, tableCount, masks) = (26, 3, bits <= 8 ? 1 << bits : 0, [])
      guard bits != 16, bits != 32 else { return nil }
    } else {
      guard header >= 40, let width = signed(18), let height = signed(22), let bits = number(28, 2),
        let compression = number(30, 4), let used = number(46, 4)
      else { return nil }
      (self.width, self.height, self.bits, isTopDown) = (width, abs(height), bits, height < 0)
      (table, tableEntry, masks) = (14 + header, 4, bits == 16 ? [0x7C00, 0x3E0, 0x1F] : [0xFF0000, 0xFF00, 0xFF])
      tableCount = bits > 8 ? 0 : used == 0 ? 1 << bits : min(used, 1 << bits)
      switch compression {
      case 0: break
      case 3, 6:
        guard bits == 16 || bits == 32, let red = number(54, 4), let green = number(58, 4), let blue = number(62, 4)
        else { return nil }
        masks = [red, green, blue].map { UInt32(truncatingIfNeeded: $0) }
      default: return nil
      }
    }
    guard [1, 4, 8, 16, 24, 32].contains(bits), number(table + tableEntry * tableCount, 0) != nil else { return nil }
  }

  func decoded() throws(DLRTError) -> DecodedImage? {
    let (bits, bytes, width) = (bits, bytes, width)
    let row = (width.multipliedReportingOverflow(by: bits).partialValue &+ 31) / 32 &* 4
    guard width > 0, width < 1 << 24, height < 1 << 24, start <= bytes.count, row * height <= bytes.count - start else {
      return nil
    }
    let fields = masks.map(Field.init)
    return try DecodedImage(width: width, height: height) { pixels in
      for y in 0..<height {
        let source = start + row * (isTopDown ? y : height - 1 - y)
        let target = pixels + 3 * width * y
        for x in 0..<width {
          let pixel = target + 3 * x
          if bits <= 8 {
            let shift = 8 - bits - (x * bits) % 8
            let index = Int(bytes[source + x * bits / 8] >> UInt8(shift)) & ((1 << bits) - 1)
            guard index < tableCount else { return false }
            for channel in 0..<3 { pixel[channel] = bytes[table + tableEntry * index + 2 - channel] }
          } else if bits == 24 {
            for channel in 0..<3 { pixel[channel] = bytes[source + 3 * x + 2 - channel] }
          } else {
            let size = bits / 8
            let word = (0..<size).reduce(UInt32(0)) { $0 | UInt32(bytes[source + size * x + $1]) << UInt32(8 * $1) }
            for channel in 0..<3 { pixel[channel] = fields[channel].value(of: word) }
          }
        }
      }
      return true
    }
  }

  /// Some bits of a word, as a number of 8 bits.
  private struct Field {
    let mask: UInt32
    let shift: Int
    let largest: UInt32

    init(_ mask: UInt32) {
      self.mask = mask
      shift = mask.trailingZeroBitCount
      largest = mask == 0 ? 1 : mask >> UInt32(shift)
    }

    func value(of word: UInt32) -> UInt8 {
      UInt8(
        truncatingIfNeeded: (UInt64((word & mask) >> UInt32(min(shift, 31))) * 255 + UInt64(largest / 2))
          / UInt64(largest))
    }
  }
}
