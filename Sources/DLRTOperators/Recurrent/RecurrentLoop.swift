import DLRTGraph

/// One step of one sequence: what a cell does with its gates.
protocol RecurrentCell: Sendable {
  /// Scratch elements of one direction, as a multiple of the hidden size.
  var scratchRows: Int { get }
  /// Which row blocks of the recurrent bias are not simply added to the input's projection.
  func keepsRecurrentBias(gate: Int) -> Bool
  func step<T: RealElement>(_ state: RecurrentState<T>)
}

/// Everything that a cell sees of one sequence in one direction.
struct RecurrentState<T: RealElement> {
  let hidden: Int
  let activations: [GateActivation]
  let clip: Float?
  /// The input's projection with biases, [gates][hidden].
  let x: UnsafePointer<T>
  /// Recurrent weights, transposed: [hidden][gates · hidden].
  let weights: UnsafePointer<T>
  let recurrentBias: UnsafePointer<T>?
  let peepholes: UnsafePointer<T>?
  let h: UnsafeMutablePointer<T>
  let c: UnsafeMutablePointer<T>
  let scratch: UnsafeMutablePointer<T>

  /// Adds `vector` · weights, of some columns of the weights, to `target`.
  func accumulate(
    _ vector: UnsafePointer<T>, _ columns: Range<Int>, of width: Int, into target: UnsafeMutablePointer<T>
  ) {
    for index in 0..<hidden {
      let factor = vector[index]
      let row = weights + (index &* width &+ columns.lowerBound)
      for column in 0..<columns.count { target[column] += factor * row[column] }
    }
  }
}

/// Runs a cell over sequences: the inputs of all steps are projected by one product, then each direction walks through
/// time on a thread of its own.
struct RecurrentLoop<Cell: RecurrentCell>: FloatTask {
  let options: RecurrentOptions
  let cell: Cell
  let steps: Int
  let batch: Int
  let inputSize: Int
  let hidden: Int
  let wanted: (y: Bool, h: Bool, c: Bool)
  let elementSize: Int

  init(_ options: RecurrentOptions, _ cell: Cell, _ planning: Planning) {
    self.options = options
    self.cell = cell
    let x = planning.shape(0)
    steps = x[options.batchFirst ? 1 : 0]
    batch = x[options.batchFirst ? 0 : 1]
    inputSize = x[2]
    hidden = planning.shape(2)[2]
    wanted = (planning.wants(output: 0), planning.wants(output: 1), planning.wants(output: 2))
    elementSize = planning.type(0).size
  }

  private var width: Int { options.gates &* hidden }
  private var projection: MatrixProduct {
    MatrixProduct(
      m: steps &* batch, n: width, k: inputSize, a: .init(columns: inputSize),
      b: MatrixProduct.Matrix(columns: inputSize).transposed, cRow: width)
  }
  /// Elements of workspace: projections, transposed weights, states, the cell's own.
  private var perDirection: Int {
    steps &* batch &* width &+ hidden &* width &+ 2 &* batch &* hidden &+ cell.scratchRows &* hidden
  }

  func step(_ type: DataType, _ name: String) throws -> Step {
    let total = options.directions &* perDirection &+ projection.loopWorkspace
    let flops = options.directions * (projection.flops + 2 * steps * batch * width * hidden)
    return Step(kernel: name, flops: flops, workspace: total * elementSize, try type.dispatch(self))
  }

  func run<T: RealElement>(_ type: T.Type) -> Step.Body {
    { io in
      try checkLengths(io)
      let base = io.workspace.assumingMemoryBound(to: T.self)
      for direction in 0..<options.directions {
        let target = base + direction &* perDirection
        project(io, direction, target, scratch: base + options.directions &* perDirection)
      }
      io.parallel(options.directions) { direction in
        walk(io, direction, base + direction &* perDirection)
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

  /// X · Wᵀ plus biases for all steps.
  private func project<T: RealElement>(
    _ io: borrowing StepIO, _ direction: Int, _ target: UnsafeMutablePointer<T>, scratch: UnsafeMutablePointer<T>
  ) {
    let rows = steps &* batch
    if io.hasInput(3) {
      let bias = io.input(3, as: T.self) + direction &* 2 &* width
      for row in 0..<rows {
        let line = target + row &* width
        for gate in 0..<options.gates {
          let addsBoth = !cell.keepsRecurrentBias(gate: gate)
          for index in gate &* hidden..<(gate &+ 1) &* hidden {
            line[index] = addsBoth ? bias[index] + bias[index &+ width] : bias[index]
          }
        }
      }
    } else {
      for index in 0..<rows &* width { target[index] = 0 }
    }
    projection.runLoops(
      io, io.input(0, as: T.self), io.input(1, as: T.self) + direction &* width &* inputSize, target,
      scratch: scratch, .add)
  }

  private func walk<T: RealElement>(_ io: borrowing StepIO, _ direction: Int, _ memory: UnsafeMutablePointer<T>) {
    let projected = memory
    let weights = projected + steps &* batch &* width
    let states = weights + hidden &* width
    let cells = states + batch &* hidden
    let scratch = cells + batch &* hidden
    transpose(io.input(2, as: T.self) + direction &* width &* hidden, weights)
    load(io, 5, direction, states)
    load(io, 6, direction, cells)
    let recurrentBias = io.hasInput(3) ? io.input(3, as: T.self) + (direction &* 2 &+ 1) &* width : nil
    let peepholes = io.hasInput(7) ? io.input(7, as: T.self) + direction &* 3 &* hidden : nil
    let y = wanted.y ? io.output(0, as: T.self) : nil
    for sequence in 0..<batch {
      let length = io.hasInput(4) ? Int(io.input(4, as: Int32.self)[sequence]) : steps
      let h = states + sequence &* hidden
      for step in 0..<steps {
        let isPadding = step >= length
        let time = isPadding || !options.isReverse(direction) ? step : length &- 1 &- step
        let target = y.map { $0 + outputOffset(time, direction, sequence) }
        if isPadding {
          if let target { for index in 0..<hidden { target[index] = 0 } }
          continue
        }
        let row = options.batchFirst ? sequence &* steps &+ time : time &* batch &+ sequence
        cell.step(
          RecurrentState(
            hidden: hidden, activations: options.activations[direction], clip: options.clip,
            x: projected + row &* width, weights: weights, recurrentBias: recurrentBias, peepholes: peepholes, h: h,
            c: cells + sequence &* hidden, scratch: scratch))
        target?.update(from: h, count: hidden)
      }
    }
    if wanted.h { store(io, 1, direction, states) }
    if wanted.c { store(io, 2, direction, cells) }
  }

  private func outputOffset(_ time: Int, _ direction: Int, _ sequence: Int) -> Int {
    let count = options.directions
    return options.batchFirst
      ? ((sequence &* steps &+ time) &* count &+ direction) &* hidden
      : ((time &* count &+ direction) &* batch &+ sequence) &* hidden
  }

  private func stateOffset(_ direction: Int, _ sequence: Int) -> Int {
    (options.batchFirst ? sequence &* options.directions &+ direction : direction &* batch &+ sequence) &* hidden
  }

  private func transpose<T: RealElement>(_ source: UnsafePointer<T>, _ target: UnsafeMutablePointer<T>) {
    for row in 0..<width {
      for column in 0..<hidden { target[column &* width &+ row] = source[row &* hidden &+ column] }
    }
  }

  private func load<T: RealElement>(
    _ io: borrowing StepIO, _ input: Int, _ direction: Int, _ target: UnsafeMutablePointer<T>
  ) {
    for sequence in 0..<batch {
      let row = target + sequence &* hidden
      if io.hasInput(input) {
        row.update(from: io.input(input, as: T.self) + stateOffset(direction, sequence), count: hidden)
      } else {
        row.update(repeating: 0, count: hidden)
      }
    }
  }

  private func store<T: RealElement>(
    _ io: borrowing StepIO, _ output: Int, _ direction: Int, _ source: UnsafeMutablePointer<T>
  ) {
    for sequence in 0..<batch {
      let target = io.output(output, as: T.self) + stateOffset(direction, sequence)
      target.update(from: source + sequence &* hidden, count: hidden)
    }
  }
}
