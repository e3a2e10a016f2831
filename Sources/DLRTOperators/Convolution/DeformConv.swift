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
      Plan(problem: problem, offsetGroups: offsetGroups, threads: planning.threads))
  }

  private struct Plan: FloatTask {
    let problem: ConvolutionProblem
    let offsetGroups: Int
    let threads: Int

    func run<T: RealElement>(_ type: T.Type) -> Step {
      DeformableLoops<T>(problem, offsetGroups: offsetGroups, threads: threads).step
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

  init(_ problem: ConvolutionProblem, offsetGroups: Int, threads: Int) {
    self.problem = problem
    self.offsetGroups = offsetGroups
    channels = problem.groups &* problem.inputChannels
    taps = problem.geometry.kernelSize
    positions = problem.geometry.outputSize
    block = max(1, min(64, positions))
    blocks = (positions + block - 1) / block
    lanes = max(1, min(problem.batch * blocks, threads))
    corners = 1 << problem.geometry.axes.count
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
        for channel in group &* perGroup..<(group &+ 1) &* perGroup {
          let plane = x + (image &* channels &+ channel) &* inputSize
          let column = columns + (channel &* taps &+ tap) &* block
          for position in 0..<range.count {
            var sum: T = 0
            for corner in 0..<corners {
              let entry = corner &* block &+ position
              sum += weights[entry] * plane[places[entry]]
            }
            column[position] = sum
          }
        }
      }
    }
  }

  /// Weights and places of the corners around every displaced position; corners outside weigh nothing.
  private func locate(
    _ tap: Int, _ range: Range<Int>, _ offset: UnsafePointer<T>, _ mask: UnsafePointer<T>?,
    _ weights: UnsafeMutablePointer<T>, _ places: UnsafeMutablePointer<Int>
  ) {
    for position in range {
      let local = position &- range.lowerBound
      for corner in 0..<corners {
        weights[corner &* block &+ local] = mask?[position] ?? 1
        places[corner &* block &+ local] = 0
      }
      var rest = position
      var restTap = tap
      var step = 1
      for index in problem.geometry.axes.indices.reversed() {
        let axis = problem.geometry.axes[index]
        let tapIndex = restTap % axis.kernel
        let whole = axis.start(rest % axis.output) &+ tapIndex &* axis.dilation
        rest /= axis.output
        restTap /= axis.kernel
        let coordinate = T(whole) + offset[index &* positions &+ position]
        // Beyond these bounds (and for NaN) both neighbours are outside.
        let isNear = coordinate > -1 && coordinate < T(axis.input)
        let low = isNear ? Int(coordinate.rounded(.down)) : -2
        let fraction = isNear ? coordinate - T(low) : 0
        for corner in 0..<corners {
          let entry = corner &* block &+ local
          let isHigh = corner &>> index & 1 == 1
          let place = isHigh ? low &+ 1 : low
          guard place >= 0, place < axis.input else {
            weights[entry] = 0
            continue
          }
          weights[entry] *= isHigh ? fraction : 1 - fraction
          places[entry] = places[entry] &+ place &* step
        }
        step = step &* axis.input
      }
    }
  }

  private func multiply(
    _ image: Int, _ range: Range<Int>, _ w: UnsafePointer<T>, _ bias: UnsafePointer<T>?, _ columns: UnsafePointer<T>,
    _ y: UnsafeMutablePointer<T>
  ) {
    let height = problem.inputChannels &* taps
    let outputs = problem.groups &* problem.outputChannels
    for channel in 0..<outputs {
      let result = y + (image &* outputs &+ channel) &* positions + range.lowerBound
      let source = columns + channel / problem.outputChannels &* height &* block
      result.update(repeating: bias?[channel] ?? 0, count: range.count)
      for row in 0..<height {
        let weight = w[channel &* height &+ row]
        let column = source + row &* block
        for position in 0..<range.count { result[position] += weight * column[position] }
      }
    }
  }
}
