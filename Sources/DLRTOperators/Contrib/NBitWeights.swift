import DLRTGraph

/// A matrix [rows][columns] of numbers of 2, 4 or 8 bits, in blocks along a row that share a scale and a zero point:
/// bytes [rows][blocks][block · bits / 8], the lowest bits first, and scales [rows][blocks].
struct NBitWeights: Sendable {
  let rows: Int
  let columns: Int
  let bits: Int
  let block: Int

  /// Where zero points are: nowhere (then they are half the range), packed as the numbers are, or float32.
  enum Zeros: Sendable { case none, packed, floats }

  var blocks: Int { (columns &+ block &- 1) / block }
  var blockBytes: Int { block &* bits / 8 }
  /// Bytes of one row of packed zero points.
  var zeroBytes: Int { (blocks &* bits &+ 7) / 8 }

  /// Addresses of the parts.
  struct Parts {
    let bytes: UnsafePointer<UInt8>
    let scales: UnsafePointer<Float>
    let zeros: UnsafeRawPointer?
    let kind: Zeros
    /// The block of each column, where that is not its place.
    let groups: UnsafePointer<Int32>?
  }

  /// Refuses columns whose block does not exist.
  func check(_ groups: UnsafePointer<Int32>) throws(DLRTError) {
    for column in 0..<columns where groups[column] < 0 || Int(groups[column]) >= blocks {
      throw DLRTError(
        .invalidInput, "index out of range", tensor: "g_idx", expected: "0..<\(blocks)", got: "\(groups[column])")
    }
  }

  private func zero(_ parts: Parts, _ row: Int, _ index: Int) -> Float {
    guard let zeros = parts.zeros else { return Float(1 << (bits &- 1)) }
    if parts.kind == .floats {
      return zeros.loadUnaligned(fromByteOffset: 4 &* (row &* blocks &+ index), as: Float.self)
    }
    let place = index &* bits
    let byte = zeros.load(fromByteOffset: row &* zeroBytes &+ place / 8, as: UInt8.self)
    return Float(byte >> UInt8(place % 8) & mask)
  }

  private var mask: UInt8 { UInt8(truncatingIfNeeded: 1 << bits &- 1) }

  /// Writes a row as float32.
  func expand(_ parts: Parts, row: Int, _ target: UnsafeMutablePointer<Float>) {
    let bytes = parts.bytes + row &* blocks &* blockBytes
    let mask = mask
    if let groups = parts.groups {
      for column in 0..<columns {
        let group = Int(groups[column])
        let place = column &* bits
        let number = Float(bytes[place / 8] >> UInt8(place % 8) & mask)
        target[column] = (number - zero(parts, row, group)) * parts.scales[row &* blocks &+ group]
      }
      return
    }
    for index in 0..<blocks {
      let scale = parts.scales[row &* blocks &+ index]
      let zero = zero(parts, row, index)
      let first = index &* block
      let count = min(block, columns &- first)
      let source = bytes + index &* blockBytes
      let out = target + first
      switch bits {
      case 8: for column in 0..<count { out[column] = (Float(source[column]) - zero) * scale }
      case 4:
        for pair in 0..<count / 2 {
          out[2 &* pair] = (Float(source[pair] & 15) - zero) * scale
          out[2 &* pair &+ 1] = (Float(source[pair] >> 4) - zero) * scale
        }
        if count % 2 == 1 { out[count &- 1] = (Float(source[count / 2] & 15) - zero) * scale }
      default:
        for column in 0..<count {
          out[column] = (Float(source[column / 4] >> UInt8(column % 4 &* 2) & 3) - zero) * scale
        }
      }
    }
  }
}
