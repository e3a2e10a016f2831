import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

private func decoded(_ bytes: [UInt8], _ format: String = "RGB") throws -> Tensor {
  try OperatorRun.tensor(
    "ImageDecoder", [Tensor(bytes, shape: [bytes.count])], ["pixel_format": .string(format)])
}

private func little(_ number: Int, _ size: Int) -> [UInt8] {
  (0..<size).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
}

/// A bitmap file: its header, the masks or the table of colours, the rows.
private func bitmap(_ width: Int, _ height: Int, bits: Int, compression: Int = 0, table: [UInt8] = [], _ rows: [UInt8])
  -> [UInt8]
{
  let start = 54 + table.count
  return Array("BM".utf8) + little(start + rows.count, 4) + little(0, 4) + little(start, 4) + little(40, 4)
    + little(width, 4) + little(height, 4) + little(1, 2) + little(bits, 2) + little(compression, 4)
    + little(rows.count, 4) + little(0, 8) + little(compression == 0 ? table.count / 4 : 0, 4) + little(0, 4) + table
    + rows
}

/// A bare JPEG 2000 code stream of 16 by 16 pixels: sizes, coding, quantisation, one tile.
private func codeStream(components: Int) -> [UInt8] {
  func big(_ number: Int, _ size: Int) -> [UInt8] { little(number, size).reversed() }
  func segment(_ mark: UInt8, _ content: [UInt8]) -> [UInt8] { [0xff, mark] + big(content.count + 2, 2) + content }
  var sizes = big(0, 2) + big(16, 4) + big(16, 4) + big(0, 8) + big(16, 4) + big(16, 4) + big(0, 8)
  sizes += big(components, 2)
  for _ in 0..<components { sizes += [7, 1, 1] }
  let data = [UInt8](repeating: 0, count: 4096)
  var stream: [UInt8] = [0xff, 0x4f] + segment(0x51, sizes) + segment(0x52, [0, 0, 0, 1, 0, 0, 4, 4, 0, 1])
  stream += segment(0x5c, [0x40, 0x40]) + segment(0x90, big(0, 2) + big(14 + data.count, 4) + [0, 1])
  return stream + [0xff, 0x93] + data + [0xff, 0xd9]
}

@Suite struct ImageTests {
  @Test func bitmapsOfAllDepths() throws {
    // Two pixels, red and green; rows are filled up to four bytes and stand upside down.
    let expected: [UInt8] = [255, 0, 0, 0, 255, 0]
    let table: [UInt8] = [0, 0, 255, 0, 0, 255, 0, 0]
    let files = [
      bitmap(2, 1, bits: 24, [0, 0, 255, 0, 255, 0, 0, 0]), bitmap(2, 1, bits: 32, [0, 0, 255, 9, 0, 255, 0, 9]),
      bitmap(2, 1, bits: 8, table: table, [0, 1, 0, 0]), bitmap(2, 1, bits: 4, table: table, [0x01, 0, 0, 0]),
      bitmap(2, 1, bits: 1, table: table, [0x40, 0, 0, 0]), bitmap(2, 1, bits: 16, [0x00, 0x7C, 0xE0, 0x03]),
      bitmap(
        2, 1, bits: 32, compression: 3, table: little(0xFF, 4) + little(0xFF00, 4) + little(0xFF0000, 4),
        [255, 0, 0, 0, 0, 255, 0, 0]),
    ]
    for file in files {
      let image = try decoded(file)
      #expect(image.shape == [1, 2, 3])
      #expect(try image.array(of: UInt8.self) == expected)
    }
    #expect(try decoded(files[0], "BGR").array(of: UInt8.self) == [0, 0, 255, 0, 255, 0])
    #expect(try decoded(files[0], "Grayscale").array(of: UInt8.self) == [76, 150])
    let upright = bitmap(1, -2, bits: 24, [1, 2, 3, 0, 4, 5, 6, 0])
    let upsideDown = bitmap(1, 2, bits: 24, [4, 5, 6, 0, 1, 2, 3, 0])
    #expect(try decoded(upright).array(of: UInt8.self) == [3, 2, 1, 6, 5, 4])
    #expect(try decoded(upsideDown).array(of: UInt8.self) == [3, 2, 1, 6, 5, 4])
  }

  @Test func portableImages() throws {
    func gray(_ text: String, _ bytes: [UInt8] = []) throws -> [UInt8] {
      try decoded(Array(text.utf8) + bytes, "Grayscale").array(of: UInt8.self)
    }
    #expect(try gray("P1 # bits\n3 1\n0 10") == [255, 0, 255])
    #expect(try gray("P4 3 1\n", [0b0100_0000]) == [255, 0, 255])
    #expect(try gray("P2 2 1 15\n15 3") == [255, 51])
    #expect(try gray("P5 2 1 255\n", [7, 9]) == [7, 9])
    #expect(try gray("P5 1 1 65535\n", [0x80, 0x80]) == [128])
    #expect(try decoded(Array("P3 1 1 255 1 2 3".utf8)).array(of: UInt8.self) == [1, 2, 3])
    #expect(try decoded(Array("P6 1 1 255\n".utf8) + [1, 2, 3]).array(of: UInt8.self) == [1, 2, 3])
    let pam = "P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
    #expect(try decoded(Array(pam.utf8) + [1, 2, 3, 4]).array(of: UInt8.self) == [1, 2, 3])
  }

  /// JPEG 2000 knows thousands of components, for each of which the decoder would take memory.
  @Test func imagesOfManyComponentsAreRefused() {
    #expect(throws: DLRTError.self) { try decoded(codeStream(components: 5)) }
  }

  @Test func whatIsNoImageGivesAnEmptyOne() throws {
    let whole = bitmap(2, 1, bits: 24, [0, 0, 255, 0, 255, 0, 0, 0])
    var files = (0..<whole.count).map { Array(whole.prefix($0)) }
    files += ["", "P", "P5", "P5 2 2 255\n12", "P6 99999999 99999999 255\n", "P2 1 1 3\n9", "RIFF....WEBP", "\u{1}"].map
    { Array($0.utf8) }
    files += [[0xFF, 0xD8, 0xFF, 0xE0], [0x89, 0x50, 0x4E, 0x47, 1, 2], [0x49, 0x49, 0x2A, 0, 8, 0, 0, 0]]
    files.append(bitmap(Int(Int32.max), Int(Int32.max), bits: 24, [0]))
    for file in files {
      #expect(try decoded(file).shape == [0, 0, 3])
      #expect(try decoded(file, "Grayscale").shape == [0, 0, 1])
    }
    #expect(throws: DLRTError.self) { try decoded(whole, "CMYK") }
  }
}
