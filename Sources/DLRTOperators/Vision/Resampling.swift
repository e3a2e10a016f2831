import DLRTGraph

/// Linear or cubic resizing, one axis after the other: along each, an output is a weighted sum of inputs.
struct Resampling: Sendable {
  struct Pass: Sendable {
    let outer: Int
    let input: Int
    let output: Int
    let inner: Int
    let table: ResizeTable

    var count: Int { outer &* output &* inner }
  }

  let passes: [Pass]
  let inputCount: Int
  let extrapolation: Float
  /// Where the result's runs of `channels` elements along its last axis go.
  let place: PixelPlace
  let channels: Int

  init(
    _ input: [Int], _ axes: [(ResizeAxis, ResizeTable)], _ extrapolation: Float, _ output: Planning.Operand
  ) {
    var shape = input
    var passes: [Pass] = []
    // Shrinking axes first keep what follows small; of equals the innermost, whose loop is the costliest.
    let order = axes.sorted { a, b in
      let (left, right) = (a.0.output * b.0.input, b.0.output * a.0.input)
      return left == right ? a.0.axis > b.0.axis : left < right
    }
    for (axis, table) in order {
      passes.append(
        Pass(
          outer: shape[..<axis.axis].reduce(1) { $0 &* $1 }, input: axis.input, output: axis.output,
          inner: shape[(axis.axis + 1)...].reduce(1) { $0 &* $1 }, table: table))
      shape[axis.axis] = axis.output
    }
    self.passes = passes
    inputCount = input.product
    self.extrapolation = extrapolation
    place = PixelPlace(output)
    channels = max(output.shape.last ?? 1, 1)
  }
}

/// Chooses the type of the sums: float64 for double and wide integers, float32 for the rest.
struct ResamplingPlan: NumericTask {
  let passes: Resampling
  let type: DataType

  func run<T: NumericElement>(_: T.Type) -> Step {
    switch type {
    case .float32: ResamplingLoops<Float>(passes).step
    case .float64: ResamplingLoops<Double>(passes).step
    case .int8, .uint8, .int16, .uint16: ResamplingLoops<Float>(passes).convertingStep(T.self)
    default: ResamplingLoops<Double>(passes).convertingStep(T.self)
    }
  }
}

private final class ResamplingLoops<R: RealElement>: Sendable {
  private let passes: [Resampling.Pass]
  private let weights: [[R]]
  private let inputCount: Int
  private let extrapolation: R
  private let place: PixelPlace
  private let channels: Int
  /// Elements of one of the two buffers between passes.
  private let bufferCount: Int

  init(_ resampling: Resampling) {
    passes = resampling.passes
    weights = passes.map { $0.table.weights.map { R($0) } }
    inputCount = resampling.inputCount
    extrapolation = R(resampling.extrapolation)
    (place, channels) = (resampling.place, resampling.channels)
    bufferCount = (passes.dropLast().map(\.count).max() ?? 0) &+ 15 & ~15
  }

  private var bufferBytes: Int { bufferCount &* MemoryLayout<R>.size }

  var step: Step {
    Step(kernel: "resample", workspace: 2 &* bufferBytes) { [self] io in
      run(io, io.input(0, as: R.self), io.output(0, as: R.self), io.workspace)
    }
  }

  /// Widens the input and narrows the output, rounding halves to even and saturating.
  func convertingStep<T: NumericElement>(_: T.Type) -> Step {
    let outputCount = passes.last?.count ?? inputCount
    let inputBytes = (inputCount &* MemoryLayout<R>.size &+ 63) & ~63
    let outputBytes = (outputCount &* MemoryLayout<R>.size &+ 63) & ~63
    let widen = ElementConverter(from: T.dataType, to: R.dataType)
    let (before, after) = (Chunks(inputCount, cost: 0.5), Chunks(outputCount, cost: 1))
    return Step(kernel: "resample", workspace: inputBytes &+ outputBytes &+ 2 &* bufferBytes) { [self] io in
      let (source, target) = (io.input(0, as: T.self), io.output(0, as: T.self))
      let wide = io.workspace.assumingMemoryBound(to: R.self)
      let result = (io.workspace + inputBytes).assumingMemoryBound(to: R.self)
      io.parallel(before) { widen(source + $0.lowerBound, wide + $0.lowerBound, $0.count) }
      run(io, wide, result, io.workspace + (inputBytes &+ outputBytes))
      io.parallel(after) { Self.narrow(result + $0.lowerBound, target + $0.lowerBound, $0.count) }
    }
  }

  private static func narrow<T: NumericElement>(
    _ source: UnsafePointer<R>, _ target: UnsafeMutablePointer<T>, _ count: Int
  ) {
    if MemoryLayout<T>.size == 1, let source = source as? UnsafePointer<Float> {
      let bytes = UnsafeMutableRawPointer(target).assumingMemoryBound(to: UInt8.self)
      return narrowBytes(source, bytes, count, Float(T.lowest.double), Float(T.highest.double))
    }
    for index in 0..<count { target[index] = T(nearest: Double(source[index])) }
  }

  private func run(
    _ io: borrowing StepIO, _ input: UnsafePointer<R>, _ output: UnsafeMutablePointer<R>,
    _ scratch: UnsafeMutableRawPointer
  ) {
    let output = output + place.offset
    if passes.isEmpty {
      let chunks = Chunks(inputCount / channels, cost: Double(channels) * 0.1)
      return io.parallel(chunks) { range in
        if place.stride == channels {
          let start = range.lowerBound &* channels
          return (output + start).update(from: input + start, count: range.count &* channels)
        }
        for pixel in range {
          (output + pixel &* place.stride).update(from: input + pixel &* channels, count: channels)
        }
      }
    }
    var source = input
    for (index, pass) in passes.enumerated() {
      let buffer = (scratch + index % 2 &* bufferBytes).assumingMemoryBound(to: R.self)
      let isLast = index == passes.count - 1
      let target = isLast ? output : buffer
      // Without a place of its own, a line is one run.
      let isPlaced = isLast && place.stride != channels
      let (run, step) = isPlaced ? (channels, place.stride) : (pass.inner, pass.inner)
      weights[index].withUnsafeBufferPointer { weights in
        pass.table.indices.withUnsafeBufferPointer { indices in
          guard let weights = weights.baseAddress, let indices = indices.baseAddress else { return }
          let cost = Double(pass.inner) * Double(pass.table.taps) * 0.3 + 2
          io.parallel(Chunks(pass.outer &* pass.output, cost: cost)) {
            sample($0, pass, indices, weights, source, target, run, step)
          }
        }
      }
      source = UnsafePointer(target)
    }
  }

  private func sample(
    _ range: Range<Int>, _ pass: Resampling.Pass, _ indices: UnsafePointer<Int32>, _ weights: UnsafePointer<R>,
    _ source: UnsafePointer<R>, _ target: UnsafeMutablePointer<R>, _ run: Int, _ step: Int
  ) {
    let (taps, inner) = (pass.table.taps, pass.inner)
    var (outer, index) = range.lowerBound.quotientAndRemainder(dividingBy: pass.output)
    var line = range.lowerBound
    while line < range.upperBound {
      let block = source + outer &* pass.input &* inner
      let end = min(range.upperBound, line &+ pass.output &- index)
      if inner == 1 {
        Self.sums(block, indices + index &* taps, weights + index &* taps, taps, target + line, end &- line)
        for own in pass.table.outside.indices
        where pass.table.outside[own] && own >= index && own < index &+ end &- line {
          target[line &+ own &- index] = extrapolation
        }
      } else {
        for own in line..<end {
          let place = index &+ own &- line
          let runs = inner / run, result = target + own &* runs &* step
          let isOutside = !pass.table.outside.isEmpty && pass.table.outside[place]
          for pixel in 0..<runs {
            let (result, block) = (result + pixel &* step, block + pixel &* run)
            if isOutside {
              result.update(repeating: extrapolation, count: run)
            } else {
              Self.sum(block, inner, indices + place &* taps, weights + place &* taps, taps, result, run)
            }
          }
        }
      }
      line = end
      (outer, index) = (outer &+ 1, 0)
    }
  }

  /// Outputs along the innermost axis, each of which has weights of its own.
  @_optimize(speed) @inline(never)
  private static func sums(
    _ block: UnsafePointer<R>, _ places: UnsafePointer<Int32>, _ factors: UnsafePointer<R>, _ taps: Int,
    _ result: UnsafeMutablePointer<R>, _ count: Int
  ) {
    if taps == 2 {
      for index in 0..<count {
        let first = 2 &* index
        result[index] =
          block[Int(places[first])] * factors[first] + block[Int(places[first &+ 1])] * factors[first &+ 1]
      }
      return
    }
    for index in 0..<count {
      let (own, weights) = (places + index &* taps, factors + index &* taps)
      var sum = block[Int(own[0])] * weights[0]
      for tap in 1..<max(taps, 1) { sum += block[Int(own[tap])] * weights[tap] }
      result[index] = sum
    }
  }

  /// Outputs that share their weights; lines of the block are `inner` elements apart.
  @_optimize(speed) @inline(never)
  private static func sum(
    _ block: UnsafePointer<R>, _ inner: Int, _ places: UnsafePointer<Int32>, _ factors: UnsafePointer<R>, _ taps: Int,
    _ result: UnsafeMutablePointer<R>, _ count: Int
  ) {
    for tap in stride(from: 0, to: taps, by: 2) {
      // Two taps in a pass; the last one may have none beside it.
      let other = min(tap &+ 1, taps &- 1)
      let (a, b) = (block + Int(places[tap]) &* inner, block + Int(places[other]) &* inner)
      let (p, q) = (factors[tap], other == tap ? 0 : factors[other])
      if tap == 0 {
        for x in 0..<count { result[x] = a[x] * p + b[x] * q }
      } else {
        for x in 0..<count { result[x] += a[x] * p + b[x] * q }
      }
    }
  }
}

/// Bytes, signed or not: within their bounds, every number is one that can be rounded in place.
@_optimize(speed) @inline(never)
private func narrowBytes(
  _ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<UInt8>, _ count: Int, _ least: Float, _ greatest: Float
) {
  for index in 0..<count {
    let raised = source[index] > least ? source[index] : least
    target[index] = UInt8(truncatingIfNeeded: Float.nearestInteger(raised < greatest ? raised : greatest))
  }
}
