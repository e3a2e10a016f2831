import DLRTGraph

/// ONNX RoiAlign (10, 16, 22): for every region x1, y1, x2, y2 of rois `[regions, 4]` the mean or maximum of bilinear samples
/// of X `[N, C, H, W]` in each of output_height × output_width bins. float16, bfloat16, float, double.
package struct RoiAlign: Operator {
  package static let schema = OperatorSchema(
    "RoiAlign", versions: [10, 16, 22], inputs: [("X", "T1"), ("rois", "T1"), ("batch_indices", "T2")],
    outputs: [("Y", "T1")], types: ["T1": .floats, "T2": .int64])
  package static var promotedTypes: TypeSet { .halfFloats }

  fileprivate enum Mode: String, CaseIterable {
    case avg, max
  }

  fileprivate enum Transformation: String, CaseIterable {
    case halfPixel = "half_pixel"
    case outputHalfPixel = "output_half_pixel"
  }

  fileprivate let mode: Mode
  fileprivate let transformation: Transformation
  fileprivate let height: Int
  fileprivate let width: Int
  fileprivate let samplingRatio: Int
  fileprivate let spatialScale: Float

  /// Version 10 sampled without the shift by half a pixel.
  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    if version < 16 {
      node.attributes["coordinate_transformation_mode"] = .string(Transformation.outputHalfPixel.rawValue)
    }
  }

  package init(_ attributes: inout AttributeReader) throws {
    mode = try attributes.choice("mode", default: .avg)
    transformation = try attributes.choice("coordinate_transformation_mode", default: .halfPixel)
    height = try attributes.int("output_height", default: 1)
    width = try attributes.int("output_width", default: 1)
    samplingRatio = try attributes.int("sampling_ratio", default: 0)
    spatialScale = try attributes.float("spatial_scale", default: 1)
    for (name, value, least) in [
      ("output_height", height, 1), ("output_width", width, 1), ("sampling_ratio", samplingRatio, 0),
    ] where value < least || value > 1 << 16 {
      throw DLRTError(.invalidModel, "out of range", tensor: name, expected: "\(least)...65536", got: "\(value)")
    }
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let input = try inference.shape(0, rank: 4)
    let rois = try inference.shape(1, rank: 2)
    let indices = try inference.shape(2, rank: 1)
    guard !rois[1].provablyDiffers(4) else {
      throw DLRTError(.invalidModel, "wrong shape", tensor: inference.name(1), expected: "[regions, 4]", got: "\(rois)")
    }
    guard !rois[0].provablyDiffers(indices[0]) else {
      throw DLRTError(
        .invalidModel, "wrong size", tensor: inference.name(2), expected: "[\(rois[0])]", got: "\(indices)")
    }
    inference.set(0, type, [rois[0], input[1], .known(height), .known(width)])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    try planning.type(0).dispatch(Plan(op: self, input: planning.shape(0), regions: planning.shape(1)[0]))
  }

  private struct Plan: FloatTask {
    let op: RoiAlign
    let input: [Int]
    let regions: Int

    func run<T: RealElement>(_ type: T.Type) -> Step {
      let loops = RegionSampling<T>(op: op, channels: input[1], height: input[2], width: input[3])
      let (images, regions) = (input[0], regions)
      return Step(kernel: "roi") { io in
        let (x, rois, y) = (io.input(0, as: T.self), io.input(1, as: T.self), io.output(0, as: T.self))
        let batch = io.input(2, as: Int64.self)
        for region in 0..<regions {
          guard batch[region] >= 0, batch[region] < images else {
            throw DLRTError(
              .invalidInput, "index is out of range", tensor: "batch_indices", expected: "0..<\(images)",
              got: "\(batch[region])")
          }
          try loops.check(rois + region &* 4)
        }
        io.parallel(regions &* loops.channels) { unit in
          let region = unit / loops.channels
          let plane = Int(batch[region]) &* loops.channels &+ unit % loops.channels
          loops.run(
            rois + region &* 4, x + plane &* loops.height &* loops.width, y + unit &* loops.op.height &* loops.op.width)
        }
      }
    }
  }
}

/// The bins of one region and channel.
private struct RegionSampling<T: RealElement>: Sendable {
  let op: RoiAlign
  let channels: Int
  let height: Int
  let width: Int

  /// A region in elements of X: where it starts, the size of its bins, and samples a bin along each axis.
  private struct Grid {
    let x: T
    let y: T
    let binWidth: T
    let binHeight: T
    let columns: T
    let rows: T
  }

  private func grid(_ roi: UnsafePointer<T>) -> Grid {
    let isShifted = op.transformation == .halfPixel
    let offset: T = isShifted ? 0.5 : 0
    let scale = T(op.spatialScale)
    let (left, top) = (roi[0] * scale - offset, roi[1] * scale - offset)
    var (spanX, spanY) = (roi[2] * scale - offset - left, roi[3] * scale - offset - top)
    if !isShifted { (spanX, spanY) = (max(spanX, 1), max(spanY, 1)) }
    let (binWidth, binHeight) = (spanX / T(op.width), spanY / T(op.height))
    let fixed = T(op.samplingRatio)
    return Grid(
      x: left, y: top, binWidth: binWidth, binHeight: binHeight, columns: fixed > 0 ? fixed : binWidth.rounded(.up),
      rows: fixed > 0 ? fixed : binHeight.rounded(.up))
  }

  /// A bin of more samples than this along an axis is no region of an image.
  private static var mostSamples: T { 32768 }

  func check(_ roi: UnsafePointer<T>) throws {
    let grid = grid(roi)
    guard grid.x.isFinite, grid.y.isFinite, grid.columns < Self.mostSamples, grid.rows < Self.mostSamples else {
      throw DLRTError(
        .invalidInput, "a region is too large or not a number", tensor: "rois",
        got: "\((0..<4).map { Double(roi[$0]) })")
    }
  }

  @_optimize(speed) @inline(never)
  func run(_ roi: UnsafePointer<T>, _ plane: UnsafePointer<T>, _ result: UnsafeMutablePointer<T>) {
    let grid = grid(roi)
    let (columns, rows) = (max(Int(grid.columns), 0), max(Int(grid.rows), 0))
    for bin in 0..<op.height &* op.width {
      let (row, column) = (bin / op.width, bin % op.width)
      var sum: T = 0
      var greatest: T = 0
      for sampleY in 0..<rows {
        let y = grid.y + T(row) * grid.binHeight + (T(sampleY) + 0.5) * grid.binHeight / grid.rows
        for sampleX in 0..<columns {
          let x = grid.x + T(column) * grid.binWidth + (T(sampleX) + 0.5) * grid.binWidth / grid.columns
          let corners = corners(plane, x, y)
          sum += corners.sum()
          let peak = max(max(corners.x, corners.y), max(corners.z, corners.w))
          greatest = sampleX == 0 && sampleY == 0 ? peak : max(greatest, peak)
        }
      }
      result[bin] = op.mode == .avg ? sum / T(max(rows &* columns, 1)) : greatest
    }
  }

  /// The four neighbours of a point, weighted; zeros outside of the image.
  @inline(__always)
  private func corners(_ plane: UnsafePointer<T>, _ x: T, _ y: T) -> Corners {
    guard y >= -1, y <= T(height), x >= -1, x <= T(width), height > 0, width > 0 else { return Corners(0, 0, 0, 0) }
    let (top, bottom, down) = neighbours(y, height)
    let (left, right, across) = neighbours(x, width)
    let (up, back) = (1 - down, 1 - across)
    return Corners(
      up * back * plane[top &* width &+ left], up * across * plane[top &* width &+ right],
      down * back * plane[bottom &* width &+ left], down * across * plane[bottom &* width &+ right])
  }

  @inline(__always)
  private func neighbours(_ coordinate: T, _ size: Int) -> (low: Int, high: Int, fraction: T) {
    let inside = max(coordinate, 0)
    let low = Int(inside)
    if low >= size &- 1 { return (size &- 1, size &- 1, 0) }
    return (low, low &+ 1, inside - T(low))
  }

  private struct Corners {
    let x: T
    let y: T
    let z: T
    let w: T

    init(_ x: T, _ y: T, _ z: T, _ w: T) { (self.x, self.y, self.z, self.w) = (x, y, z, w) }
    func sum() -> T { x + y + z + w }
  }
}
