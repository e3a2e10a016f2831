import CKernelSupport
import DLRTGraph

/// dlrt's pool with channels last: Y[N, spatial…, C] from X[N, spatial…, C] by `function` max or average; the other
/// attributes are those of ONNX's pools. Up to three spatial axes; float32, smaller floats through it, and bytes for max.
package struct PoolNHWC: Operator {
  package static let schema = OperatorSchema(
    "PoolNHWC", domain: OperatorName.internalDomain, versions: [1], inputs: [("X", "T")], outputs: [("Y", "T")],
    types: ["T": [.halfFloats, .float32, TypeSet(.int8, .uint8)]])
  package static var promotedTypes: TypeSet { .halfFloats }

  package enum Function: String, CaseIterable, Sendable {
    case max, average
  }

  private let function: Function
  let pool: PoolAttributes
  private let includesPadding: Bool

  package static func takes(_ type: DataType, isMax: Bool) -> Bool {
    switch type {
    case .float32, .float16, .bfloat16: true
    case .int8, .uint8: isMax
    default: false
    }
  }

  package init(_ attributes: inout AttributeReader) throws { try self.init(&attributes, prefix: "") }

  /// - Parameter prefix: of the attributes' names.
  init(_ attributes: inout AttributeReader, prefix: String) throws {
    function = try attributes.choice(prefix + "function", default: .max)
    pool = try PoolAttributes(&attributes, prefix: prefix)
    includesPadding = try attributes.flag(prefix + "count_include_pad")
  }

  /// Rows of the image that a window has in common with the one below it; negative where rows are left out between them.
  package var sharedRows: Int { (pool.kernel[0] - 1) * pool.window.dilation(0) + 1 - pool.window.stride(0) }

  /// What the kernel makes of a window.
  var pooling: dlk_pooling {
    switch (function, includesPadding) {
    case (.max, _): DLK_POOL_MAX
    case (.average, false): DLK_POOL_AVERAGE
    case (.average, true): DLK_POOL_AVERAGE_PADDED
    }
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    guard Self.takes(type, isMax: function == .max) else {
      throw DLRTError(.invalidModel, "element type is not supported", tensor: inference.name(0), got: type.name)
    }
    inference.setType(0, type)
    inference.set(0, type, try pool.output(try inference.shape(0).channelsFirst, inference).channelsLast)
  }

  package func imageInputs(_ ranks: [Int]) -> [Int] { [0] }

  package var viewableInputs: [Int] { [0] }

  package func reads(_ view: StridedView, input index: Int, _ planning: Planning) -> Bool {
    index == 0 && view.hasPixels(planning.input(0))
  }

  package func writes(_ view: StridedView, _ planning: Planning) -> Bool { view.hasPixels(planning.output(0)) }

  package func plan(_ planning: inout Planning) throws -> Step {
    let input = planning.shape(0).channelsFirst
    let geometry = try pool.geometry(input)
    if planning.type(0).size == 1 { return Step.byteMaximum(geometry, images: input[0], channels: input[1], planning) }
    let (images, channels) = (input[0], input[1])
    let rows = geometry.outputRows
    let cost = Double(geometry.axes[geometry.axes.count - 1].output * channels * geometry.kernelSize) / 16
    let chunks = Chunks(images &* rows, cost: cost)
    let (xPlace, yPlace) = (PixelPlace(planning.input(0)), PixelPlace(planning.output(0)))
    let (inputSize, outputSize) = (geometry.inputSize &* xPlace.stride, geometry.outputSize &* yPlace.stride)
    let window = geometry.kernelWindow
    let (xPixels, yPixels) = (
      dlk_pixels(geometry.input, pixelStride: xPlace.stride), dlk_pixels(geometry.output, pixelStride: yPlace.stride)
    )
    let kernels = planning.kernels
    return Step(kernel: "\(kernels.isa.name)-f32-pool") { io in
      let (x, y) = (io.input(0, as: Float.self) + xPlace.offset, io.output(0, as: Float.self) + yPlace.offset)
      io.parallel(chunks) { range in
        var args = dlk_pool_args()
        args.function = pooling
        args.window = window
        args.channels = Int64(channels)
        args.x_pixels = xPixels
        args.y_pixels = yPixels
        var row = range.lowerBound
        while row < range.upperBound {
          let image = row / rows
          let end = min(range.upperBound, (image &+ 1) &* rows)
          args.x = x + image &* inputSize
          args.y = y + image &* outputSize
          kernels.table.pointee.pool(&args, Int64(row &- image &* rows), Int64(end &- image &* rows))
          row = end
        }
      }
    }
  }
}

extension Step {
  /// The greatest byte of each channel under a window; the least there is where the window holds no pixel.
  fileprivate static func byteMaximum(
    _ geometry: ConvolutionGeometry, images: Int, channels: Int, _ planning: Planning
  ) -> Step {
    let rows = WindowRows(geometry)
    let (inputSize, width) = (geometry.inputSize, rows.width)
    // Signed bytes with their highest bit inverted have the order of unsigned ones.
    let flip: UInt8 = planning.type(0) == .int8 ? 128 : 0
    let chunks = Chunks(images &* rows.count, cost: Double(width * channels * geometry.kernelSize) / 16)
    return Step(kernel: "loop") { io in
      let (x, y) = (io.input(0, as: UInt8.self), io.output(0, as: UInt8.self))
      io.parallel(chunks) { range in
        for unit in range {
          let image = x + unit / rows.count &* inputSize &* channels
          let line = y + unit &* width &* channels
          line.update(repeating: flip, count: width &* channels)
          rows.forEachTap(of: unit % rows.count) { start, _, column in
            for pixel in column.lower..<column.upper {
              raise(
                line + pixel &* channels, image + (start &+ pixel &* rows.stride) &* channels, flip, channels)
            }
          }
        }
      }
    }
  }

  private static func raise(
    _ target: UnsafeMutablePointer<UInt8>, _ source: UnsafePointer<UInt8>, _ flip: UInt8, _ count: Int
  ) {
    typealias Line = SIMD16<UInt8>
    let flips = Line(repeating: flip)
    var index = 0
    while index &+ 16 <= count {
      let old = UnsafeRawPointer(target + index).loadUnaligned(as: Line.self) ^ flips
      let new = UnsafeRawPointer(source + index).loadUnaligned(as: Line.self) ^ flips
      UnsafeMutableRawPointer(target + index).storeBytes(
        of: old.replacing(with: new, where: new .> old) ^ flips, as: Line.self)
      index = index &+ 16
    }
    while index < count {
      let (old, new) = (target[index] ^ flip, source[index] ^ flip)
      target[index] = (new > old ? new : old) ^ flip
      index = index &+ 1
    }
  }
}
