import CKernelSupport
import DLRTGraph
import DLRTParallel

/// Brings weights `[M, C / group, kernel…]` of bytes, less their zero points, into the form of the kernels for bytes; or
/// a matrix `[C, M]` whose differences are int8.
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

  init(_ problem: ConvolutionProblem, _ planning: Planning, w: Int, zero: Int, isMatrix: Bool) {
    self.problem = problem
    self.isMatrix = isMatrix
    (self.w, self.zero) = (w, zero)
    type = planning.type(w)
    zeroStep = planning.input(zero).count > 1 ? 1 : 0
    vector = Int(planning.kernels.table.pointee.vector_floats)
    isDepthwise = problem.groups > 1 && problem.inputChannels == 1 && problem.outputChannels == 1
    parts =
      isMatrix
      ? 1 : Self.parts(planning, w: w, zero: zero, perChannel: problem.inputChannels &* problem.geometry.kernelSize)
  }

  /// Differences of bytes reach 255, one more than two int8 do.
  private static func parts(_ planning: Planning, w: Int, zero: Int, perChannel: Int) -> Int {
    let isSigned = planning.type(w) == .int8
    if !planning.has(zero), isSigned { return 1 }
    guard let weights = planning.constant(w), !planning.has(zero) || planning.constant(zero) != nil else { return 3 }
    let shift = planning.constant(zero).map { $0.withUnsafeBytes { [UInt8]($0) } } ?? [0]
    if isSigned, shift.allSatisfy({ $0 == 0 }) { return 1 }
    return weights.withUnsafeBytes { bytes in
      var parts = 1
      for (channel, first) in stride(from: 0, to: bytes.count, by: max(perChannel, 1)).enumerated() {
        let zero = value(shift[shift.count == 1 ? 0 : channel], isSigned)
        for index in first..<min(first + perChannel, bytes.count) {
          let rest = value(bytes[index], isSigned) - zero
          if rest < -128 || rest > 127 { parts = max(parts, rest > 254 ? 3 : 2) }
        }
      }
      return parts
    }
  }

  private static func value(_ byte: UInt8, _ isSigned: Bool) -> Int {
    isSigned ? Int(Int8(bitPattern: byte)) : Int(byte)
  }

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
  var depth: Int { isDepthwise ? (taps &+ 3) / 4 &* 4 : taps &* words &* 4 }
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
    let form = "bytes-\(isMatrix)-\(problem.groups)-\(parts)-\((shift ?? []).map { "\($0)" }.joined(separator: ","))"
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
    if isMatrix { return packMatrix(source, zeros, target, pool) }
    let chunks = Chunks(
      problem.groups &* problem.outputChannels, cost: Double(problem.inputChannels * taps * parts) * 2)
    pool.run(chunks.count) { index in pack(chunks[index], source, zeros, target) }
  }

  private func pack(
    _ channels: Range<Int>, _ source: UnsafePointer<UInt8>, _ zeros: UnsafePointer<UInt8>?,
    _ target: UnsafeMutableRawPointer
  ) {
    let sums = (target + weightBytes).assumingMemoryBound(to: Int32.self)
    for channel in channels {
      let slot = slot(channel)
      let zero = zeros.map { Self.value($0[channel &* zeroStep], type == .int8) } ?? 0
      let from = source + channel &* problem.inputChannels &* taps
      var sum: Int32 = 0
      for word in 0..<(isDepthwise ? 1 : words) {
        for c in 0..<min(4, problem.inputChannels &- 4 &* word) {
          for tap in 0..<taps {
            var rest = Self.value(from[(4 &* word &+ c) &* taps &+ tap], type == .int8) &- zero
            sum = sum &+ Int32(truncatingIfNeeded: rest)
            for part in 0..<parts {
              let weight = min(max(rest, -128), 127)
              let place =
                isDepthwise
                ? self.place(slot, part, word: tap / 4, byte: tap % 4)
                : self.place(slot, part, word: tap &* words &+ word, byte: c)
              target.storeBytes(of: Int8(truncatingIfNeeded: weight), toByteOffset: place, as: Int8.self)
              rest = rest &- weight
            }
          }
        }
      }
      sums[slot] = sum
    }
  }

  private func place(_ slot: Int, _ part: Int, word: Int, byte: Int) -> Int {
    let (panel, column) = (slot / width, slot % width)
    return (panel &* parts &+ part) &* depth &* width &+ (word &* width &+ column) &* 4 &+ byte
  }
}
