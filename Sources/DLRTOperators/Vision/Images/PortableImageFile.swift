import DLRTGraph

/// A file of the Netpbm family: P1 to P6 (bits, grey, colours; as text or bytes) and P7 (PAM).
struct PortableImageFile {
  private let bytes: UnsafeBufferPointer<UInt8>
  private let kind: UInt8
  private var position = 2
  private var width = 0
  private var height = 0
  private var channels = 1
  private var largest = 1

  init?(_ bytes: UnsafeBufferPointer<UInt8>) {
    self.bytes = bytes
    kind = bytes[1] - UInt8(ascii: "0")
    guard kind == 7 ? readHeader() : readSizes() else { return nil }
    guard width > 0, height > 0, width < 1 << 24, height < 1 << 24, (1...4).contains(channels),
      (1...65535).contains(largest)
    else { return nil }
  }

  private mutating func readSizes() -> Bool {
    channels = kind == 3 || kind == 6 ? 3 : 1
    guard let width = number(), let height = number() else { return false }
    (self.width, self.height) = (width, height)
    if kind != 1 && kind != 4 {
      guard let largest = number() else { return false }
      self.largest = largest
    }
    // One blank parts the header from bytes.
    if kind >= 4 { position += 1 }
    return true
  }

  /// The lines of a PAM header.
  private mutating func readHeader() -> Bool {
    while let word = word() {
      switch word {
      case "ENDHDR":
        position += 1
        return true
      case "WIDTH": width = number() ?? 0
      case "HEIGHT": height = number() ?? 0
      case "DEPTH": channels = number() ?? 0
      case "MAXVAL": largest = number() ?? 0
      case "TUPLTYPE": _ = self.word()
      default: return false
      }
    }
    return false
  }

  private mutating func skipBlanks() {
    while position < bytes.count {
      if bytes[position] == UInt8(ascii: "#") {
        while position < bytes.count, bytes[position] != 10 { position += 1 }
      } else if bytes[position] == 32 || (9...13).contains(bytes[position]) {
        position += 1
      } else {
        return
      }
    }
  }

  private mutating func word() -> String? {
    skipBlanks()
    let start = position
    while position < bytes.count, bytes[position] > 32, position - start < 16 { position += 1 }
    return start == position ? nil : String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func number() -> Int? {
    skipBlanks()
    var value: Int?
    while position < bytes.count, (48...57).contains(bytes[position]), (value ?? 0) < 1 << 30 {
      value = (value ?? 0) * 10 + Int(bytes[position] - 48)
      position += 1
    }
    return value
  }

  /// A bit of a text file, which needs no blank before the next.
  private mutating func bit() -> Int? {
    skipBlanks()
    guard position < bytes.count, bytes[position] == 48 || bytes[position] == 49 else { return nil }
    position += 1
    return Int(bytes[position - 1] - 48)
  }

  func decoded() throws(DLRTError) -> DecodedImage? {
    let sampleSize = largest > 255 ? 2 : 1
    let samples = width * height * channels
    // Of text, a sample takes at least one character.
    let needed = kind == 4 ? (width + 7) / 8 * height : kind < 4 ? samples : samples * sampleSize
    guard position <= bytes.count, needed <= bytes.count - position else { return nil }
    var reader = self
    return try DecodedImage(width: width, height: height) { pixels in
      for y in 0..<height {
        for x in 0..<width {
          let pixel = pixels + 3 * (width * y + x)
          for channel in 0..<channels {
            guard let value = reader.sample(x, y, channel, sampleSize), value <= largest else { return false }
            let byte = UInt8((value * 255 + largest / 2) / largest)
            // One channel is grey, two are grey and transparency, the fourth of four is transparency.
            if channels < 3 {
              if channel == 0 { (pixel[0], pixel[1], pixel[2]) = (byte, byte, byte) }
            } else if channel < 3 {
              pixel[channel] = byte
            }
          }
        }
      }
      return true
    }
  }

  private mutating func sample(_ x: Int, _ y: Int, _ channel: Int, _ size: Int) -> Int? {
    switch kind {
    case 1: return bit().map { 1 - $0 }
    case 2, 3: return number()
    case 4: return 1 - Int(bytes[position + (width + 7) / 8 * y + x / 8] >> UInt8(7 - x % 8)) & 1
    default:
      let place = position + ((width * y + x) * channels + channel) * size
      return size == 1 ? Int(bytes[place]) : Int(bytes[place]) << 8 | Int(bytes[place + 1])
    }
  }
}
