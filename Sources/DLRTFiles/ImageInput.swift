import CFileFormats
import DLRT
import DLRTGraph

/// An image as a model's input `[N, C, H, W]` or `[N, H, W, C]`, by the conventions in the model's metadata.
struct ImageInput {
  private let port: Model.Port
  private let channels: Int
  private let isChannelsLast: Bool
  /// nil where the input takes any size.
  private let height: Int?
  private let width: Int?
  private let scale: Float
  private let mean: [Float]
  private let deviation: [Float]

  private static let mostPixels = 1 << 28
  /// Of an input, whose pixels are floats on their way.
  private static let mostInputPixels = 1 << 26

  /// - Parameters:
  ///   - shape: the input's shape with open dimensions filled in.
  ///   - open: the axes whose sizes nobody has said.
  init(_ port: Model.Port, _ metadata: Model.Metadata, _ shape: [Int], open: Set<Int>) throws {
    self.port = port
    guard let declared = port.shape, declared.rank == 4 || declared.rank == 3, shape.count == declared.rank else {
      throw DLRTError(
        .invalidInput, "the input is no image", tensor: port.name, expected: "[N, C, H, W] or [N, H, W, C]",
        got: port.shape.map { "\($0)" })
    }
    let first = declared.rank - 3
    func isChannels(_ axis: Int) -> Bool { [1, 3].contains(declared[axis].value ?? 0) }
    isChannelsLast = !isChannels(first) && isChannels(first + 2)
    guard isChannelsLast || isChannels(first) else {
      throw DLRTError(
        .invalidInput, "the input is no image of 1 or 3 channels", tensor: port.name, got: "\(declared)")
    }
    let channelAxis = isChannelsLast ? first + 2 : first
    channels = shape[channelAxis]
    guard channels == declared[channelAxis].value else {
      throw DLRTError(
        .invalidInput, "the input has another number of channels", tensor: port.name, expected: "\(declared)",
        got: "\(shape)")
    }
    let heightAxis = isChannelsLast ? first : first + 1
    guard first == 0 || shape[0] == 1 else {
      throw DLRTError(
        .invalidInput, "one image does not fill the batch", tensor: port.name, expected: "a batch of 1", got: "\(shape)"
      )
    }
    // An open dimension takes the image's size.
    func size(_ axis: Int) -> Int? { open.contains(axis) ? nil : shape[axis] }
    height = size(heightAxis)
    width = size(heightAxis + 1)
    let properties = metadata.properties
    scale = try Self.numbers(properties, "dlrt.input.scale", count: 1, fallback: 1 / 255)[0]
    mean = try Self.numbers(properties, "dlrt.input.mean", count: channels, fallback: 0)
    deviation = try Self.numbers(properties, "dlrt.input.std", count: channels, fallback: 1)
  }

  private static func numbers(
    _ properties: [String: String], _ key: String, count: Int, fallback: Float
  ) throws -> [Float] {
    guard let text = properties[key] else { return Array(repeating: fallback, count: count) }
    let values = text.split(separator: ",").map { part in Float(part.filter { $0 != " " }) }
    let known = values.compactMap { $0 }
    guard known.count == values.count, known.count == 1 || known.count == count else {
      throw DLRTError(.invalidModel, "the metadata entry is no list of numbers", tensor: key, got: text)
    }
    return known.count == 1 ? Array(repeating: known[0], count: count) : known
  }

  func read(_ path: String) throws -> Tensor {
    let image = try DecodedImage(WholeFile.read(path), name: path, channels: channels, mostPixels: Self.mostPixels)
    let height = self.height ?? image.height
    let width = self.width ?? image.width
    guard height > 0, width > 0 else {
      throw DLRTError(.invalidInput, "the input has no pixels", tensor: port.name, got: "\(height)×\(width)")
    }
    guard height <= Self.mostInputPixels / width else {
      throw DLRTError(
        .limitExceeded, "the input has too many pixels", tensor: port.name,
        expected: "at most \(Self.mostInputPixels)", got: "\(height)×\(width)")
    }
    let pixels = image.resized(height, width)
    let leading = Array(repeating: 1, count: (port.shape?.rank ?? 4) - 3)
    let shape = leading + (isChannelsLast ? [height, width, channels] : [channels, height, width])
    func value(_ pixel: Int, _ channel: Int) -> Float { pixels[pixel * channels + channel] }
    var values = [Float](repeating: 0, count: pixels.count)
    let area = height * width
    for pixel in 0..<area {
      for channel in 0..<channels {
        values[isChannelsLast ? pixel * channels + channel : channel * area + pixel] = value(pixel, channel)
      }
    }
    func normalized(_ index: Int) -> Float {
      let channel = isChannelsLast ? index % channels : index / area
      return (values[index] * scale - mean[channel]) / deviation[channel]
    }
    switch port.type {
    case .tensor(.float32): return try Tensor(values.indices.map(normalized), shape: shape)
    case .tensor(.float16): return try Tensor(values.indices.map { Float16(normalized($0)) }, shape: shape)
    case .tensor(.float64): return try Tensor(values.indices.map { Double(normalized($0)) }, shape: shape)
    case .tensor(.uint8): return try Tensor(values.map { UInt8(max(0, min(255, $0.rounded()))) }, shape: shape)
    default:
      throw DLRTError(.invalidInput, "an image does not fit the input", tensor: port.name, got: "\(port.type)")
    }
  }
}

/// Pixels of an image file, interleaved.
struct DecodedImage {
  let width: Int
  let height: Int
  let channels: Int
  private let pixels: [UInt8]

  init(_ bytes: [UInt8], name: String, channels: Int, mostPixels: Int) throws {
    var image = dlf_image()
    var error = dlf_error()
    let isPNG = bytes.starts(with: [0x89, 0x50, 0x4e, 0x47])
    let status =
      isPNG
      ? dlf_png_decode(bytes, bytes.count, channels, mostPixels, &image, &error)
      : dlf_jpeg_decode(bytes, bytes.count, channels, mostPixels, &image, &error)
    guard status == DLF_OK, let start = image.pixels else {
      throw DLRTError(status == DLF_LIMIT ? .limitExceeded : .invalidInput, error.text, tensor: name)
    }
    defer { dlf_free(image.pixels) }
    width = image.width
    height = image.height
    self.channels = image.channels
    pixels = Array(UnsafeBufferPointer(start: start, count: image.width * image.height * image.channels))
  }

  /// Averages over the area that each new pixel covers, so that shrinking does not alias.
  func resized(_ newHeight: Int, _ newWidth: Int) -> [Float] {
    if newHeight == height && newWidth == width { return pixels.map(Float.init) }
    let rows = Coverage(of: height, by: newHeight)
    let columns = Coverage(of: width, by: newWidth)
    // The direction that leaves less for the other comes first: between them there are never many more pixels than the
    // larger of the two images has.
    if height * newWidth <= newHeight * width {
      let narrow = Self.averaged(columns, outer: height, inner: channels) { Float(pixels[$0]) }
      return Self.averaged(rows, outer: 1, inner: newWidth * channels) { narrow[$0] }
    }
    let low = Self.averaged(rows, outer: 1, inner: width * channels) { Float(pixels[$0]) }
    return Self.averaged(columns, outer: newHeight, inner: channels) { low[$0] }
  }

  /// Averages the middle axis of `[outer, old, inner]`.
  private static func averaged(
    _ coverage: Coverage, outer: Int, inner: Int, _ source: (Int) -> Float
  ) -> [Float] {
    var result = [Float](repeating: 0, count: outer * coverage.count * inner)
    for block in 0..<outer {
      for index in 0..<coverage.count {
        let target = (block * coverage.count + index) * inner
        var start = (block * coverage.old + coverage.first(index)) * inner
        for weight in coverage.weights(index) {
          for offset in 0..<inner { result[target + offset] += weight * source(start + offset) }
          start += inner
        }
      }
    }
    return result
  }
}

/// For each new pixel of a row or column, the old ones that it covers, and how much of it each of them is.
private struct Coverage {
  let old: Int
  private var firsts: [Int32] = []
  /// Where in `parts` the weights of each new pixel end.
  private var ends: [Int32] = []
  private var parts: [Float] = []

  init(of old: Int, by new: Int) {
    self.old = old
    let ratio = Double(old) / Double(new)
    for index in 0..<new {
      let start = Double(index) * ratio
      let end = min(Double(old), start + ratio)
      let first = min(old - 1, Int(start))
      let last = min(old - 1, max(first, Int(end.rounded(.up)) - 1))
      func covered(_ pixel: Int) -> Double { max(0, min(end, Double(pixel + 1)) - max(start, Double(pixel))) }
      let sum = (first...last).reduce(0) { $0 + covered($1) }
      firsts.append(Int32(first))
      if sum > 0 { for pixel in first...last { parts.append(Float(covered(pixel) / sum)) } } else { parts.append(1) }
      ends.append(Int32(parts.count))
    }
  }

  var count: Int { firsts.count }
  func first(_ index: Int) -> Int { Int(firsts[index]) }
  func weights(_ index: Int) -> ArraySlice<Float> { parts[(index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index])] }
}
