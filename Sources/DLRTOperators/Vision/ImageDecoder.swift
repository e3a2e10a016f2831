import DLRTGraph

/// ONNX ImageDecoder (20): a file's bytes `[length]` as uint8 pixels `[height, width, channels]`, three channels for
/// `pixel_format` RGB and BGR, one for Grayscale (the luma of ITU-R BT.601).
///
/// Reads BMP and PBM/PGM/PPM/PAM itself, JPEG, JPEG 2000, PNG, TIFF and WebP through the system's libraries, which are
/// loaded when the first such image comes. Transparency is dropped. Bytes that are no image give `[0, 0, channels]`, as
/// the standard says; a library that is not installed is an error.
package struct ImageDecoder: Operator {
  package static let schema = OperatorSchema(
    "ImageDecoder", versions: [20], inputs: [("encoded_stream", "T1")], outputs: [("image", "T2")],
    types: ["T1": .uint8, "T2": .uint8])

  private enum Format: String, CaseIterable {
    case rgb = "RGB"
    case bgr = "BGR"
    case grayscale = "Grayscale"
  }

  private let format: Format

  package init(_ attributes: inout AttributeReader) throws {
    format = try attributes.choice("pixel_format", default: Format.rgb)
  }

  private var channels: Int { format == .grayscale ? 1 : 3 }

  package func infer(_ inference: inout Inference) throws {
    inference.setDataDependent(0, .tensor(.uint8), [.unknown, .unknown, .known(channels)])
    _ = try inference.shape(0, rank: 1)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let count = planning.shape(0)[0]
    return Step(kernel: "decode") { [format, channels] io in
      let bytes = UnsafeBufferPointer(start: io.input(0, as: UInt8.self), count: count)
      guard let image = try DecodedImage.decoded(bytes) else {
        _ = try io.allocate(output: 0, [0, 0, channels])
        return
      }
      let y = try io.allocate(output: 0, [image.height, image.width, channels]).assumingMemoryBound(to: UInt8.self)
      image.withPixels { pixels, count in
        switch format {
        case .rgb: UnsafeMutableRawPointer(y).copyMemory(from: pixels, byteCount: 3 &* count)
        case .bgr:
          for index in 0..<count {
            y[3 &* index] = pixels[3 &* index &+ 2]
            y[3 &* index &+ 1] = pixels[3 &* index &+ 1]
            y[3 &* index &+ 2] = pixels[3 &* index]
          }
        case .grayscale:
          for index in 0..<count {
            let (red, green, blue) = (pixels[3 &* index], pixels[3 &* index &+ 1], pixels[3 &* index &+ 2])
            let luma = 19595 &* UInt32(red) &+ 38470 &* UInt32(green) &+ 7471 &* UInt32(blue)
            y[index] = UInt8(truncatingIfNeeded: (luma &+ 0x8000) >> 16)
          }
        }
      }
    }
  }
}
