import CFileFormats
import Testing

private struct Picture: Equatable {
  var pixels: [UInt8]
  var width: Int
  var height: Int
  var channels: Int

  func png() throws -> [UInt8] {
    var copy = pixels
    return try copy.withUnsafeMutableBufferPointer { buffer in
      var image = dlf_image(pixels: buffer.baseAddress, width: width, height: height, channels: channels)
      var bytes: UnsafeMutablePointer<UInt8>?
      var count = 0
      try checked { dlf_png_encode(&image, &bytes, &count, $0) }
      return taking(bytes, count)
    }
  }
}

private typealias Decoder = (
  UnsafePointer<UInt8>?, Int, Int, Int, UnsafeMutablePointer<dlf_image>?, UnsafeMutablePointer<dlf_error>?
) -> dlf_status

private func decode(
  _ bytes: [UInt8], channels: Int = 0, maxPixels: Int = 1 << 20, with decoder: Decoder = dlf_png_decode
) throws -> Picture {
  var image = dlf_image()
  try checked { decoder(bytes, bytes.count, channels, maxPixels, &image, $0) }
  let pixels = taking(image.pixels, image.width * image.height * image.channels)
  return Picture(pixels: pixels, width: image.width, height: image.height, channels: image.channels)
}

/// A grey JPEG of 8x8 pixels, all of value 128.
private let greyJPEG: [UInt8] =
  [0xFF, 0xD8, 0xFF, 0xDB, 0x00, 0x43, 0x00] + [UInt8](repeating: 1, count: 64)
  + [0xFF, 0xC0, 0x00, 0x0B, 0x08, 0x00, 0x08, 0x00, 0x08, 0x01, 0x01, 0x11, 0x00]
  + [0xFF, 0xC4, 0x00, 0x14, 0x00, 0x01] + [UInt8](repeating: 0, count: 15) + [0x00]
  + [0xFF, 0xC4, 0x00, 0x14, 0x10, 0x01] + [UInt8](repeating: 0, count: 15) + [0x00]
  + [0xFF, 0xDA, 0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x3F, 0x00, 0x3F, 0xFF, 0xD9]

@Suite struct ImageTests {
  private let colours = Picture(pixels: [255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9], width: 2, height: 2, channels: 3)
  private let greys = Picture(pixels: [0, 50, 100, 150, 200, 250], width: 3, height: 2, channels: 1)

  @Test func pngKeepsPixels() throws {
    #expect(try decode(colours.png()) == colours)
    #expect(try decode(greys.png()) == greys)
  }

  @Test func channelsAreConverted() throws {
    #expect(try decode(colours.png(), channels: 1).pixels == [76, 150, 29, 9])
    #expect(try decode(greys.png(), channels: 3).pixels == greys.pixels.flatMap { [$0, $0, $0] })
  }

  @Test func jpegIsDecoded() throws {
    let expected = Picture(pixels: Array(repeating: 128, count: 64), width: 8, height: 8, channels: 1)
    #expect(try decode(greyJPEG, with: dlf_jpeg_decode) == expected)
    #expect(try decode(greyJPEG, channels: 3, with: dlf_jpeg_decode).pixels == Array(repeating: 128, count: 192))
  }

  @Test func limitsHold() throws {
    let png = try colours.png()
    #expect(throws: FormatFailure.of(DLF_LIMIT)) { try decode(png, maxPixels: 3) }
    #expect(throws: FormatFailure.of(DLF_LIMIT)) { try decode(greyJPEG, maxPixels: 63, with: dlf_jpeg_decode) }
    #expect(throws: FormatFailure.of(DLF_UNSUPPORTED)) { try decode(png, channels: 2) }
  }

  @Test func everyTruncationIsRefused() throws {
    let png = try colours.png()
    // The last chunk holds no pixels: libpng reads an image without it.
    for count in 0..<(png.count - 12) {
      #expect(throws: FormatFailure.of(DLF_MALFORMED)) { try decode(Array(png.prefix(count))) }
    }
    for count in 0..<(greyJPEG.count - 3) {
      #expect(throws: FormatFailure.of(DLF_MALFORMED)) {
        try decode(Array(greyJPEG.prefix(count)), with: dlf_jpeg_decode)
      }
    }
  }

  @Test func changedBytesAreReadOrRefused() throws {
    let png = try colours.png()
    for (bytes, decoder) in [(png, dlf_png_decode as Decoder), (greyJPEG, dlf_jpeg_decode as Decoder)] {
      for index in bytes.indices {
        for mask: UInt8 in [0x01, 0x20, 0x80, 0xFF] {
          var changed = bytes
          changed[index] ^= mask
          do {
            let picture = try decode(changed, with: decoder)
            #expect(picture.pixels.count == picture.width * picture.height * picture.channels)
          } catch let failure as FormatFailure {
            #expect(!failure.message.isEmpty)
          }
        }
      }
    }
  }

  @Test func emptyImagesAreNotWritten() {
    #expect(throws: FormatFailure.of(DLF_UNSUPPORTED)) {
      try Picture(pixels: [0], width: 0, height: 1, channels: 1).png()
    }
  }
}
