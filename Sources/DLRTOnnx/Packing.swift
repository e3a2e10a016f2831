import DLRTGraph

/// Elements of less than 8 bits as files hold them: a stream of bits that begins at the lowest bit of the first byte.
enum Packing {
  /// Takes `count` elements apart, one a byte, signed ones sign-extended.
  static func unpack(
    _ packed: UnsafeRawBufferPointer, _ type: DataType, _ count: Int, into target: UnsafeMutablePointer<UInt8>
  ) {
    let bits = type.packedBits
    let up = UInt8(8 - bits)
    for index in 0..<count {
      let (place, shift) = (index * bits).quotientAndRemainder(dividingBy: 8)
      var byte = packed[place] >> UInt8(shift)
      if shift + bits > 8 { byte |= packed[place + 1] << UInt8(8 - shift) }
      if type.isSignedInteger {
        target[index] = UInt8(bitPattern: Int8(bitPattern: byte << up) >> Int8(up))
      } else {
        target[index] = (byte << up) >> up
      }
    }
  }

  /// Puts elements together that lie one a byte.
  static func pack(_ elements: UnsafeRawBufferPointer, _ type: DataType) -> [UInt8] {
    let bits = type.packedBits
    let mask = UInt8(1 << bits) - 1
    var packed = [UInt8](repeating: 0, count: (elements.count * bits + 7) / 8)
    for (index, element) in elements.enumerated() {
      let (place, shift) = (index * bits).quotientAndRemainder(dividingBy: 8)
      packed[place] |= (element & mask) << UInt8(shift)
      if shift + bits > 8 { packed[place + 1] |= (element & mask) >> UInt8(8 - shift) }
    }
    return packed
  }
}
