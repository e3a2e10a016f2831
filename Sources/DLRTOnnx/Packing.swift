import DLRTGraph

/// Elements of 4 and 2 bits as files hold them: first element in the lowest bits of the first byte.
enum Packing {
  /// Takes `count` elements apart, one a byte, signed ones sign-extended.
  static func unpack(
    _ packed: UnsafeRawBufferPointer, _ type: DataType, _ count: Int, into target: UnsafeMutablePointer<UInt8>
  ) {
    let bits = type.packedBits
    let perByte = 8 / bits
    let up = UInt8(8 - bits)
    for index in 0..<count {
      let byte = packed[index / perByte] >> UInt8(index % perByte * bits)
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
    let perByte = 8 / bits
    let mask = UInt8(1 << bits) - 1
    var packed = [UInt8](repeating: 0, count: (elements.count + perByte - 1) / perByte)
    for (index, element) in elements.enumerated() {
      packed[index / perByte] |= (element & mask) << UInt8(index % perByte * bits)
    }
    return packed
  }
}
