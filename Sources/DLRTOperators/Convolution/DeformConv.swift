import CKernelSupport
import DLRTGraph

/// ONNX DeformConv (19, 22): a convolution whose taps are displaced by `offset`, read by linear interpolation (zero
/// outside of X) and weighted by `mask`. X `[N, C, spatial…]`, W `[M, C / group, kernel…]`,
/// offset `[N, offset_group · taps · axes, out…]`, mask `[N, offset_group · taps, out…]`. float16, bfloat16, float, double.
package struct DeformConv: Operator {
  package static let schema = OperatorSchema(
    "DeformConv", versions: [19, 22],
    inputs: [("X", "T"), ("W", "T"), ("offset", "T"), ("B?", "T"), ("mask?", "T")], outputs: [("Y", "T")],
    types: ["T": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let attributes: ConvolutionAttributes
  private let offsetGroups: Int

  package init(_ attributes: inout AttributeReader) throws {
    self.attributes = try ConvolutionAttributes(&attributes)
    offsetGroups = try ConvolutionAttributes.group("offset_group", &attributes)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let output = try attributes.output(inference, bias: 3)
    let channels = try inference.shape(0)[1]
    if let channels = channels.value, channels % offsetGroups != 0 {
      throw DLRTError(
        .invalidModel, "channels are no multiple of the offset groups", tensor: "offset_group",
        expected: "a divisor of \(channels)", got: "\(offsetGroups)")
    }
    let weight = try inference.shape(1)
    let taps = weight.product(2..<weight.rank) * .known(offsetGroups)
    try check(inference, 2, output, taps * .known(output.rank - 2))
    if inference.has(4) { try check(inference, 4, output, taps) }
    inference.set(0, type, output)
  }

  private func check(_ inference: borrowing Inference, _ index: Int, _ output: Shape, _ channels: Dim) throws {
    let shape = try inference.shape(index, rank: output.rank)
    let expected = Shape([output[0], channels] + output.dims.dropFirst(2))
    for (dim, wanted) in zip(shape.dims, expected.dims) where dim.provablyDiffers(wanted) {
      throw DLRTError(
        .invalidModel, "wrong shape", tensor: inference.name(index), expected: "\(expected)", got: "\(shape)")
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let problem = try attributes.problem(x: planning.shape(0), w: planning.shape(1))
    return try planning.type(0).dispatch(
      Plan(problem: problem, offsetGroups: offsetGroups, threads: planning.threads, kernels: planning.kernels))
  }

  private struct Plan: FloatTask {
    let problem: ConvolutionProblem
    let offsetGroups: Int
    let threads: Int
    let kernels: KernelSet

    func run<T: RealElement>(_ type: T.Type) -> Step {
      DeformableLoops<T>(problem, offsetGroups: offsetGroups, threads: threads, kernels).step
    }
  }
}

/// Samples a block of output positions into columns `[channels · taps, positions]`, then multiplies by the weights.
private struct DeformableLoops<T: RealElement>: Sendable {
  private let problem: ConvolutionProblem
  private let offsetGroups: Int
  private let channels: Int
  private let taps: Int
  private let positions: Int
  private let block: Int
  private let blocks: Int
  private let lanes: Int
  private let corners: Int
  private let kernels: KernelSet

  init(_ problem: ConvolutionProblem, offsetGroups: Int, threads: Int, _ kernels: KernelSet) {
    self.problem = problem
    self.offsetGroups = offsetGroups
    channels = problem.groups &* problem.inputChannels
    taps = problem.geometry.kernelSize
    positions = problem.geometry.outputSize
    // The kernels read whole vectors of a row.
    block = 64
    blocks = (positions + block - 1) / block
    lanes = max(1, min(problem.batch * blocks, threads))
    corners = 1 << problem.geometry.axes.count
    self.kernels = kernels
  }

  /// Elements of a lane's columns; after them come the corners' weights and places.
  private var columnCount: Int { channels &* taps &* block }
  private var laneBytes: Int {
    (columnCount &* MemoryLayout<T>.size &+ corners &* block &* (MemoryLayout<T>.size &+ 8) &+ 127) & ~63
  }

  var step: Step {
    Step(kernel: "deform", flops: problem.flops, workspace: lanes &* laneBytes) { [self] io in
      let (x, w, offset) = (io.input(0, as: T.self), io.input(1, as: T.self), io.input(2, as: T.self))
      let bias = io.hasInput(3) ? io.input(3, as: T.self) : nil
      let mask = io.hasInput(4) ? io.input(4, as: T.self) : nil
      let (y, workspace) = (io.output(0, as: T.self), io.workspace)
      let units = problem.batch &* blocks
      io.parallel(lanes) { lane in
        let scratch = workspace + lane &* laneBytes
        for unit in stride(from: lane, to: units, by: lanes) {
          let image = unit / blocks
          let first = unit % blocks &* block
          let range = first..<min(first &+ block, positions)
          sample(image, range, x, offset, mask, scratch)
          multiply(image, range, w, bias, scratch.assumingMemoryBound(to: T.self), y)
        }
      }
    }
  }

  private func sample(
    _ image: Int, _ range: Range<Int>, _ x: UnsafePointer<T>, _ offset: UnsafePointer<T>, _ mask: UnsafePointer<T>?,
    _ scratch: UnsafeMutableRawPointer
  ) {
    let columns = scratch.assumingMemoryBound(to: T.self)
    let weights = columns + columnCount
    let places = UnsafeMutableRawPointer(weights + corners &* block).alignedUp(for: Int.self)
      .assumingMemoryBound(to: Int.self)
    let perGroup = channels / offsetGroups
    let inputSize = problem.geometry.inputSize
    let axes = problem.geometry.axes.count
    for group in 0..<offsetGroups {
      for tap in 0..<taps {
        let index = (image &* offsetGroups &+ group) &* taps &+ tap
        locate(tap, range, offset + index &* axes &* positions, mask.map { $0 + index &* positions }, weights, places)
        let first = group &* perGroup
        WeightedGather.run(
          x + (image &* channels &+ first) &* inputSize, stride: inputSize, planes: perGroup, places, weights,
          taps: corners, block: block, columns + (first &* taps &+ tap) &* block, stride: taps &* block, range.count)
      }
    }
  }

  /// Weights and places of the corners around every displaced position; corners outside weigh nothing.
  private func locate(
    _ tap: Int, _ range: Range<Int>, _ offset: UnsafePointer<T>, _ mask: UnsafePointer<T>?,
    _ weights: UnsafeMutablePointer<T>, _ places: UnsafeMutablePointer<Int>
  ) {
    for local in 0..<range.count {
      weights[local] = mask?[range.lowerBound &+ local] ?? 1
      places[local] = 0
    }
    var (restTap, inner, step, found) = (tap, 1, 1, 1)
    for index in problem.geometry.axes.indices.reversed() {
      let axis = problem.geometry.axes[index]
      let shift = restTap % axis.kernel &* axis.dilation
      restTap /= axis.kernel
      var (output, repeated) = (range.lowerBound / inner % axis.output, range.lowerBound % inner)
      for local in 0..<range.count {
        let coordinate = T(axis.start(output) &+ shift) + offset[index &* positions &+ range.lowerBound &+ local]
        let edge = DeformedEdge(coordinate, axis.input, step)
        // Both neighbours of each corner that the axes before have given; the nearer ones take the corner's place.
        for corner in 0..<found {
          let from = corner &* block &+ local
          let to = from &+ found &* block
          weights[to] = edge.hasHigh ? weights[from] * edge.fraction : 0
          places[to] = places[from] &+ edge.high
          weights[from] = edge.hasLow ? weights[from] * (1 - edge.fraction) : 0
          places[from] = places[from] &+ edge.low
        }
        repeated = repeated &+ 1
        if repeated == inner {
          repeated = 0
          output = output &+ 1 == axis.output ? 0 : output &+ 1
        }
      }
      inner = inner &* axis.output
      step = step &* axis.input
      found = 2 &* found
    }
  }

  private func multiply(
    _ image: Int, _ range: Range<Int>, _ w: UnsafePointer<T>, _ bias: UnsafePointer<T>?, _ columns: UnsafePointer<T>,
    _ y: UnsafeMutablePointer<T>
  ) {
    let height = problem.inputChannels &* taps
    let outputs = problem.groups &* problem.outputChannels
    for group in 0..<problem.groups {
      let first = group &* problem.outputChannels
      let result = y + (image &* outputs &+ first) &* positions + range.lowerBound
      for channel in 0..<problem.outputChannels {
        (result + channel &* positions).update(repeating: bias?[first &+ channel] ?? 0, count: range.count)
      }
      addProduct(
        w + first &* height, columns + group &* height &* block, height, UnsafeMutableRawPointer(result), range.count)
    }
  }

  /// result[channel][position] += weights[channel][k] · columns[k][position].
  private func addProduct(
    _ weights: UnsafeRawPointer, _ columns: UnsafeRawPointer, _ height: Int, _ result: UnsafeMutableRawPointer,
    _ count: Int
  ) {
    guard T.self == Float.self else {
      let (m, n, k) = (Int64(problem.outputChannels), Int64(count), Int64(height))
      var args = dlk_product_args(
        type: DLK_PRODUCT_FLOAT64, adds: 1, m: m, n: n, k: k, a: weights, a_row_stride: k, a_column_stride: 1,
        b: columns, b_row_stride: Int64(block), c: result, c_row_stride: Int64(positions))
      return kernels.table.pointee.product(&args)
    }
    kernels.table.multiply(
      m: problem.outputChannels, n: count, k: height, weights.assumingMemoryBound(to: Float.self),
      columns.assumingMemoryBound(to: Float.self), bRowStride: block, result.assumingMemoryBound(to: Float.self),
      cRowStride: positions, adds: true)
  }
}

/// The two elements of an axis around a coordinate, as places of a plane.
private struct DeformedEdge<T: RealElement> {
  let low: Int
  let high: Int
  let hasLow: Bool
  let hasHigh: Bool
  /// The weight of the higher one.
  let fraction: T

  /// - Parameter step: elements from one place of the axis to the next.
  @inline(__always)
  init(_ coordinate: T, _ size: Int, _ step: Int) {
    // Beyond these bounds (and for NaN) both neighbours are outside.
    let isNear = coordinate > -1 && coordinate < T(size)
    let inside = isNear ? coordinate : 0
    let towardsZero = T.truncated(inside)
    let floor = inside < T(towardsZero) ? towardsZero &- 1 : towardsZero
    hasLow = isNear && floor >= 0
    hasHigh = isNear && floor &+ 1 < size
    low = hasLow ? floor &* step : 0
    high = hasHigh ? (floor &+ 1) &* step : 0
    fraction = inside - T(floor)
  }
}
