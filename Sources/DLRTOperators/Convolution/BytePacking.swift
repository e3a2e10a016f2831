import CKernelSupport
import DLRTGraph
import DLRTParallel

/// Brings weights `[M, C / group, kernel…]` of bytes, less their zero points, into the form of the kernels for bytes; or
/// a matrix `[C, M]`.
struct BytePacking: Sendable {
  let problem: ConvolutionProblem
  private let w: Int
  private let zero: Int
  let type: DataType
  let zeroStep: Int
  private let vector: Int
  let isMatrix: Bool
  let isDepthwise: Bool
  /// How many int8 a weight less its zero point is the sum of.
  let parts: Int
  /// Neighbouring outputs for which the depthwise kernel brings bytes together at once.
  let shifts: Int

  init(_ problem: ConvolutionProblem, _ planning: Planning, w: Int, zero: Int, isMatrix: Bool) {
    self.problem = problem
    self.isMatrix = isMatrix
    (self.w, self.zero) = (w, zero)
    type = planning.type(w)
    zeroStep = planning.input(zero).count > 1 ? 1 : 0
    vector = Int(planning.kernels.table.pointee.vector_floats)
    isDepthwise = problem.groups > 1 && problem.inputChannels == 1 && problem.outputChannels == 1
    let isShared = isDepthwise && Self.sharesPixels(problem.geometry)
    shifts = isShared ? 2 : 1
    parts = Self.parts(planning, w: w, zero: zero, isMatrix: isMatrix)
  }

  /// Fours of pixels whose places the depthwise kernel keeps.
  private static var mostFours: Int { 64 }

  /// Whether fours of neighbouring pixels for two outputs are fewer than those of each output's taps.
  private static func sharesPixels(_ geometry: ConvolutionGeometry) -> Bool {
    guard let axis = geometry.axes.last, axis.stride == 1, axis.dilation == 1, axis.kernel > 1, axis.output > 1
    else { return false }
    let lines = geometry.kernelSize / axis.kernel * ((axis.kernel &+ 4) / 4)
    return lines <= mostFours && lines < (geometry.kernelSize + 3) / 4 * 2
  }

  /// Differences of bytes reach 255, one more than two int8 do.
  private static func parts(_ planning: Planning, w: Int, zero: Int, isMatrix: Bool) -> Int {
    let isSigned = planning.type(w) == .int8
    if !planning.has(zero), isSigned { return 1 }
    guard let weights = planning.constant(w), !planning.has(zero) || planning.constant(zero) != nil else { return 3 }
    let zeros = planning.constant(zero).map { $0.withUnsafeBytes { [UInt8]($0) } } ?? [0]
    if isSigned, zeros.allSatisfy({ $0 == 0 }) { return 1 }
    let flip: UInt8 = isSigned ? 128 : 0
    // A matrix has a zero point for each column, anything else one for each of its rows.
    let rows = isMatrix || zeros.count > 1 ? weights.shape[0] : 1
    let count = weights.count / max(rows, 1)
    return weights.withUnsafeBytes { bytes in
      guard count > 0, let first = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return 1 }
      var parts = 1
      for row in 0..<rows {
        if isMatrix, zeros.count > 1 {
          let isWide = zeros.withUnsafeBufferPointer { zeros in
            zeros.baseAddress.map { areWide(first + row &* count, $0, flip, count) } ?? false
          }
          // Two would do unless a difference is 255, which is not worth another look at all of them.
          if isWide { return 3 }
        } else {
          let (least, greatest) = extremes(first + row &* count, flip, count)
          let zero = Int(zeros[zeros.count == 1 ? 0 : row] ^ flip)
          if Int(greatest) - zero > 254 { return 3 }
          if Int(least) - zero < -128 || Int(greatest) - zero > 127 { parts = 2 }
        }
      }
      return parts
    }
  }

  /// Of the result.
  var channels: Int { problem.groups &* problem.outputChannels }
  /// Groups that the kernel takes one by one.
  var calls: Int { isDepthwise ? 1 : problem.groups }
  /// Words of four channels in a pixel of one call, and of all.
  var words: Int { ((isDepthwise ? problem.groups : problem.inputChannels) &+ 3) / 4 }
  var pixelWords: Int { calls &* words }
  private var taps: Int { problem.geometry.kernelSize }
  /// Columns of a panel, or channels of a block.
  var width: Int { isDepthwise ? 4 &* vector : 2 &* vector }
  var panels: Int { isDepthwise ? 1 : (problem.outputChannels &+ width &- 1) / width }
  /// Columns of one call, filled up to whole panels.
  var groupSlots: Int {
    let columns = isDepthwise ? problem.groups : problem.outputChannels
    return (columns &+ width &- 1) / width &* width
  }
  var slots: Int { calls &* groupSlots }
  /// Bytes of a column's weights in one part.
  var depth: Int {
    if !isDepthwise { return taps &* words &* 4 }
    return (fours > 0 ? lines &* fours &* shifts : (taps &+ 3) / 4) &* 4
  }
  /// Fours of neighbours in a line of a depthwise window; 0 where any four taps are fewer.
  var fours: Int {
    let across = (across &+ shifts &+ 2) / 4
    return shifts == 2 || lines &* across <= min(Self.mostFours, (taps &+ 3) / 4) ? across : 0
  }
  private var lines: Int { taps / across }
  private var across: Int { problem.geometry.axes.last?.kernel ?? 1 }
  var groupBytes: Int { groupSlots &* parts &* depth }
  var weightBytes: Int { (calls &* groupBytes &+ 63) & ~63 }
  /// Weights, and for each slot their sum.
  var bytes: Int { weightBytes &+ slots &* 4 }

  func sums(_ packed: UnsafeRawPointer) -> UnsafePointer<Int32> {
    (packed + weightBytes).assumingMemoryBound(to: Int32.self)
  }

  /// Where the kernel looks for what belongs to an output channel.
  func slot(_ channel: Int) -> Int {
    guard isDepthwise else {
      return channel / problem.outputChannels &* groupSlots &+ channel % problem.outputChannels
    }
    let inside = channel % width
    return channel &- inside &+ inside % 16 / 4 &* vector &+ inside / 16 &* 4 &+ inside % 4
  }

  /// Constant weights with constant zero points, packed once for the model.
  func packed(_ planning: Planning) throws -> TensorStorage? {
    guard let weights = planning.constant(w), !planning.has(zero) || planning.constant(zero) != nil else { return nil }
    let shift = planning.constant(zero).map { $0.withUnsafeBytes { [UInt8]($0) } }
    let zeros = (shift ?? []).map { "\($0)" }.joined(separator: ",")
    let form = "bytes-\(isMatrix)-\(problem.groups)-\(shifts)-\(parts)-\(zeros)"
    return try planning.packed(weights, format: form, byteCount: bytes) { source, target in
      source.whole { bytes in
        (shift ?? [0]).withUnsafeBufferPointer { shift in
          pack(bytes.assumingMemoryBound(to: UInt8.self), shift.baseAddress, target, source.pool)
        }
      }
    }
  }

  /// The packed weights; those of a run are packed into `scratch` first.
  func weights(
    _ storage: TensorStorage?, _ io: borrowing StepIO, at scratch: UnsafeMutableRawPointer
  ) -> UnsafeRawPointer {
    if let storage { return UnsafeRawPointer(storage.base) }
    let zeros = io.hasInput(zero) ? io.input(zero, as: UInt8.self) : nil
    pack(io.input(w, as: UInt8.self), zeros, scratch, io.host.pool)
    return UnsafeRawPointer(scratch)
  }

  private func pack(
    _ source: UnsafePointer<UInt8>, _ zeros: UnsafePointer<UInt8>?, _ target: UnsafeMutableRawPointer,
    _ pool: ThreadPool
  ) {
    target.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    if isMatrix, parts == 1 { return packMatrix(source, zeros, target, pool) }
    let chunks = Chunks(channels, cost: Double(problem.inputChannels * taps * parts))
    pool.run(chunks.count) { index in
      for channel in chunks[index] { pack(channel, source, zeros, target) }
    }
  }

  private func pack(
    _ channel: Int, _ source: UnsafePointer<UInt8>, _ zeros: UnsafePointer<UInt8>?, _ target: UnsafeMutableRawPointer
  ) {
    let slot = slot(channel), flip: UInt8 = type == .int8 ? 128 : 0
    let weights = ByteWeights(
      source: source + (isMatrix ? channel : channel &* problem.inputChannels &* taps), flip: flip,
      zero: Int32((zeros?[channel &* zeroStep] ?? 0) ^ flip), taps: taps,
      target: target + place(slot), wordBytes: width &* 4, partBytes: depth &* width, parts: parts)
    let sums = (target + weightBytes).assumingMemoryBound(to: Int32.self)
    sums[slot] =
      isDepthwise
      ? packDepthwise(weights, across: fours > 0 ? across : taps, fours: fours, shifts: shifts)
      : packDense(weights, channels: problem.inputChannels, stride: isMatrix ? problem.outputChannels : taps)
  }

  /// Where the first word of a slot's weights goes.
  private func place(_ slot: Int) -> Int { slot / width &* parts &* depth &* width &+ slot % width &* 4 }
}

/// The weights of one output channel, and where they go: word by word, part by part.
private struct ByteWeights {
  let source: UnsafePointer<UInt8>
  /// Turns the first bit of signed bytes around.
  let flip: UInt8
  let zero: Int32
  let taps: Int
  let target: UnsafeMutableRawPointer
  let wordBytes: Int
  let partBytes: Int
  let parts: Int

  @inline(__always) subscript(index: Int) -> Int32 { Int32(source[index] ^ flip) &- zero }

  @inline(__always) func store(_ weight: Int32, _ word: Int, _ byte: Int) {
    var rest = weight
    for part in 0..<parts {
      let own = max(-128, min(127, rest))
      let place = part &* partBytes &+ word &* wordBytes &+ byte
      target.storeBytes(of: Int8(truncatingIfNeeded: own), toByteOffset: place, as: Int8.self)
      rest = rest &- own
    }
  }
}

// Free, so that they stay compiled for speed: see docs/architecture.md.

/// Packs `[channel][tap]`, channels being `stride` apart, as `[tap][word]`, and returns the sum.
@_optimize(speed) @inline(never)
private func packDense(_ weights: ByteWeights, channels: Int, stride: Int) -> Int32 {
  var sum: Int32 = 0
  let words = (channels &+ 3) / 4, whole = weights.parts == 1 ? channels / 4 : 0
  for tap in 0..<weights.taps {
    var from = tap
    var to = weights.target + tap &* words &* weights.wordBytes
    for _ in 0..<whole {
      let (a, b) = (weights[from], weights[from &+ stride])
      let (c, d) = (weights[from &+ 2 &* stride], weights[from &+ 3 &* stride])
      let word = a & 255 | (b & 255) &<< 8 | (c & 255) &<< 16 | d &<< 24
      to.storeBytes(of: word, as: Int32.self)
      sum = sum &+ a &+ b &+ c &+ d
      from = from &+ 4 &* stride
      to += weights.wordBytes
    }
    for channel in 4 &* whole..<channels {
      let weight = weights[channel &* stride &+ tap]
      weights.store(weight, tap &* words &+ channel / 4, channel & 3)
      sum = sum &+ weight
    }
  }
  return sum
}

/// Packs `[tap]` as fours of `across` neighbours each, or of all taps, for each shift, and returns the sum.
@_optimize(speed) @inline(never)
private func packDepthwise(_ weights: ByteWeights, across: Int, fours: Int, shifts: Int) -> Int32 {
  var sum: Int32 = 0, pixel = 0, four = 0
  for tap in 0..<weights.taps {
    for shift in 0..<shifts {
      let place = pixel &+ shift
      weights.store(weights[tap], (four &+ place / 4) &* shifts &+ shift, place & 3)
    }
    sum = sum &+ weights[tap]
    pixel = pixel &+ 1
    if pixel == across { (pixel, four) = (0, four &+ fours) }
  }
  return sum
}

/// The least and the greatest byte, signed ones with the first bit turned around.
@_optimize(speed) @inline(never)
private func extremes(_ bytes: UnsafePointer<UInt8>, _ flip: UInt8, _ count: Int) -> (UInt8, UInt8) {
  var (least, greatest) = (UInt8.max, UInt8.min)
  for index in 0..<count {
    let byte = bytes[index] ^ flip
    least = min(least, byte)
    greatest = max(greatest, byte)
  }
  return count == 0 ? (flip, flip) : (least, greatest)
}

/// True if any difference from its column's zero point is no int8.
@_optimize(speed) @inline(never)
private func areWide(
  _ line: UnsafePointer<UInt8>, _ zeros: UnsafePointer<UInt8>, _ flip: UInt8, _ count: Int
) -> Bool {
  var beyond: UInt16 = 0
  for index in 0..<count {
    let difference = Int16(line[index] ^ flip) &- Int16(zeros[index] ^ flip)
    beyond |= UInt16(bitPattern: difference &+ 128) & 0xff00
  }
  return beyond != 0
}
