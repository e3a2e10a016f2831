import DLRTGraph

/// ONNX MaxRoiPool (1, 22): for every region (image, x1, y1, x2, y2) of rois `[regions, 5]` the maximum of X `[N, C, H, W]`
/// in each bin of pooled_shape; bins without elements give 0. float16, bfloat16, float, double.
package struct MaxRoiPool: Operator {
  package static let schema = OperatorSchema(
    "MaxRoiPool", versions: [1, 22], inputs: [("X", "T"), ("rois", "T")], outputs: [("Y", "T")], types: ["T": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let height: Int
  private let width: Int
  private let spatialScale: Float

  package init(_ attributes: inout AttributeReader) throws {
    let shape = try attributes.ints("pooled_shape")
    guard shape.count == 2, shape.allSatisfy({ $0 >= 1 && $0 <= 1 << 16 }) else {
      throw DLRTError(
        .invalidModel, "out of range", tensor: "pooled_shape", expected: "height and width", got: "\(shape)")
    }
    (height, width) = (shape[0], shape[1])
    spatialScale = try attributes.float("spatial_scale", default: 1)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let input = try inference.shape(0, rank: 4)
    let rois = try inference.shape(1, rank: 2)
    guard !rois[1].provablyDiffers(5) else {
      throw DLRTError(.invalidModel, "wrong shape", tensor: inference.name(1), expected: "[regions, 5]", got: "\(rois)")
    }
    inference.set(0, type, [rois[0], input[1], .known(height), .known(width)])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    try planning.type(0).dispatch(
      Plan(
        input: planning.shape(0), regions: planning.shape(1)[0], height: height, width: width, scale: spatialScale))
  }

  private struct Plan: FloatTask {
    let input: [Int]
    let regions: Int
    let height: Int
    let width: Int
    let scale: Float

    func run<T: RealElement>(_ type: T.Type) -> Step {
      let (images, channels) = (input[0], input[1])
      let (planeSize, binCount) = (input[2] &* input[3], height &* width)
      return Step(kernel: "roi") { io in
        let (x, rois, y) = (io.input(0, as: T.self), io.input(1, as: T.self), io.output(0, as: T.self))
        for region in 0..<regions {
          let image = rois[region &* 5]
          guard image >= 0, image < T(images) else {
            throw DLRTError(
              .invalidInput, "index is out of range", tensor: "rois", expected: "0..<\(images)", got: "\(image)")
          }
          for corner in 1..<5 where !rois[region &* 5 &+ corner].isFinite {
            throw DLRTError(.invalidInput, "not a number", tensor: "rois", got: "\(rois[region &* 5 &+ corner])")
          }
        }
        io.parallel(regions &* channels) { unit in
          let roi = rois + unit / channels &* 5
          let plane = Int(roi[0]) &* channels &+ unit % channels
          pool(roi, x + plane &* planeSize, y + unit &* binCount)
        }
      }
    }

    private func pool<T: RealElement>(
      _ roi: UnsafePointer<T>, _ plane: UnsafePointer<T>, _ result: UnsafeMutablePointer<T>
    ) {
      let columns = bins(roi[1], roi[3], width)
      let rows = bins(roi[2], roi[4], height)
      for bin in 0..<height &* width {
        let (top, bottom) = range(bin / width, rows, input[2])
        let (left, right) = range(bin % width, columns, input[3])
        guard top < bottom, left < right else {
          result[bin] = 0
          continue
        }
        var greatest = T.lowest
        for row in top..<bottom {
          for column in left..<right { greatest = max(greatest, plane[row &* input[3] &+ column]) }
        }
        result[bin] = greatest
      }
    }

    /// A region's first element along an axis and the size of its bins; coordinates beyond any image are cut off.
    private func bins<T: RealElement>(_ from: T, _ to: T, _ count: Int) -> (start: T, size: T) {
      let limit: T = 0x1p24
      let start = min(max((from * T(scale)).rounded(), -limit), limit)
      let end = min(max((to * T(scale)).rounded(), -limit), limit)
      return (start, max(end - start + 1, 1) / T(count))
    }

    private func range<T: RealElement>(_ bin: Int, _ bins: (start: T, size: T), _ size: Int) -> (Int, Int) {
      let start = (T(bin) * bins.size).rounded(.down) + bins.start
      let end = (T(bin + 1) * bins.size).rounded(.up) + bins.start
      return (min(max(Int(start), 0), size), min(max(Int(end), 0), size))
    }
  }
}
