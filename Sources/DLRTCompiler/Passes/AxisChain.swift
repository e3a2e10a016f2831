import DLRTGraph

/// What nodes that only rearrange make of a value: its axes are cut into pieces, which are put into another order and
/// joined to axes again.
struct AxisChain {
  private var sizes: [Dim] = []
  /// The pieces of each of the value's axes, and of the axes that they become; none of axes of size 1.
  private var source: [[Int]] = []
  private(set) var axes: [[Int]] = []
  /// How often pieces changed their order.
  private(set) var moves = 0

  /// More axes than networks have.
  private static let highestRank = 32

  /// The value as it is; nil where nothing is known of a size, or there are no elements.
  init?(_ shape: Shape) {
    guard shape.rank <= Self.highestRank else { return nil }
    for dim in shape.dims {
      if dim == .unknown || dim == 0 { return nil }
      source.append(dim == 1 ? [] : [sizes.count])
      if dim != 1 { sizes.append(dim) }
    }
    axes = source
  }

  var shape: Shape { Shape(axes.map { size($0) }) }

  private func size(_ pieces: [Int]) -> Dim { pieces.reduce(.known(1)) { $0 * sizes[$1] } }

  mutating func transpose(_ order: [Int]) {
    let before = axes.flatMap(\.self)
    axes = order.map { axes[$0] }
    if axes.flatMap(\.self) != before { moves += 1 }
  }

  /// Adds an axis whose elements are not the value's, and returns its piece.
  mutating func append(_ dim: Dim) -> Int {
    sizes.append(dim)
    source.append([sizes.count - 1])
    axes.append([sizes.count - 1])
    return sizes.count - 1
  }

  /// - Returns: false where the pieces of the new axes cannot be told.
  mutating func reshape(_ shape: Shape) -> Bool {
    guard shape.rank <= Self.highestRank, let result = reshaped(shape) else { return false }
    self = result
    return true
  }

  private func reshaped(_ shape: Shape) -> AxisChain? {
    var (chain, rest) = (self, axes.joined().map(\.self)[...])
    chain.axes = []
    for dim in shape.dims {
      var (wanted, pieces) = (dim, [Int]())
      while wanted != 1 {
        guard let piece = rest.popFirst() else { return nil }
        pieces.append(piece)
        if let left = wanted.divided(exactlyBy: chain.sizes[piece]) {
          wanted = left
        } else if let left = chain.sizes[piece].divided(exactlyBy: wanted) {
          rest = [chain.cut(piece, wanted, left)] + rest
          wanted = 1
        } else {
          return nil
        }
      }
      chain.axes.append(pieces)
    }
    return rest.isEmpty ? chain : nil
  }

  /// Makes two pieces of one, and returns the second.
  private mutating func cut(_ piece: Int, _ size: Dim, _ rest: Dim) -> Int {
    sizes[piece] = size
    sizes.append(rest)
    let added = sizes.count - 1
    source = source.map { $0.flatMap { $0 == piece ? [piece, added] : [$0] } }
    return added
  }

  /// Whether all pieces are in the axes.
  var isWhole: Bool { axes.joined().count == source.joined().count }

  /// The same pieces with other axes.
  func with(axes: [[Int]]) -> AxisChain {
    var chain = self
    chain.axes = axes
    return chain
  }

  /// The value that the chain began with, with a piece as an axis of its own.
  func cut(at piece: Int) -> AxisChain {
    with(
      axes: source.flatMap { pieces in
        guard let place = pieces.firstIndex(of: piece) else { return [pieces] }
        let parts = [Array(pieces[..<place]), [piece], Array(pieces[(place + 1)...])]
        return pieces.count == 1 ? [pieces] : parts.filter { !$0.isEmpty }
      })
  }

  /// The chain after a value's slice, which has no longer the piece.
  func without(_ piece: Int) -> AxisChain {
    var chain = self
    chain.source = source.map { $0.filter { $0 != piece } }
    chain.axes = axes.filter { $0 != [piece] }
    return chain
  }

  /// A Transpose that does the same, after a Reshape to the shape given and before one to the chain's, of which none is
  /// needed where no axis joins what was apart.
  var steps: (cut: Shape, order: [Int]) {
    var places = [Int](repeating: 0, count: sizes.count)
    for (place, piece) in source.joined().enumerated() { places[piece] = place }
    // Pieces of an axis that were neighbours stay so. Axes of size 1 stand before what follows them.
    var runs: [(place: Int, pieces: [Int])] = []
    for (axis, pieces) in axes.enumerated() {
      if pieces.isEmpty {
        let next = axes[axis...].first { !$0.isEmpty }
        runs.append((runs.allSatisfy(\.pieces.isEmpty) ? -1 : next.map { places[$0[0]] } ?? sizes.count, []))
      }
      for (index, piece) in pieces.enumerated() {
        if index > 0, let last = runs.last, places[piece] == last.place + last.pieces.count {
          runs[runs.count - 1].pieces.append(piece)
        } else {
          runs.append((places[piece], [piece]))
        }
      }
    }
    let sorted = runs.indices.sorted { (runs[$0].place, $0) < (runs[$1].place, $1) }
    var order = [Int](repeating: 0, count: runs.count)
    for (axis, run) in sorted.enumerated() { order[run] = axis }
    return (Shape(sorted.map { size(runs[$0].pieces) }), order)
  }
}
