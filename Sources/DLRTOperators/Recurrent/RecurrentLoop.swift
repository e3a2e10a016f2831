import CKernelSupport
import DLRTGraph
import DLRTKernels

/// Runs a cell over sequences: the inputs of all steps and directions are projected by one product, then each
/// direction walks through time, on threads of its own or one after the other.
final class RecurrentLoop<Cell: RecurrentCell>: FloatTask, Sendable {
  private let options: RecurrentOptions
  private let cell: Cell
  private let shape: RecurrentShape
  private let wanted: (y: Bool, h: Bool, c: Bool)
  private let kernels: KernelSet
  private let projection: MatrixProduct
  /// The projection by kernels; nil for float64.
  private let floats: FloatProduct?
  private let method: Method

  private enum Method {
    /// By kernels that do whole steps.
    case steps(RecurrentKernel)
    /// Products by kernels or loops, and the cell's arithmetic apart.
    case parts(RecurrentWeights)

    var isPacked: Bool {
      switch self {
      case .steps(let kernel): kernel.isPacked
      case .parts(let weights): weights.isPacked
      }
    }
  }

  private var steps: Int { shape.steps }
  private var batch: Int { shape.batch }
  private var hidden: Int { shape.hidden }
  private var width: Int { options.gates &* hidden }
  private var allWidth: Int { options.directions &* width }

  init(_ options: RecurrentOptions, _ cell: Cell, _ planning: Planning) throws {
    self.options = options
    self.cell = cell
    let shape = RecurrentShape(options, planning)
    self.shape = shape
    wanted = (planning.wants(output: 0), planning.wants(output: 1), planning.wants(output: 2))
    kernels = planning.kernels
    let size = planning.shape(0)[2]
    let columns = options.directions * options.gates * shape.hidden
    projection = MatrixProduct(
      m: shape.steps * shape.batch, n: columns, k: size, a: .init(columns: size),
      b: MatrixProduct.Matrix(columns: size).transposed, cRow: columns)
    floats =
      planning.type(0) == .float32
      ? try FloatProduct(projection, planning, a: planning.constant(0), b: planning.constant(1)) : nil
    if floats != nil, options.isPlain, let kernel = cell.kernel {
      method = .steps(try RecurrentKernel(kernel, shape, planning))
    } else {
      method = .parts(
        try RecurrentWeights(
          planning, 2, directions: options.directions, gates: options.gates, parts: cell.parts))
    }
  }

  func step(_ type: DataType, _ name: String) throws -> Step {
    let flops = projection.flops + 2 * steps * batch * allWidth * hidden
    let skipped = (floats?.skipped(0, 1) ?? []).union(method.isPacked ? [2] : [])
    return Step(
      kernel: floats == nil ? name : KernelLibrary.name(name, isa: kernels.isa), flops: flops,
      workspace: Places(self).total * type.size, skippedInputs: skipped, try type.dispatch(self))
  }

  /// Where things are in the workspace, in elements.
  private struct Places {
    let bias: Int
    let projected: Int
    let weights: Int
    let states: Int
    let scratch: Int
    let total: Int
    /// Elements of states and gates of one direction.
    let perDirection: Int

    init(_ loop: RecurrentLoop) {
      func rounded(_ count: Int) -> Int { (count &+ 15) & ~15 }
      let rows = loop.batch &* loop.hidden
      bias = 0
      projected = rounded(loop.allWidth)
      weights = projected &+ rounded(loop.steps &* loop.batch &* loop.allWidth)
      switch loop.method {
      case .steps(let kernel):
        perDirection = 0
        states = weights
        scratch = states &+ rounded(kernel.workspaceCount)
      case .parts(let own):
        perDirection = rounded(2 &* rows &+ loop.batch &* loop.width &+ loop.cell.scratchRows &* rows)
        states = weights &+ rounded(own.workspaceCount)
        scratch = states &+ loop.options.directions &* perDirection
      }
      total = scratch &+ max(loop.floats.map { $0.workspace / 4 } ?? loop.projection.loopWorkspace, 0)
    }
  }

  func run<T: RealElement>(_ type: T.Type) -> Step.Body {
    { [self] io in
      try checkLengths(io)
      let places = Places(self)
      let base = io.workspace.assumingMemoryBound(to: T.self)
      project(io, base, places)
      try io.nextWeights()
      switch method {
      case .steps(let kernel):
        let floats = io.workspace.assumingMemoryBound(to: Float.self)
        kernel.run(io, UnsafePointer(floats + places.projected), floats + places.states, wanted)
      case .parts(let weights):
        let prepared = weights.prepare(io.input(2, as: T.self), base + places.weights)
        io.parallel(options.directions) { direction in
          walk(
            io, weights, direction, base + places.projected, prepared,
            base + (places.states &+ direction &* places.perDirection))
        }
      }
    }
  }

  private func checkLengths(_ io: borrowing StepIO) throws {
    guard io.hasInput(4) else { return }
    for index in 0..<batch {
      let length = Int(io.input(4, as: Int32.self)[index])
      guard length >= 0, length <= steps else {
        throw DLRTError(
          .invalidInput, "length out of range", tensor: "sequence_lens", expected: "0...\(steps)", got: "\(length)")
      }
    }
  }

  /// X · Wᵀ plus biases, for all steps and directions: [rows][directions][gates][hidden].
  private func project<T: RealElement>(_ io: borrowing StepIO, _ base: UnsafeMutablePointer<T>, _ places: Places) {
    let bias = base + places.bias
    for direction in 0..<options.directions {
      let own = io.hasInput(3) ? io.input(3, as: T.self) + direction &* 2 &* width : nil
      for gate in 0..<options.gates {
        let addsBoth = !cell.keepsRecurrentBias(gate: gate)
        for index in gate &* hidden..<(gate &+ 1) &* hidden {
          bias[direction &* width &+ index] = own.map { addsBoth ? $0[index] + $0[index &+ width] : $0[index] } ?? 0
        }
      }
    }
    let x = io.input(0, as: T.self)
    let w = io.input(1, as: T.self)
    let target = base + places.projected
    let scratch = base + places.scratch
    if let floats, let x = x as? UnsafePointer<Float>, let w = w as? UnsafePointer<Float>,
      let target = target as? UnsafeMutablePointer<Float>, let bias = bias as? UnsafeMutablePointer<Float>
    {
      var epilogue = dlk_epilogue.plain
      epilogue.bias = UnsafePointer(bias)
      floats.run(io, x, w, target, epilogue, scratch: scratch)
    } else {
      for row in 0..<steps &* batch { (target + row &* allWidth).update(from: bias, count: allWidth) }
      projection.runLoops(io, x, w, target, scratch: scratch, .add)
    }
  }

  private func walk<T: RealElement>(
    _ io: borrowing StepIO, _ weights: RecurrentWeights, _ direction: Int, _ projected: UnsafePointer<T>,
    _ prepared: UnsafePointer<T>, _ memory: UnsafeMutablePointer<T>
  ) {
    let rows = batch &* hidden
    let (h, c) = (memory, memory + rows)
    let gates = c + rows
    let scratch = gates + batch &* width
    load(io, 5, direction, h)
    load(io, 6, direction, c)
    let lengths = io.hasInput(4) ? io.input(4, as: Int32.self) : nil
    let recurrentBias = io.hasInput(3) ? io.input(3, as: T.self) + (direction &* 2 &+ 1) &* width : nil
    let peepholes = io.hasInput(7) ? io.input(7, as: T.self) + direction &* 3 &* hidden : nil
    let y = wanted.y ? io.output(0, as: T.self) : nil
    for step in 0..<steps {
      for sequence in 0..<batch {
        let time = shape.time(step, direction, lengths.map { Int($0[sequence]) } ?? steps)
        let row = shape.inputRow(time, sequence)
        (gates + sequence &* width).update(
          from: projected + (row &* allWidth &+ direction &* width), count: width)
      }
      let state = RecurrentStep(
        batch: batch, hidden: hidden, activations: options.activations[direction], clip: options.clip,
        kernels: kernels, gates: gates, width: width, recurrentBias: recurrentBias, peepholes: peepholes, h: h, c: c,
        scratch: scratch, lengths: lengths, index: step)
      cell.step(state) { part, source, results, distance in
        weights.accumulate(
          io, prepared, direction: direction, part: part, rows: batch, source, results, distance: distance,
          backwards: step & 1 == 1)
      }
      guard let y else { continue }
      for sequence in 0..<batch {
        let length = lengths.map { Int($0[sequence]) } ?? steps
        let target = y + shape.outputOffset(shape.time(step, direction, length), direction, sequence)
        if step < length {
          target.update(from: h + sequence &* hidden, count: hidden)
        } else {
          target.update(repeating: 0, count: hidden)
        }
      }
    }
    if wanted.h { store(io, 1, direction, h) }
    if wanted.c { store(io, 2, direction, c) }
  }

  private func load<T: RealElement>(
    _ io: borrowing StepIO, _ input: Int, _ direction: Int, _ target: UnsafeMutablePointer<T>
  ) {
    for sequence in 0..<batch {
      let row = target + sequence &* hidden
      if io.hasInput(input) {
        row.update(from: io.input(input, as: T.self) + shape.stateOffset(direction, sequence), count: hidden)
      } else {
        row.update(repeating: 0, count: hidden)
      }
    }
  }

  private func store<T: RealElement>(
    _ io: borrowing StepIO, _ output: Int, _ direction: Int, _ source: UnsafeMutablePointer<T>
  ) {
    for sequence in 0..<batch {
      let target = io.output(output, as: T.self) + shape.stateOffset(direction, sequence)
      target.update(from: source + sequence &* hidden, count: hidden)
    }
  }
}
