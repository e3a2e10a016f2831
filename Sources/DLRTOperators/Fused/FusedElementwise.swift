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

  package func imageInputs(_ ranks: [Int]) -> [Int] { Array(0..<program.inputCount) }

  package var inPlaceInputs: [Int] { Array(0..<program.inputCount) }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .float32)
    inference.set(0, .float32, try inference.broadcast(Array(0..<program.inputCount)))
  }

  package var viewableInputs: [Int] { Array(0..<program.inputCount) }

  /// Rows of adjacent elements, wherever they begin.
  package func reads(_ view: StridedView, input index: Int, _ planning: Planning) -> Bool {
    planning.shape(index).last ?? 1 > 1 && view.strides.last == 1
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let walk = Broadcast(
      output: planning.output(0).shape, inputs: (0..<program.inputCount).map { planning.shape($0) },
      views: (0..<program.inputCount).map { planning.input($0).view })
    let run = FusedRun(
      program, walk, planning, offsets: (0..<program.inputCount).map { planning.input($0).view?.offset ?? 0 })
    return Step(
      kernel: "\(planning.kernels.isa.name)-float32-fused", flops: walk.count &* program.instructions.count,
      workspace: run.workspace
    ) { io in
      run(io)
    }
  }
}

/// The program with everything decided that a run needs.
///
/// It walks the output in blocks that stay in the first-level cache: parts of long runs, or several of the short rows over
/// which inputs broadcast, such as the channels of pixels.
private final class FusedRun: Sendable {
  private static let block = 1024
  /// Rows up to this long are taken several at a time.
  private static let shortRow = 512

  private let instructions: [Instruction]
  private let inputCount: Int
  private let registerCount: Int
  private let walk: Broadcast
  private let offsets: [Int]
  /// The walk over rows where they are short.
  private let rows: Broadcast?
  private let chunks: Chunks
  private let kernels: KernelSet
  private let threads: Int

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

  /// One block of the output and where its operands are.
  private struct Block {
    let rows: Int
    let columns: Int
    /// What the walk says of the inputs, and how far beyond it the block begins, in runs' elements or in rows.
    let offsets: UnsafePointer<Int>
    let start: Int
    let inputs: UnsafePointer<UnsafePointer<Float>>
    let registers: UnsafeMutablePointer<Float>
  }

  private struct Operand {
    let start: UnsafePointer<Float>
    let columnStride: Int
    let rowStride: Int
  }

  /// - Parameter offsets: for each input, the elements before its first one.
  init(_ program: ElementwiseProgram, _ walk: Broadcast, _ planning: Planning, offsets: [Int]) {
    self.offsets = offsets
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
    registerCount = registers.count
    self.walk = walk
    kernels = planning.kernels
    threads = planning.threads
    rows = walk.inner <= Self.shortRow && walk.inner < walk.count ? walk.rows : nil
    let cost = 0.3 * Double(program.instructions.count)
    chunks =
      rows.map { Chunks($0.count, cost: cost * Double(walk.inner)) } ?? Chunks(walk.count, cost: cost, multiple: 64)
  }

  /// Any of the threads may take any chunk.
  var workspace: Int { (chunks.count > 1 ? threads : 1) &* registerCount &* Self.block &* MemoryLayout<Float>.size }

  func callAsFunction(_ io: borrowing StepIO) {
    let output = io.output(0, as: Float.self)
    let scratch = io.workspace.assumingMemoryBound(to: Float.self)
    withUnsafeTemporaryAllocation(of: UnsafePointer<Float>.self, capacity: inputCount) { inputs in
      for index in 0..<inputCount { inputs[index] = io.input(index, as: Float.self) + offsets[index] }
      guard let sources = inputs.baseAddress else { return }
      let table = UnsafePointer(sources)
      let step = rows == nil ? Self.block : Self.block / max(walk.inner, 1)
      io.parallel(chunks.count) { chunk, thread in
        let registers = scratch + (thread &* registerCount &* Self.block)
        (rows ?? walk).forEachRun(in: chunks[chunk]) { position, length, offsets in
          var start = 0
          while start < length {
            let count = min(step, length &- start)
            let block = Block(
              rows: rows == nil ? 1 : count, columns: rows == nil ? count : walk.inner, offsets: offsets, start: start,
              inputs: table, registers: registers)
            run(block, output + (position &+ start) &* (rows == nil ? 1 : walk.inner))
            start = start &+ count
          }
        }
      }
    }
  }

  @inline(__always)
  private func run(_ block: Block, _ output: UnsafeMutablePointer<Float>) {
    for instruction in instructions {
      let target = instruction.register.map { block.registers + ($0 &* Self.block) } ?? output
      let x = locate(instruction.x, block)
      switch instruction.operation {
      case .unary(let function, let a, let b, _): apply(function, a, b, x, block, target)
      case .binary(let function, _, _):
        let y = locate(instruction.y, block)
        var arguments = dlk_binary_args(
          function: function, rows: Int64(block.rows), columns: Int64(block.columns), x: x.start,
          x_row_stride: Int64(x.rowStride), x_column_stride: Int64(x.columnStride), y: y.start,
          y_row_stride: Int64(y.rowStride), y_column_stride: Int64(y.columnStride), out: target,
          out_row_stride: Int64(block.columns))
        kernels.table.pointee.binary(&arguments)
      }
    }
  }

  private func apply(
    _ function: dlk_unary, _ a: Float, _ b: Float, _ x: Operand, _ block: Block, _ target: UnsafeMutablePointer<Float>
  ) {
    if x.columnStride == 1, block.rows == 1 || x.rowStride == block.columns {
      kernels.table.pointee.unary(function, a, b, x.start, target, Int64(block.rows &* block.columns))
      return
    }
    var arguments = dlk_unary_args(
      function: function, a: a, b: b, rows: Int64(block.rows),
      columns: Int64(x.columnStride == 1 ? block.columns : 1), x: x.start, x_row_stride: Int64(x.rowStride), y: target,
      y_row_stride: Int64(block.columns))
    kernels.table.pointee.unary_rows(&arguments)
    guard x.columnStride == 0 else { return }
    for row in 0..<block.rows {
      let line = target + row &* block.columns
      line.update(repeating: line[0], count: block.columns)
    }
  }

  @inline(__always)
  private func locate(_ place: Place, _ block: Block) -> Operand {
    switch place {
    case .input(let index):
      let base = block.inputs[index] + block.offsets[index], column = walk.innerStrides[index]
      guard let rows else {
        return Operand(start: base + block.start &* column, columnStride: column, rowStride: 0)
      }
      let row = rows.innerStrides[index]
      return Operand(start: base + block.start &* row, columnStride: column, rowStride: row)
    case .register(let index):
      return Operand(
        start: UnsafePointer(block.registers + (index &* Self.block)), columnStride: 1, rowStride: block.columns)
    }
  }
}
