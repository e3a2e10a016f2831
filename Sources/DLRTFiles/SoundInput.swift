import DLRT
import DLRTGraph

/// RIFF/WAVE files: PCM of 8, 16, 24 or 32 bits and IEEE floats, averaged to one channel.
package enum SoundInput {
  static func read(_ path: String, port: Model.Port) throws -> Tensor {
    let samples = try samples(WholeFile.read(path), name: path)
    let leading = max(0, (port.shape?.rank ?? 1) - 1)
    let shape = [Int](repeating: 1, count: leading) + [samples.count]
    switch port.type {
    case .tensor(.float32): return try Tensor(samples, shape: shape)
    case .tensor(.float64): return try Tensor(samples.map(Double.init), shape: shape)
    case .tensor(.float16): return try Tensor(samples.map { Float16($0) }, shape: shape)
    default:
      throw DLRTError(.invalidInput, "sound gives floats", tensor: port.name, expected: "\(port.type)", got: path)
    }
  }

  /// Samples from -1 to 1.
  package static func samples(_ bytes: [UInt8], name: String) throws -> [Float] {
    var reader = ByteReader(bytes[...], name: name)
    let magic = try Array(reader.take(4))
    _ = try reader.take(4)
    guard magic == Array("RIFF".utf8), try Array(reader.take(4)) == Array("WAVE".utf8) else {
      throw reader.malformed("the file is no RIFF/WAVE sound")
    }
    var format: (code: UInt16, channels: Int, bits: Int)?
    while reader.left >= 8 {
      let id = String(decoding: try reader.take(4), as: UTF8.self)
      let size = Int(try reader.integer(UInt32.self))
      // Streaming writers leave the last size open.
      var chunk = ByteReader(try reader.take(id == "data" ? min(size, reader.left) : size), name: name)
      if size % 2 == 1 && reader.left > 0 { _ = try reader.take(1) }
      if id == "fmt " {
        var code = try chunk.integer(UInt16.self)
        let channels = Int(try chunk.integer(UInt16.self))
        _ = try chunk.take(10)
        let bits = Int(try chunk.integer(UInt16.self))
        if code == 0xfffe {
          _ = try chunk.take(8)
          code = try chunk.integer(UInt16.self)
        }
        format = (code, channels, bits)
      } else if id == "data" {
        guard let format, format.channels > 0 else { throw reader.malformed("the sound has no format") }
        return try decode(chunk.bytes, format.code, format.channels, format.bits, name)
      }
    }
    throw reader.malformed("the sound has no data")
  }

  private static func decode(
    _ bytes: ArraySlice<UInt8>, _ code: UInt16, _ channels: Int, _ bits: Int, _ name: String
  ) throws -> [Float] {
    let convert: (ArraySlice<UInt8>) -> Float
    func word(_ part: ArraySlice<UInt8>) -> UInt32 { part.reversed().reduce(0) { $0 << 8 | UInt32($1) } }
    switch (code, bits) {
    case (1, 8): convert = { (Float($0.first ?? 128) - 128) / 128 }
    case (1, 16), (1, 24), (1, 32):
      convert = { Float(Int32(bitPattern: word($0) << UInt32(32 - bits))) * 0x1p-31 }
    case (3, 32): convert = { Float(bitPattern: word($0)) }
    case (3, 64): convert = { part in Float(Double(bitPattern: part.reversed().reduce(0) { $0 << 8 | UInt64($1) })) }
    default:
      throw DLRTError(
        .invalidInput, "the sound's encoding is not supported", tensor: name, expected: "PCM or float",
        got: "code \(code), \(bits) bits")
    }
    let width = bits / 8
    let frame = width * channels
    return stride(from: bytes.startIndex, through: bytes.endIndex - frame, by: frame).map { start in
      var sum: Float = 0
      for channel in 0..<channels { sum += convert(bytes[start + channel * width..<start + (channel + 1) * width]) }
      return sum / Float(channels)
    }
  }
}
