import DLRTGraph
import DLRTOperators

extension Step {
  /// A step around one that computes in float32: widens inputs into scratch memory before it, narrows outputs after.
  static func converting(
    _ step: Step, _ outer: Planning, inner: Planning, inputs: [Bool], outputs: [Bool]
  ) -> Step {
    var scratch = Scratch()
    let table = scratch.reserve((inputs.count + outputs.count) * MemoryLayout<UnsafeMutableRawPointer?>.stride)
    var widened: [Conversion] = []
    var narrowed: [Conversion] = []
    var constants: [(index: Int, tensor: Tensor)] = []
    for (index, isPromoted) in inputs.enumerated() where isPromoted && !step.skippedInputs.contains(index) {
      if let constant = inner.constant(index) {
        constants.append((index, constant))
      } else {
        let operand = outer.input(index)
        widened.append(
          Conversion(index, operand.type.dataType ?? .float32, operand.count, scratch.reserve(operand.count &* 4)))
      }
    }
    for (index, isPromoted) in outputs.enumerated() where isPromoted {
      let operand = outer.output(index)
      narrowed.append(
        Conversion(index, operand.type.dataType ?? .float32, operand.count, scratch.reserve(operand.count &* 4)))
    }
    let workspace = scratch.reserve(step.workspace)
    let inputCount = inputs.count
    let outputCount = outputs.count
    let wanted = outer.outputs.map { $0 != nil }
    // The originals of converted constants are not read; their place is taken by the float32 copies.
    let skipped = step.skippedInputs.union(constants.map(\.index))
    return Step(
      kernel: step.kernel, flops: step.flops, workspace: scratch.size, skippedInputs: skipped,
      unalignedInputs: step.unalignedInputs
    ) { [widened, narrowed, constants] io in
      let base = io.workspace
      let operands = (base + table).assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
      for index in 0..<inputCount {
        operands[index] = io.hasInput(index) ? UnsafeMutableRawPointer(mutating: io.input(index)) : nil
      }
      for index in 0..<outputCount { operands[inputCount + index] = wanted[index] ? io.output(index) : nil }
      for (index, tensor) in constants { operands[index] = tensor.mutablePointer }
      for entry in widened {
        let target = base + entry.offset
        FloatCodec.decode(entry.type, io.input(entry.index), target.assumingMemoryBound(to: Float.self), entry.count)
        operands[entry.index] = target
      }
      for entry in narrowed { operands[inputCount + entry.index] = base + entry.offset }
      try step.body(
        StepIO(
          operands: operands, inputCount: inputCount, workspace: base + workspace, host: io.host, index: io.index))
      for entry in narrowed {
        let source = (base + entry.offset).assumingMemoryBound(to: Float.self)
        FloatCodec.encode(entry.type, source, io.output(entry.index), entry.count)
      }
    }
  }

  private struct Conversion {
    let index: Int
    let type: DataType
    let count: Int
    let offset: Int

    init(_ index: Int, _ type: DataType, _ count: Int, _ offset: Int) {
      self.index = index
      self.type = type
      self.count = count
      self.offset = offset
    }
  }
}

extension Tensor {
  /// The same numbers as float32; for types that `FloatCodec` knows.
  func convertedToFloat32() throws -> Tensor {
    let source = try aligned()
    let result = try Tensor(uninitialized: shape, type: .float32)
    source.withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress, count > 0 else { return }
      FloatCodec.decode(type, start, result.mutablePointer.assumingMemoryBound(to: Float.self), count)
    }
    return result
  }
}
