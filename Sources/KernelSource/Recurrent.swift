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
  for index in 0..<max(0, steps) {
    let step = args.descending != 0 ? steps &- 1 &- index : index
    let panel = panels.lowerBound &+ (step < pairs ? 2 &* step : pairs &+ step)
    if step < pairs {
      RecurrentTile<Cell, WholeColumns, 1, 2, G>.run(args, panel, item: 0, count: lanes)
      continue
    }
    let count = min(lanes, Int(args.hidden) &- panel &* lanes)
    var item = 0
    while item < batch {
      let rows = batch &- item >= recurrentRows ? recurrentRows : batch &- item >= 2 ? 2 : 1
      switch (rows, count == lanes) {
      case (4, true): RecurrentTile<Cell, WholeColumns, 4, 1, G>.run(args, panel, item: item, count: count)
      case (2, true): RecurrentTile<Cell, WholeColumns, 2, 1, G>.run(args, panel, item: item, count: count)
      case (1, true): RecurrentTile<Cell, WholeColumns, 1, 1, G>.run(args, panel, item: item, count: count)
      case (4, false): RecurrentTile<Cell, PartialColumns, 4, 1, G>.run(args, panel, item: item, count: count)
      case (2, false): RecurrentTile<Cell, PartialColumns, 2, 1, G>.run(args, panel, item: item, count: count)
      default: RecurrentTile<Cell, PartialColumns, 1, 1, G>.run(args, panel, item: item, count: count)
      }
      item = item &+ rows
    }
  }
}

/// Floats between what is used and what is asked for.
@inline(__always) private var prefetchDistance: Int { 1024 }

/// Items of the batch in the largest tile whose sums fit into the registers.
@inline(__always) private var recurrentRows: Int { lanes == 16 ? 4 : 2 }

/// All `G` gates of `U` vectors of units for `MR` items of the batch.
private enum RecurrentTile<Cell: RecurrentCell, C: ColumnAccess, let MR: Int, let U: Int, let G: Int> {
  @inline(never)
  static func run(_ args: dlk_recurrent_args, _ panel: Int, item: Int, count: Int) {
    let depth = Int(args.hidden), unit = panel &* lanes, panelSize = depth &* G &* lanes
    var sums = InlineArray<MR, InlineArray<U, InlineArray<G, VF>>> { i in
      InlineArray<U, InlineArray<G, VF>> { u in
        InlineArray<G, VF> {
          Cell.start(C.self, args, item: item &+ i, gate: $0, unit: unit &+ u &* lanes, count: count)
        }
      }
    }
    let h = InlineArray<MR, Source> { args.h + (item &+ $0) &* Int(args.h_row_stride) }
    var weights: Source = args.weights + panel &* panelSize
    // The hardware follows a run of memory within a page only, and pages are short.
    var ahead = UnsafeRawPointer(weights + prefetchDistance)
    for k in 0..<depth {
      for u in 0..<U {
        for g in 0..<G { dlk_prefetch(ahead + (u &* panelSize &+ g &* lanes) &* 4) }
      }
      ahead += G &* lanes &* 4
      for u in 0..<U {
        for g in 0..<G {
          let w = dlk_load(weights + (u &* panelSize &+ g &* lanes))
          for i in 0..<MR { sums[i][u][g] = dlk_fma(VF(repeating: h[i][k]), w, sums[i][u][g]) }
        }
      }
      weights += G &* lanes
    }
    for i in 0..<MR {
      for u in 0..<U {
        Cell.finish(C.self, sums[i][u], args, item: item &+ i, unit: unit &+ u &* lanes, count: count)
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
