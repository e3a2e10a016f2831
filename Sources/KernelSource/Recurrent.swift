import CKernelSupport

func packedRecurrentFloats(gates: Int, hidden: Int, k: Int) -> Int {
  gates &* k &* ceilDivide(hidden, lanes) &* lanes
}

/// What a cell makes of its gates' sums, for one vector of units of one item of the batch.
private protocol RecurrentCell {
  static func finish<C: ColumnAccess, let G: Int>(
    _ columns: C.Type, _ sums: InlineArray<G, VF>, _ args: dlk_recurrent_args, item: Int, unit: Int, count: Int)
  /// Where the sums of a gate start.
  static func start<C: ColumnAccess>(
    _ columns: C.Type, _ args: dlk_recurrent_args, item: Int, gate: Int, unit: Int, count: Int
  ) -> VF
}

func lstmStep(_ args: dlk_recurrent_args, _ panels: Range<Int>) {
  runRecurrent(LSTMCell.self, GateCount<4>.self, args, panels)
}

func gruStep(_ args: dlk_recurrent_args, _ panels: Range<Int>) {
  runRecurrent(GRUCell.self, GateCount<3>.self, args, panels)
}

private enum GateCount<let G: Int> {}

private func runRecurrent<Cell: RecurrentCell, let G: Int>(
  _ cell: Cell.Type, _ gates: GateCount<G>.Type, _ args: dlk_recurrent_args, _ panels: Range<Int>
) {
  let whole = min(panels.upperBound, Int(args.hidden) / lanes), batch = Int(args.batch)
  let pairs = batch == 1 ? max(0, whole &- panels.lowerBound) / 2 : 0
  // Panels in steps: pairs first (one item alone has too few sums to hide the arithmetic's latency), the others one
  // by one.
  let steps = panels.count &- pairs
  if args.begins == 0 && batch == 1 {
    // What another core has made comes in one by one if it is only asked for when it is needed.
    for unit in stride(from: 0, to: Int(args.hidden), by: 16) { dlk_prefetch(args.h + unit) }
  }
  let begun = min(steps, Int(args.begun))
  for index in 0..<max(0, args.begins != 0 ? begun : steps) {
    let step = args.descending != 0 ? steps &- 1 &- index : index
    let panel = panels.lowerBound &+ (step < pairs ? 2 &* step : pairs &+ step)
    if step < pairs {
      let sums = index < begun ? args.sums.map { $0 + index &* 2 &* G &* lanes } : nil
      RecurrentTile<Cell, WholeColumns, 1, 2, G>.run(args, panel, item: 0, count: lanes, sums)
      continue
    }
    if args.begins != 0 { continue }
    let count = min(lanes, Int(args.hidden) &- panel &* lanes)
    var item = 0
    while item < batch {
      // Only the last panel may be narrow: it gets no tiles of its own for several items. The others are of about as many
      // items each.
      let left = count == lanes ? batch &- item : 1, rows = ceilDivide(left, ceilDivide(left, recurrentRows(gates: G)))
      switch (rows, count == lanes) {
      case (4, _): RecurrentTile<Cell, WholeColumns, 4, 1, G>.run(args, panel, item: item, count: count)
      case (3, _): RecurrentTile<Cell, WholeColumns, 3, 1, G>.run(args, panel, item: item, count: count)
      case (2, _): RecurrentTile<Cell, WholeColumns, 2, 1, G>.run(args, panel, item: item, count: count)
      case (_, true): RecurrentTile<Cell, WholeColumns, 1, 1, G>.run(args, panel, item: item, count: count)
      default: RecurrentTile<Cell, PartialColumns, 1, 1, G>.run(args, panel, item: item, count: count)
      }
      item = item &+ rows
    }
  }
}

/// Floats between what is used and what is asked for.
@inline(__always) private var prefetchDistance: Int { 1024 }

/// Items of the batch in the largest tile whose sums fit into the registers, beside an element of each one's h and a
/// vector of weights.
@inline(__always) private func recurrentRows(gates: Int) -> Int { lanes == 16 || gates == 3 ? 4 : 3 }

/// All `G` gates of `U` vectors of units for `MR` items of the batch.
private enum RecurrentTile<Cell: RecurrentCell, C: ColumnAccess, let MR: Int, let U: Int, let G: Int> {
  typealias Sums = InlineArray<MR, InlineArray<U, InlineArray<G, VF>>>

  /// - Parameter kept: where the sums of a tile that is begun first are kept; only one item's.
  @inline(never)
  static func run(_ args: dlk_recurrent_args, _ panel: Int, item: Int, count: Int, _ kept: Target? = nil) {
    let begins = args.begins != 0
    var sums = start(args, panel, item: item, count: count)
    if U == 2, let kept, !begins {
      for u in 0..<U {
        for g in 0..<G { sums[0][u][g] = dlk_load(kept + (u &* G &+ g) &* lanes) }
      }
    }
    add(&sums, args, panel, item: item, parts: (kept != nil && !begins ? 1 : 0)..<(begins ? 1 : 2))
    guard U == 2, let kept, begins else { return finish(sums, args, panel, item: item, count: count) }
    for u in 0..<U {
      for g in 0..<G { dlk_store(kept + (u &* G &+ g) &* lanes, sums[0][u][g]) }
    }
  }

  @inline(__always)
  private static func start(_ args: dlk_recurrent_args, _ panel: Int, item: Int, count: Int) -> Sums {
    if MR == 1 {
      // Lines that may be another core's still come while sums are made.
      let next: Source = args.gates + (Int(args.next_gates) &+ panel &* lanes)
      for u in 0..<U {
        dlk_prefetch_write(args.out + (panel &+ u) &* lanes)
        for g in 0..<G { dlk_prefetch(next + (g &* Int(args.hidden) &+ u &* lanes)) }
      }
    }
    return Sums { i in
      InlineArray<U, InlineArray<G, VF>> { u in
        InlineArray<G, VF> {
          Cell.start(
            C.self, args, item: item &+ i, gate: $0, unit: (panel &+ u) &* lanes, count: count)
        }
      }
    }
  }

  /// Adds the products: first part of the units, second part, or both.
  @inline(__always)
  private static func add(
    _ sums: inout Sums, _ args: dlk_recurrent_args, _ panel: Int, item: Int, parts: Range<Int>
  ) {
    let depth = Int(args.hidden), panelSize = depth &* G &* lanes
    let middle = min(depth, Int(args.middle) &* lanes)
    let base: Source = args.weights + panel &* panelSize
    let h = InlineArray<MR, Source> { args.h + (item &+ $0) &* Int(args.h_row_stride) }
    for part in parts {
      let units = (part == 0) == (panel < Int(args.middle)) ? 0..<middle : middle..<depth
      var weights = base + units.lowerBound &* G &* lanes
      // The hardware follows a run of memory within a page only, and pages are short. Where a vector is half a line it
      // keeps up by itself, and to ask took 3 to 8 % (Zen 3).
      var ahead = UnsafeRawPointer(weights + prefetchDistance)
      for k in units {
        if lanes == 16 && args.fetches != 0 {
          for u in 0..<U {
            for g in 0..<G { dlk_prefetch(ahead + (u &* panelSize &+ g &* lanes) &* 4) }
          }
          ahead += G &* lanes &* 4
        }
        if MR > G {
          // Registers hold the fewer: all weights and one element of h, or the other way round.
          let vectors = InlineArray<G, VF> { dlk_load(weights + $0 &* lanes) }
          for i in 0..<MR {
            let element = VF(repeating: h[i][k])
            for g in 0..<G { sums[i][0][g] = dlk_fma(element, vectors[g], sums[i][0][g]) }
          }
        } else {
          for u in 0..<U {
            for g in 0..<G {
              let w = dlk_load(weights + (u &* panelSize &+ g &* lanes))
              for i in 0..<MR { sums[i][u][g] = dlk_fma(VF(repeating: h[i][k]), w, sums[i][u][g]) }
            }
          }
        }
        weights += G &* lanes
      }
    }
  }

  @inline(__always)
  private static func finish(_ sums: Sums, _ args: dlk_recurrent_args, _ panel: Int, item: Int, count: Int) {
    for i in 0..<MR {
      for u in 0..<U {
        Cell.finish(C.self, sums[i][u], args, item: item &+ i, unit: (panel &+ u) &* lanes, count: count)
      }
    }
  }
}

private enum LSTMCell: RecurrentCell {
  @inline(__always)
  static func start<C: ColumnAccess>(
    _ columns: C.Type, _ args: dlk_recurrent_args, item: Int, gate: Int, unit: Int, count: Int
  ) -> VF {
    C.load(args.gates + (item &* Int(args.gates_row_stride) &+ gate &* Int(args.hidden) &+ unit), count)
  }

  @inline(__always)
  static func finish<C: ColumnAccess, let G: Int>(
    _ columns: C.Type, _ sums: InlineArray<G, VF>, _ args: dlk_recurrent_args, item: Int, unit: Int, count: Int
  ) {
    let state: Target = args.c + (item &* Int(args.c_row_stride) &+ unit), hidden = Int(args.hidden)
    let old = C.load(state, count)
    var (input, output, forget) = (sums[0], sums[1], sums[2])
    if let peepholes = args.peepholes {
      input = dlk_fma(C.load(peepholes + unit, count), old, input)
      forget = dlk_fma(C.load(peepholes + (2 &* hidden &+ unit), count), old, forget)
    }
    let new = dlk_fma(sigmoid(forget), old, sigmoid(input) * hyperbolicTangent(sums[3]))
    if let peepholes = args.peepholes { output = dlk_fma(C.load(peepholes + (hidden &+ unit), count), new, output) }
    C.store(state, new, count)
    C.store(
      args.out + (item &* Int(args.out_row_stride) &+ unit), sigmoid(output) * hyperbolicTangent(new), count)
  }
}

private enum GRUCell: RecurrentCell {
  @inline(__always)
  static func start<C: ColumnAccess>(
    _ columns: C.Type, _ args: dlk_recurrent_args, item: Int, gate: Int, unit: Int, count: Int
  ) -> VF {
    if gate == 2 { return args.recurrent_bias.map { C.load($0 + unit, count) } ?? VF() }
    return C.load(args.gates + (item &* Int(args.gates_row_stride) &+ gate &* Int(args.hidden) &+ unit), count)
  }

  @inline(__always)
  static func finish<C: ColumnAccess, let G: Int>(
    _ columns: C.Type, _ sums: InlineArray<G, VF>, _ args: dlk_recurrent_args, item: Int, unit: Int, count: Int
  ) {
    let projected: Source =
      args.gates + (item &* Int(args.gates_row_stride) &+ 2 &* Int(args.hidden) &+ unit)
    let old = C.load(args.h + (item &* Int(args.h_row_stride) &+ unit), count)
    let update = sigmoid(sums[0])
    let candidate = hyperbolicTangent(dlk_fma(sigmoid(sums[1]), sums[2], C.load(projected, count)))
    // (1 − z)∘n + z∘h
    let new = dlk_fma(update, old - candidate, candidate)
    C.store(args.out + (item &* Int(args.out_row_stride) &+ unit), new, count)
  }
}
