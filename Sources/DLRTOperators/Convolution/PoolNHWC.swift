import CKernelSupport
import DLRTGraph

/// dlrt's pool with channels last: Y[N, spatial…, C] from X[N, spatial…, C] by `function` max or average; the other
/// attributes are those of ONNX's pools. Up to three spatial axes; float32, and smaller floats through it.
package struct PoolNHWC: Operator {
  package static let schema = OperatorSchema(
    "PoolNHWC", domain: OperatorName.internalDomain, versions: [1], inputs: [("X", "T")], outputs: [("Y", "T")],
    types: ["T": [.halfFloats, .float32]])
  package static var promotedTypes: TypeSet { .halfFloats }

  package enum Function: String, CaseIterable, Sendable {
    case max, average
  }

  private let function: Function
  private let pool: PoolAttributes
  private let includesPadding: Bool

  package init(_ attributes: inout AttributeReader) throws {
    function = try attributes.choice("function", default: .max)
    pool = try PoolAttributes(&attributes)
    includesPadding = try attributes.flag("count_include_pad")
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    inference.set(0, type, try pool.output(try inference.shape(0).channelsFirst, inference).channelsLast)
  }

  package var viewableInputs: [Int] { [0] }

  package func reads(_ view: StridedView, input index: Int, _ planning: Planning) -> Bool {
    index == 0 && view.hasPixels(planning.input(0))
  }

  package func writes(_ view: StridedView, _ planning: Planning) -> Bool { view.hasPixels(planning.output(0)) }

  package func plan(_ planning: inout Planning) throws -> Step {
    let input = planning.shape(0).channelsFirst
    let geometry = try pool.geometry(input)
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
    let pooling =
      switch (function, includesPadding) {
      case (.max, _): DLK_POOL_MAX
      case (.average, false): DLK_POOL_AVERAGE
      case (.average, true): DLK_POOL_AVERAGE_PADDED
      }
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
