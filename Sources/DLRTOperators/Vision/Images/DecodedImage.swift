import CImageCodecs
import DLRTGraph

/// An image of 8-bit RGB pixels, rows from the top.
final class DecodedImage {
  let width: Int
  let height: Int
  private let pixels: UnsafeMutablePointer<UInt8>

  /// Larger images are refused, whatever a few bytes claim.
  private static let mostPixels = 1 << 28

  deinit { pixels.deallocate() }

  func withPixels(_ body: (UnsafePointer<UInt8>, _ count: Int) -> Void) { body(pixels, width &* height) }

  /// Pixels that `fill` writes, row by row, three bytes each; nil when it says that the data end too early.
  init?(width: Int, height: Int, _ fill: (UnsafeMutablePointer<UInt8>) -> Bool) throws(DLRTError) {
    guard width > 0, height > 0 else { return nil }
    guard height <= Self.mostPixels / width else { throw Self.tooLarge("\(width) x \(height) pixels") }
    self.width = width
    self.height = height
    pixels = .allocate(capacity: width &* height &* 3)
    pixels.initialize(repeating: 0, count: width &* height &* 3)
    guard fill(pixels) else { return nil }
  }

  /// Decodes a file of any known format, told by its first bytes; nil for bytes that are no image.
  static func decoded(_ bytes: UnsafeBufferPointer<UInt8>) throws(DLRTError) -> DecodedImage? {
    switch ImageFormat(bytes) {
    case nil: nil
    case .bitmap: try BitmapFile(bytes)?.decoded()
    case .portable: try PortableImageFile(bytes)?.decoded()
    case .library(let kind): try decoded(kind, bytes)
    }
  }

  private static func decoded(
    _ kind: dlc_kind, _ bytes: UnsafeBufferPointer<UInt8>
  ) throws(DLRTError) -> DecodedImage? {
    var image = dlc_image()
    let status = dlc_decode(kind, bytes.baseAddress, bytes.count, mostPixels, &image)
    defer { dlc_release(&image) }
    switch status {
    case DLC_OK: break
    case DLC_LIMIT: throw tooLarge(message(image))
    case DLC_MISSING:
      throw DLRTError(
        .unsupportedModel, "the library for images of this kind cannot be had", tensor: "encoded_stream",
        got: message(image))
    default: return nil
    }
    guard let source = image.pixels else { return nil }
    return try DecodedImage(width: image.width, height: image.height) { pixels in
      UnsafeMutableRawPointer(pixels).copyMemory(from: source, byteCount: image.width &* image.height &* 3)
      return true
    }
  }

  private static func message(_ image: dlc_image) -> String {
    withUnsafeBytes(of: image.message) { bytes in String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
  }

  private static func tooLarge(_ got: String) -> DLRTError {
    DLRTError(
      .limitExceeded, "the image is too large", tensor: "encoded_stream", expected: "at most \(mostPixels) pixels",
      got: got)
  }
}

/// The formats that ImageDecoder reads.
private enum ImageFormat {
  case bitmap
  case portable
  case library(dlc_kind)

  init?(_ bytes: UnsafeBufferPointer<UInt8>) {
    func begins(_ start: [UInt8], at offset: Int = 0) -> Bool {
      bytes.count >= offset + start.count && bytes[offset..<(offset + start.count)].elementsEqual(start)
    }
    if begins([0xFF, 0xD8, 0xFF]) {
      self = .library(DLC_JPEG)
    } else if begins([0x89, 0x50, 0x4E, 0x47]) {
      self = .library(DLC_PNG)
    } else if begins([0x49, 0x49, 0x2A, 0]) || begins([0x4D, 0x4D, 0, 0x2A]) || begins([0x49, 0x49, 0x2B, 0])
      || begins([0x4D, 0x4D, 0, 0x2B])
    {
      self = .library(DLC_TIFF)
    } else if begins(Array("RIFF".utf8)), begins(Array("WEBP".utf8), at: 8) {
      self = .library(DLC_WEBP)
    } else if begins([0, 0, 0, 0x0C, 0x6A, 0x50]) || begins([0xFF, 0x4F, 0xFF, 0x51]) {
      self = .library(DLC_JPEG2000)
    } else if begins(Array("BM".utf8)) {
      self = .bitmap
    } else if bytes.count > 2, bytes[0] == UInt8(ascii: "P"), (UInt8(ascii: "1")...UInt8(ascii: "7")).contains(bytes[1])
    {
      self = .portable
    } else {
      return nil
    }
  }
}
