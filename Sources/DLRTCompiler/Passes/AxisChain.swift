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
    let before = Self.pieces(axes)
    axes = order.map { axes[$0] }
    if Self.pieces(axes) != before { moves += 1 }
  }

  private static func pieces(_ axes: [[Int]]) -> [Int] {
    var result: [Int] = []
    for pieces in axes { result += pieces }
    return result
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
    var chain = self
    // The last one first.
    var rest = [Int](Self.pieces(axes).reversed())
    chain.axes = []
    for dim in shape.dims {
      var (wanted, pieces) = (dim, [Int]())
      while wanted != 1 {
        guard let piece = rest.popLast() else { return nil }
        pieces.append(piece)
        if let left = wanted.divided(exactlyBy: chain.sizes[piece]) {
          wanted = left
        } else if let left = chain.sizes[piece].divided(exactlyBy: wanted) {
          rest.append(chain.cut(piece, wanted, left))
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
    for axis in source.indices {
      if let place = source[axis].firstIndex(of: piece) { source[axis].insert(sizes.count - 1, at: place + 1) }
    }
    return sizes.count - 1
  }

  /// Whether all pieces are in the axes.
  var isWhole: Bool { Self.pieces(axes).count == Self.pieces(source).count }

  /// The same pieces with other axes.
  func with(axes: [[Int]]) -> AxisChain {
    var chain = self
    chain.axes = axes
    return chain
  }

  /// The value that the chain began with, with a piece as an axis of its own.
  func cut(at piece: Int) -> AxisChain {
    var result: [[Int]] = []
    for pieces in source {
      guard let place = pieces.firstIndex(of: piece) else {
        result.append(pieces)
        continue
      }
      for (index, one) in pieces.enumerated() {
        if index == 0 || index == place || index == place + 1 {
          result.append([one])
        } else {
          result[result.count - 1].append(one)
        }
      }
    }
    return with(axes: result)
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
    for (place, piece) in Self.pieces(source).enumerated() { places[piece] = place }
    // Pieces of an axis that were neighbours stay so. Axes of size 1 stand before what follows them.
    var runs: [[Int]] = [], starts: [Int] = []
    for (axis, pieces) in axes.enumerated() {
      if pieces.isEmpty {
        let next = axes.indices.first { $0 > axis && !axes[$0].isEmpty }
        starts.append(runs.allSatisfy(\.isEmpty) ? -1 : next.map { places[axes[$0][0]] } ?? sizes.count)
        runs.append([])
      }
      for (index, piece) in pieces.enumerated() {
        if index > 0, let first = starts.last, let last = runs.last, places[piece] == first + last.count {
          runs[runs.count - 1].append(piece)
        } else {
          starts.append(places[piece])
          runs.append([piece])
        }
      }
    }
    let order = runs.indices.map { run in
      runs.indices.count { starts[$0] < starts[run] || starts[$0] == starts[run] && $0 < run }
    }
    var cut = [Dim](repeating: 1, count: runs.count)
    for (axis, run) in zip(order, runs) { cut[axis] = size(run) }
    return (Shape(cut), order)
  }
}
