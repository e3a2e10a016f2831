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
    if planning.output(0).count == 0 { return .nothing }
    return try planning.type(0).dispatch(
      Plan(op: self, input: planning.shape(0), regions: planning.shape(1)[0], threads: planning.threads))
  }

  private struct Plan: FloatTask {
    let op: RoiAlign
    let input: [Int]
    let regions: Int
    let threads: Int

    func run<T: RealElement>(_ type: T.Type) -> Step {
      let loops = RegionSampling<T>(op: op, channels: input[1], height: input[2], width: input[3])
      let (images, regions) = (input[0], regions)
      // The samples of a region are found once for so many channels.
      let together = 32
      let parts = (input[1] + together - 1) / together
      let lanes = max(1, min(regions * parts, threads))
      let scratchBytes = loops.scratchBytes
      return Step(kernel: "roi", workspace: lanes &* scratchBytes) { io in
        let (x, rois, y) = (io.input(0, as: T.self), io.input(1, as: T.self), io.output(0, as: T.self))
        let (batch, workspace) = (io.input(2, as: Int64.self), io.workspace)
        for region in 0..<regions {
          guard batch[region] >= 0, batch[region] < images else {
            throw DLRTError(
              .invalidInput, "index is out of range", tensor: "batch_indices", expected: "0..<\(images)",
              got: "\(batch[region])")
          }
          try loops.check(rois + region &* 4)
        }
        io.parallel(lanes) { lane in
          let scratch = workspace + lane &* scratchBytes
          for unit in stride(from: lane, to: regions &* parts, by: lanes) {
            let region = unit / parts
            let first = unit % parts &* together
            let planes = first..<min(first &+ together, loops.channels)
            loops.run(
              rois + region &* 4, planes, x + Int(batch[region]) &* loops.channels &* loops.height &* loops.width,
              y + region &* loops.channels &* loops.op.height &* loops.op.width, scratch)
          }
        }
      }
    }
  }
}

/// The bins of one region.
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

  /// Samples along an axis that are found at a time.
  private static var block: Int { 256 }
  private static var sampleBytes: Int { 2 * block * MemoryLayout<AxisSample<T>>.stride }
  /// Samples along both axes, and a row of the image.
  var scratchBytes: Int { (Self.sampleBytes &+ width &* MemoryLayout<T>.stride &+ 63) & ~63 }

  /// Samples some channels of an image.
  ///
  /// - Parameters:
  ///   - image, result: where channel 0 begins.
  func run(
    _ roi: UnsafePointer<T>, _ planes: Range<Int>, _ image: UnsafePointer<T>, _ result: UnsafeMutablePointer<T>,
    _ scratch: UnsafeMutableRawPointer
  ) {
    let grid = grid(roi)
    let (columns, rows) = (T.truncated(max(grid.columns, 0)), T.truncated(max(grid.rows, 0)))
    let bins = op.height &* op.width
    let isMean = op.mode == .avg
    (result + planes.lowerBound &* bins).update(repeating: isMean ? 0 : -.infinity, count: planes.count &* bins)
    let across = scratch.assumingMemoryBound(to: AxisSample<T>.self)
    let down = across + Self.block
    let blend = (scratch + Self.sampleBytes).assumingMemoryBound(to: T.self)
    for top in stride(from: 0, to: op.height &* rows, by: Self.block) {
      let samplesDown = min(Self.block, op.height &* rows &- top)
      AxisSample.find(down, top, samplesDown, rows, grid.y, grid.binHeight, height)
      for left in stride(from: 0, to: op.width &* columns, by: Self.block) {
        let samplesAcross = min(Self.block, op.width &* columns &- left)
        AxisSample.find(across, left, samplesAcross, columns, grid.x, grid.binWidth, width)
        let span = AxisSample.span(across, samplesAcross)
        for plane in planes {
          let source = image + plane &* height &* width
          var sample = 0
          while sample < samplesDown {
            let bin = (top &+ sample) / rows
            let line = result + (plane &* bins &+ bin &* op.width &+ left / columns)
            if isMean && span.count <= 4 &* samplesAcross {
              // The rows of a bin are added up first, so that its samples are a row's.
              let end = min(samplesDown, (bin &+ 1) &* rows &- top)
              if AxisSample.blend(source, width, down + sample, end &- sample, span, blend) {
                AxisSample.addLine(blend, across, samplesAcross, left % columns, columns, line)
              }
              sample = end
            } else if isMean {
              AxisSample.addLine(source, width, down[sample], across, samplesAcross, left % columns, columns, line)
              sample = sample &+ 1
            } else {
              AxisSample.raiseLine(source, width, down[sample], across, samplesAcross, left % columns, columns, line)
              sample = sample &+ 1
            }
          }
        }
      }
    }
    let count = T(max(rows &* columns, 1))
    for place in planes.lowerBound &* bins..<planes.upperBound &* bins {
      if isMean { result[place] /= count } else if rows &* columns == 0 { result[place] = 0 }
    }
  }
}

/// The two neighbours of a sample along an axis and their weights; a sample outside of the image has no weights.
private struct AxisSample<T: RealElement>: BitwiseCopyable {
  let low: Int
  let high: Int
  let back: T
  let forth: T

  private var isOutside: Bool { low < 0 }

  /// - Parameters:
  ///   - first: the first sample of so many.
  ///   - perBin: samples of a bin.
  static func find(
    _ samples: UnsafeMutablePointer<AxisSample>, _ first: Int, _ count: Int, _ perBin: Int, _ origin: T, _ bin: T,
    _ size: Int
  ) {
    for index in 0..<count {
      let (number, own) = (first &+ index).quotientAndRemainder(dividingBy: perBin)
      let place = origin + T(number) * bin + (T(own) + 0.5) * bin / T(perBin)
      guard place >= -1, place <= T(size), size > 0 else {
        samples[index] = AxisSample(low: -1, high: -1, back: 0, forth: 0)
        continue
      }
      let inside = max(place, 0)
      let low = T.truncated(inside)
      samples[index] =
        low >= size &- 1
        ? AxisSample(low: size &- 1, high: size &- 1, back: 1, forth: 0)
        : AxisSample(low: low, high: low &+ 1, back: 1 - (inside - T(low)), forth: inside - T(low))
    }
  }

  /// The elements that samples read.
  static func span(_ samples: UnsafePointer<AxisSample>, _ count: Int) -> Range<Int> {
    var (first, end) = (Int.max, 0)
    for index in 0..<count where !samples[index].isOutside {
      first = min(first, samples[index].low)
      end = max(end, samples[index].high &+ 1)
    }
    return min(first, end)..<end
  }

  /// Adds up rows of a plane by the weights of samples down it, over some columns.
  ///
  /// - Returns: false if there is nothing to add up.
  @_optimize(speed) @inline(never)
  static func blend(
    _ plane: UnsafePointer<T>, _ width: Int, _ rows: UnsafePointer<AxisSample>, _ count: Int, _ columns: Range<Int>,
    _ sums: UnsafeMutablePointer<T>
  ) -> Bool {
    var isFirst = true
    for index in 0..<count {
      let row = rows[index]
      if row.isOutside { continue }
      let (top, bottom) = (plane + row.low &* width, plane + row.high &* width)
      let (back, forth) = (row.back, row.forth)
      if isFirst {
        for column in columns { sums[column] = back * top[column] + forth * bottom[column] }
      } else {
        for column in columns { sums[column] += back * top[column] + forth * bottom[column] }
      }
      isFirst = false
    }
    return !isFirst && !columns.isEmpty
  }

  /// Adds samples of a row to the bins of a line.
  ///
  /// - Parameter skipped: samples of the first bin before those given.
  @_optimize(speed) @inline(never)
  static func addLine(
    _ row: UnsafePointer<T>, _ samples: UnsafePointer<AxisSample>, _ count: Int, _ skipped: Int, _ perBin: Int,
    _ line: UnsafeMutablePointer<T>
  ) {
    var (index, bin, end) = (0, 0, min(perBin &- skipped, count))
    while index < count {
      var sum: T = 0
      while index < end {
        let sample = samples[index]
        index = index &+ 1
        if sample.isOutside { continue }
        sum += sample.back * row[sample.low] + sample.forth * row[sample.high]
      }
      line[bin] += sum
      bin = bin &+ 1
      end = min(end &+ perBin, count)
    }
  }

  /// Adds a row of samples to the bins of a line.
  ///
  /// - Parameter skipped: samples of the first bin before those given.
  @_optimize(speed) @inline(never)
  static func addLine(
    _ plane: UnsafePointer<T>, _ width: Int, _ row: AxisSample, _ samples: UnsafePointer<AxisSample>, _ count: Int,
    _ skipped: Int, _ perBin: Int, _ line: UnsafeMutablePointer<T>
  ) {
    if row.isOutside { return }
    let (top, bottom) = (plane + row.low &* width, plane + row.high &* width)
    var (index, bin, end) = (0, 0, min(perBin &- skipped, count))
    while index < count {
      var sum: T = 0
      while index < end {
        let sample = samples[index]
        index = index &+ 1
        if sample.isOutside { continue }
        let (left, right) = (sample.low, sample.high)
        sum += row.back * (sample.back * top[left] + sample.forth * top[right])
        sum += row.forth * (sample.back * bottom[left] + sample.forth * bottom[right])
      }
      line[bin] += sum
      bin = bin &+ 1
      end = min(end &+ perBin, count)
    }
  }

  /// Raises the bins of a line to the greatest weighted neighbour of a row of samples.
  @_optimize(speed) @inline(never)
  static func raiseLine(
    _ plane: UnsafePointer<T>, _ width: Int, _ row: AxisSample, _ samples: UnsafePointer<AxisSample>, _ count: Int,
    _ skipped: Int, _ perBin: Int, _ line: UnsafeMutablePointer<T>
  ) {
    let (top, bottom) = (plane + max(row.low, 0) &* width, plane + max(row.high, 0) &* width)
    var (index, bin, end) = (0, 0, min(perBin &- skipped, count))
    while index < count {
      var greatest = line[bin]
      while index < end {
        let sample = samples[index]
        index = index &+ 1
        if sample.isOutside || row.isOutside {
          greatest = T.greatest(greatest, 0)
          continue
        }
        let (left, right) = (sample.low, sample.high)
        let upper = T.greatest(row.back * sample.back * top[left], row.back * sample.forth * top[right])
        let lower = T.greatest(row.forth * sample.back * bottom[left], row.forth * sample.forth * bottom[right])
        greatest = T.greatest(greatest, T.greatest(upper, lower))
      }
      line[bin] = greatest
      bin = bin &+ 1
      end = min(end &+ perBin, count)
    }
  }
}
