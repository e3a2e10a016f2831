import CKernelSupport
import DLRTGraph
import DLRTKernels

/// The walk through time by kernels that do a whole step, product and cell, while the sums are in registers. Directions
/// run side by side; threads that are left share the units of a direction and meet after each step. So do all threads,
/// one direction after the other, where a thread's weights would be more than a core's own cache keeps.
struct RecurrentKernel: Sendable {
  enum Cell: Sendable {
    case lstm, gru

    var gates: Int { self == .lstm ? 4 : 3 }
  }

  private let cell: Cell
  private let shape: RecurrentShape
  private let kernels: KernelSet
  private let packed: TensorStorage?
  /// Floats of the packed weights of one direction.
  private let packedCount: Int
  /// Vectors of units.
  private let panels: Int
  /// Directions that run side by side, and threads that share one.
  private let teams: Int
  private let members: Int
  /// Pairs of panels that a member of two begins with its own half of the units, while the other half comes.
  private let begun: Int
  /// The weights of a thread are more than its core's own cache keeps.
  private let fetches: Bool

  /// Floating-point operations of a step that are worth a meeting.
  private static let leastFlops = 1 << 18
  /// What a core's own cache keeps from one step to the next.
  private static let cacheBytes = Int(dlk_cpu_cache_bytes(2)) / 4 * 3
  /// Weights that are read again faster, even from a cache farther off, than threads meet.
  private static let leastShared = 768 << 10
  /// Weights to read while words come from another core.
  private static let begunBytes = 128 << 10

  init(_ cell: Cell, _ shape: RecurrentShape, _ planning: Planning) throws {
    let kernels = planning.kernels, hidden = shape.hidden
    let vector = Int(kernels.table.pointee.vector_floats)
    let floats = kernels.table.pointee.packed_recurrent_floats(Int64(cell.gates), Int64(hidden), Int64(hidden))
    self.cell = cell
    self.shape = shape
    self.kernels = kernels
    packedCount = (Int(floats) + 15) & ~15
    panels = (hidden + vector - 1) / vector
    let isLarge = 2 * shape.batch * cell.gates * hidden * hidden > Self.leastFlops
    let shares = isLarge && shape.steps > 1
    let (threads, pairs) = (planning.threads, (panels + 1) / 2)
    func most(_ teams: Int) -> Int { shares ? max(1, min(threads / teams, pairs)) : 1 }
    let bytes = packedCount * 4
    let isShared = bytes / most(shape.directions) > max(Self.cacheBytes, Self.leastShared)
    teams = shares && planning.threads > 1 && isShared ? 1 : shape.directions
    members = most(teams)
    fetches = bytes / members > Self.cacheBytes
    let halfPairBytes = cell.gates * hidden * vector * 4
    begun = members == 2 && shape.batch == 1 ? min(panels / 4, max(1, Self.begunBytes / max(halfPairBytes, 1))) : 0
    let packing = Packing(
      gates: cell.gates, hidden: hidden, directions: shape.directions, count: packedCount, panels: panels,
      kernels: kernels)
    packed = try planning.constant(2).map {
      try planning.packed(
        $0, format: "recurrent-\(cell.gates)", byteCount: packing.directions * packing.count * 4,
        isLater: true
      ) { source, target in
        try packing.run(source, target.assumingMemoryBound(to: Float.self))
      }
    }
    self.packing = packing
  }

  private let packing: Packing

  /// True when the original weights are never read.
  var isPacked: Bool { packed != nil }

  /// Floats of workspace: packed weights of a run; and for each direction two outputs, the cells,
  /// a team's words, and sums that its members begin.
  var workspaceCount: Int { packedWorkspace &+ shape.directions &* perDirection }
  private var packedWorkspace: Int { packed == nil ? shape.directions &* packedCount : 0 }
  private var stateCount: Int { (shape.batch &* shape.hidden &+ 15) & ~15 }
  private var teamCount: Int { Lockstep.byteCount(members: members) / 4 }
  /// Floats of the sums that a member has begun.
  private var sumCount: Int {
    (begun &* 2 &* cell.gates &* Int(kernels.table.pointee.vector_floats) &+ 15) & ~15
  }
  private var perDirection: Int { 3 &* stateCount &+ teamCount &+ members &* sumCount }
  /// Pairs of panels, as the kernel takes them.
  private func share(_ part: Int, of parts: Int) -> Range<Int> {
    let pairs = ProductSplit.slice((panels &+ 1) / 2, part, of: parts)
    return 2 &* pairs.lowerBound..<min(panels, 2 &* pairs.upperBound)
  }
}

/// How the weights of all directions are packed.
private struct Packing: Sendable {
  let gates: Int
  let hidden: Int
  let directions: Int
  /// Floats of one direction.
  let count: Int
  let panels: Int
  let kernels: KernelSet

  /// - Parameter source: R [directions][gates · hidden][hidden].
  func run(_ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>) {
    for direction in 0..<directions {
      var arguments = dlk_pack_recurrent_args(
        source: source + direction &* gates &* hidden &* hidden &* 4, gates: Int64(gates),
        hidden: Int64(hidden), k: Int64(hidden), gate_stride: Int64(hidden &* hidden), unit_stride: Int64(hidden),
        k_stride: 1, packed: target + direction &* count)
      kernels.table.pointee.pack_recurrent(&arguments, 0, Int64(panels))
    }
  }

  /// The same, some units at a time: all their gates.
  func run(_ source: WeightSource, _ target: UnsafeMutablePointer<Float>) throws {
    let vector = Int(kernels.table.pointee.vector_floats), rowBytes = hidden * 4
    let step = max(1, PackingDesks.partBytes / max(vector * gates * rowBytes, 1))
    let perDirection = (panels + step - 1) / step
    func units(_ part: Int) -> Range<Int> {
      let first = part % perDirection * step
      return first * vector..<min((first + step) * vector, hidden)
    }
    try source.joined(directions * perDirection, partBytes: step * vector * gates * rowBytes) { part in
      (0..<gates).map { gate in
        let row = (part / perDirection * gates + gate) * hidden
        return (row + units(part).lowerBound) * rowBytes..<(row + units(part).upperBound) * rowBytes
      }
    } _: { part, base in
      let units = units(part)
      var arguments = dlk_pack_recurrent_args(
        source: base, gates: Int64(gates), hidden: Int64(units.count), k: Int64(hidden),
        gate_stride: Int64(units.count * hidden), unit_stride: Int64(hidden), k_stride: 1,
        packed: target + part / perDirection * count + units.lowerBound * gates * hidden)
      kernels.table.pointee.pack_recurrent(&arguments, 0, Int64((units.count + vector - 1) / vector))
    }
  }
}

// MARK: Running

extension RecurrentKernel {
  /// All steps of all directions.
  ///
  /// - Parameters:
  ///   - projected: the inputs' projections with biases, [rows][directions][gates][hidden].
  ///   - memory: `workspaceCount` floats, aligned to 64 bytes.
  func run(
    _ io: borrowing StepIO, _ projected: UnsafePointer<Float>, _ memory: UnsafeMutablePointer<Float>,
    _ wanted: (y: Bool, h: Bool, c: Bool)
  ) {
    if packed == nil { packing.run(io.input(2), memory) }
    let weights = packed.map { $0.base.assumingMemoryBound(to: Float.self) } ?? memory
    let states = memory + packedWorkspace
    for direction in 0..<shape.directions {
      let own = states + direction &* perDirection
      load(io, 5, direction, own)
      load(io, 6, direction, own + 2 &* stateCount)
      Lockstep.prepare(own + 3 &* stateCount, members: members)
    }
    let y = wanted.y ? io.output(0, as: Float.self) : nil
    let lengths = io.hasInput(4) ? io.input(4, as: Int32.self) : nil
    io.parallel(teams &* members) { index in
      let team = index / members
      for direction in stride(from: team, to: shape.directions, by: teams) {
        let own = states + direction &* perDirection
        let width = cell.gates &* shape.hidden
        let walk = Walk(
          cell: cell, shape: shape, kernels: kernels, direction: direction, projected: projected + direction &* width,
          projectedRow: shape.directions &* width, weights: weights + direction &* packedCount, h: own,
          spare: own + stateCount, c: own + 2 &* stateCount, y: y, lengths: lengths,
          recurrentBias: io.hasInput(3) ? io.input(3, as: Float.self) + (direction &* 2 &* width &+ width) : nil,
          peepholes: io.hasInput(7) ? io.input(7, as: Float.self) + direction &* 3 &* shape.hidden : nil,
          middle: share(0, of: 2).upperBound, begun: begun, fetches: fetches)
        if members == 1 {
          for step in 0..<shape.steps { walk.run(step, 0..<panels, .whole, nil) }
          continue
        }
        let sums = own + (3 &* stateCount &+ teamCount)
        Lockstep(own + 3 &* stateCount, members: members).run(index &- team &* members, steps: shape.steps) {
          walk.run($0, share($1, of: members), $2, sums + $1 &* sumCount)
        }
      }
    }
    for direction in 0..<shape.directions {
      let own = states + direction &* perDirection
      for item in 0..<shape.batch {
        let length = lengths.map { Int($0[item]) } ?? shape.steps
        let place = shape.stateOffset(direction, item)
        if wanted.h {
          let last = Walk.output(shape, direction, item, step: length, length: length, own, own + stateCount, y)
          (io.output(1, as: Float.self) + place).update(from: last, count: shape.hidden)
        }
        if wanted.c {
          let last = own + (2 &* stateCount &+ item &* shape.hidden)
          (io.output(2, as: Float.self) + place).update(from: last, count: shape.hidden)
        }
        guard let y else { continue }
        for time in length..<shape.steps {
          (y + shape.outputOffset(time, direction, item)).update(repeating: 0, count: shape.hidden)
        }
      }
    }
  }

  private func load(_ io: borrowing StepIO, _ input: Int, _ direction: Int, _ target: UnsafeMutablePointer<Float>) {
    for item in 0..<shape.batch {
      let row = target + item &* shape.hidden
      if io.hasInput(input) {
        row.update(from: io.input(input, as: Float.self) + shape.stateOffset(direction, item), count: shape.hidden)
      } else {
        row.update(repeating: 0, count: shape.hidden)
      }
    }
  }
}

/// One direction's way through time.
private struct Walk {
  let cell: RecurrentKernel.Cell
  let shape: RecurrentShape
  let kernels: KernelSet
  let direction: Int
  let projected: UnsafePointer<Float>
  let projectedRow: Int
  let weights: UnsafePointer<Float>
  /// The initial outputs; without Y, outputs go here and to `spare` by turns.
  let h: UnsafeMutablePointer<Float>
  let spare: UnsafeMutablePointer<Float>
  let c: UnsafeMutablePointer<Float>
  let y: UnsafeMutablePointer<Float>?
  let lengths: UnsafePointer<Int32>?
  let recurrentBias: UnsafePointer<Float>?
  let peepholes: UnsafePointer<Float>?
  /// The first panel of the second half of the units.
  let middle: Int
  let begun: Int
  let fetches: Bool

  /// Where the output is that `step` begins with.
  static func output(
    _ shape: RecurrentShape, _ direction: Int, _ item: Int, step: Int, length: Int, _ h: UnsafeMutablePointer<Float>,
    _ spare: UnsafeMutablePointer<Float>, _ y: UnsafeMutablePointer<Float>?
  ) -> UnsafeMutablePointer<Float> {
    if step > 0, let y {
      return y + shape.outputOffset(shape.time(step &- 1, direction, length), direction, item)
    }
    return (step & 1 == 0 ? h : spare) + item &* shape.hidden
  }

  /// Some panels of one step.
  ///
  /// - Parameter sums: `sumCount` floats of these panels' own, for a beginning and its rest.
  func run(_ step: Int, _ panels: Range<Int>, _ stage: Lockstep.Stage, _ sums: UnsafeMutablePointer<Float>?) {
    guard let lengths else { return run(step, 0, shape.batch, length: shape.steps, panels, stage, sums) }
    if stage == .beginning { return }
    for item in 0..<shape.batch where step < Int(lengths[item]) {
      run(step, item, 1, length: Int(lengths[item]), panels, .whole, nil)
    }
  }

  /// - Parameter count: sequences of equal length, from `item` on.
  private func run(
    _ step: Int, _ item: Int, _ count: Int, length: Int, _ panels: Range<Int>, _ stage: Lockstep.Stage,
    _ sums: UnsafeMutablePointer<Float>?
  ) {
    if stage == .beginning && begun == 0 { return }
    let hidden = shape.hidden
    let time = shape.time(step, direction, length)
    let previous = Self.output(shape, direction, item, step: step, length: length, h, spare, y)
    let next = Self.output(shape, direction, item, step: step &+ 1, length: length, h, spare, y)
    var arguments = dlk_recurrent_args()
    arguments.batch = Int64(count)
    arguments.hidden = Int64(hidden)
    arguments.gates = projected + shape.inputRow(time, item) &* projectedRow
    arguments.gates_row_stride = Int64(projectedRow &* (shape.batchFirst ? shape.steps : 1))
    if step &+ 1 < length {
      let following = shape.inputRow(shape.time(step &+ 1, direction, length), item)
      arguments.next_gates = Int64((following &- shape.inputRow(time, item)) &* projectedRow)
    }
    arguments.weights = weights
    arguments.h = UnsafePointer(previous)
    arguments.out = next
    let outputRow = Int64(y != nil && shape.batchFirst ? shape.steps &* shape.directions &* hidden : hidden)
    arguments.h_row_stride = step > 0 ? outputRow : Int64(hidden)
    arguments.out_row_stride = outputRow
    arguments.c = c + item &* hidden
    arguments.c_row_stride = Int64(hidden)
    arguments.peepholes = peepholes
    if cell == .gru { arguments.recurrent_bias = recurrentBias.map { $0 + 2 &* hidden } }
    arguments.fetches = fetches ? 1 : 0
    // What the step before read last is still in cache.
    arguments.descending = Int32(step & 1)
    arguments.middle = Int64(middle)
    if stage != .whole {
      arguments.begun = Int64(begun)
      arguments.sums = sums
      arguments.begins = stage == .beginning ? 1 : 0
    }
    let (first, last) = (Int64(panels.lowerBound), Int64(panels.upperBound))
    switch cell {
    case .lstm: kernels.table.pointee.lstm_step(&arguments, first, last)
    case .gru: kernels.table.pointee.gru_step(&arguments, first, last)
    }
  }
}
