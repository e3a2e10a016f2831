import CKernelSupport
import DLRTGraph

/// ai.dlrt FusedElementwise: several elementwise operators over float32 in one pass over memory. Inputs broadcast to the
/// output as in NumPy. Intermediate values live in blocks that stay in the first-level cache.
package struct FusedElementwise: Operator {
  package static let schema = OperatorSchema(
    "FusedElementwise", domain: OperatorName.internalDomain, versions: [1], inputs: [("inputs...", "T")],
    outputs: [("output", "T")], types: ["T": .float32])

  private let program: ElementwiseProgram

  package init(_ attributes: inout AttributeReader) throws {
    program = try ElementwiseProgram(&attributes)
    guard attributes.node.ownInputs.count == program.inputCount else {
      throw DLRTError(
        .invalidModel, "wrong number of inputs", expected: "\(program.inputCount)",
        got: "\(attributes.node.ownInputs.count)")
    }
  }

  package var inPlaceInputs: [Int] { Array(0..<program.inputCount) }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .float32)
    inference.set(0, .float32, try inference.broadcast(Array(0..<program.inputCount)))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let walk = Broadcast(
      output: planning.output(0).shape, inputs: (0..<program.inputCount).map { planning.shape($0) })
    let run = FusedRun(program, walk, planning.kernels)
    return Step(
      kernel: "\(planning.kernels.isa.name)-float32-fused", flops: walk.count &* program.instructions.count,
      workspace: run.workspace
    ) { io in
      run(io)
    }
  }
}

/// The program with everything decided that a run needs.
private struct FusedRun: Sendable {
  private static let block = 512

  private let instructions: [Instruction]
  private let inputCount: Int
  private let registerCount: Int
  private let walk: Broadcast
  private let chunks: Chunks
  private let kernels: KernelSet

  /// An instruction whose operands are places.
  private struct Instruction: Sendable {
    let operation: ElementwiseProgram.Instruction
    let x: Place
    let y: Place
    /// nil for the output.
    let register: Int?
  }

  private enum Place: Sendable {
    case input(Int)
    case register(Int)
  }

  init(_ program: ElementwiseProgram, _ walk: Broadcast, _ kernels: KernelSet) {
    let registers = program.registers()
    func place(_ value: Int) -> Place {
      value < program.inputCount ? .input(value) : .register(registers.ofInstruction[value - program.inputCount])
    }
    instructions = program.instructions.enumerated().map { index, operation in
      let operands = operation.operands
      return Instruction(
        operation: operation, x: place(operands[0]), y: place(operands.last ?? operands[0]),
        register: index == program.instructions.count - 1 ? nil : registers.ofInstruction[index])
    }
    inputCount = program.inputCount
    // One more for inputs that do not advance, where a kernel wants a vector.
    registerCount = registers.count + 1
    self.walk = walk
    self.kernels = kernels
    chunks = Chunks(walk.count, cost: 0.3 * Double(program.instructions.count), multiple: 64)
  }

  var workspace: Int { chunks.count &* registerCount &* Self.block &* MemoryLayout<Float>.size }

  func callAsFunction(_ io: borrowing StepIO) {
    let output = io.output(0, as: Float.self)
    let scratch = io.workspace.assumingMemoryBound(to: Float.self)
    withUnsafeTemporaryAllocation(of: UnsafePointer<Float>.self, capacity: inputCount) { inputs in
      for index in 0..<inputCount { inputs[index] = io.input(index, as: Float.self) }
      guard let sources = inputs.baseAddress else { return }
      let table = UnsafePointer(sources)
      io.parallel(chunks.count) { chunk in
        let registers = scratch + (chunk &* registerCount &* Self.block)
        walk.forEachRun(in: chunks[chunk]) { position, length, offsets in
          run(position, length, offsets, table, output, registers)
        }
      }
    }
  }

  @inline(__always)
  private func run(
    _ position: Int, _ length: Int, _ offsets: UnsafePointer<Int>, _ inputs: UnsafePointer<UnsafePointer<Float>>,
    _ output: UnsafeMutablePointer<Float>, _ registers: UnsafeMutablePointer<Float>
  ) {
    var start = 0
    while start < length {
      let count = min(Self.block, length &- start)
      for instruction in instructions {
        let target = instruction.register.map { registers + ($0 &* Self.block) } ?? output + (position &+ start)
        execute(instruction, offsets, start, count, inputs, registers, target)
      }
      start = start &+ count
    }
  }

  @inline(__always)
  private func execute(
    _ instruction: Instruction, _ offsets: UnsafePointer<Int>, _ start: Int, _ count: Int,
    _ inputs: UnsafePointer<UnsafePointer<Float>>, _ registers: UnsafeMutablePointer<Float>,
    _ target: UnsafeMutablePointer<Float>
  ) {
    let (x, xStride) = locate(instruction.x, offsets, start, inputs, registers)
    switch instruction.operation {
    case .unary(let function, let a, let b, _):
      if xStride == 1 {
        kernels.table.pointee.unary(function, a, b, x, target, Int64(count))
      } else {
        kernels.table.pointee.unary(function, a, b, x, target, 1)
        target.update(repeating: target[0], count: count)
      }
    case .binary(let function, _, _):
      let (y, yStride) = locate(instruction.y, offsets, start, inputs, registers)
      var left = x
      var leftStride = xStride
      if xStride == 0 && yStride == 0 {
        let filled = registers + ((registerCount &- 1) &* Self.block)
        filled.update(repeating: x[0], count: count)
        left = UnsafePointer(filled)
        leftStride = 1
      }
      var arguments = dlk_binary_args(
        function: function, rows: 1, columns: Int64(count), x: left, x_row_stride: 0,
        x_column_stride: Int64(leftStride), y: y, y_row_stride: 0, y_column_stride: Int64(yStride), out: target,
        out_row_stride: 0)
      kernels.table.pointee.binary(&arguments)
    }
  }

  @inline(__always)
  private func locate(
    _ place: Place, _ offsets: UnsafePointer<Int>, _ start: Int, _ inputs: UnsafePointer<UnsafePointer<Float>>,
    _ registers: UnsafeMutablePointer<Float>
  ) -> (UnsafePointer<Float>, Int) {
    switch place {
    case .input(let index):
      let stride = walk.innerStrides[index]
      return (inputs[index] + (offsets[index] &+ start &* stride), stride)
    case .register(let index):
      return (UnsafePointer(registers + (index &* Self.block)), 1)
    }
  }
}
