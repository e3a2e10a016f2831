import DLRTGraph

/// How a grid's coordinates become elements and weights: GridSample's attributes.
struct GridSampling: Sendable {
  enum Mode: String, CaseIterable, Sendable {
    case linear, nearest, cubic
  }

  /// What lies beyond the edges.
  enum Padding: String, CaseIterable, Sendable {
    case zeros, border, reflection
  }

  let mode: Mode
  let padding: Padding
  let alignsCorners: Bool

  /// Cubic sampling reads 4 elements for each axis, multiplied.
  static let mostAxes = 6

  private var tapsPerAxis: Int {
    switch mode {
    case .nearest: 1
    case .linear: 2
    case .cubic: 4
    }
  }

  func taps(axes: Int) -> Int { (0..<axes).reduce(1) { product, _ in product * tapsPerAxis } }

  /// The elements of an axis that a normalised coordinate reads, and their weights; -1 for one outside.
  @inline(__always)
  func locate<G: RealElement>(
    _ normalized: G, size: Int, _ places: UnsafeMutablePointer<Int>, _ weights: UnsafeMutablePointer<G>
  ) {
    let length = G(size)
    let coordinate = alignsCorners ? (normalized + 1) / 2 * (length - 1) : ((normalized + 1) * length - 1) / 2
    var x = coordinate
    if mode == .nearest { x = x.rounded(.toNearestOrEven) }
    let (low, high): (G, G) = alignsCorners ? (0, length - 1) : (-0.5, length - 0.5)
    if !(x >= low && x <= high) {
      switch padding {
      // As far outside as matters; NaN, which is nowhere, goes there too.
      case .zeros: x = x > -3 ? min(x, length + 3) : -3
      case .border:
        let slack: G = mode == .cubic ? 3 : 0
        x = x > -slack ? min(x, length - 1 + slack) : -slack
      case .reflection: x = reflected(x, low, high)
      }
    }
    switch mode {
    case .nearest:
      places[0] = place(G.truncated(x), size, low, high)
      weights[0] = 1
    case .linear:
      let left = Self.floor(x)
      for tap in 0..<2 { places[tap] = place(left &+ tap, size, low, high) }
      weights[1] = x - G(left)
      weights[0] = 1 - weights[1]
    case .cubic:
      let left = Self.floor(x)
      for tap in 0..<4 {
        places[tap] = place(left &+ tap &- 1, size, low, high)
        weights[tap] = G(ResizeTable.cubic(Double(x - G(left)) + 1 - Double(tap), a: -0.75))
      }
    }
    for tap in 0..<tapsPerAxis where places[tap] < 0 { weights[tap] = 0 }
  }

  /// Rounding downwards is a call on processors of the baseline.
  @inline(__always)
  private static func floor<G: RealElement>(_ x: G) -> Int {
    let towardsZero = G.truncated(x)
    return x < G(towardsZero) ? towardsZero &- 1 : towardsZero
  }

  @inline(__always)
  private func place<G: RealElement>(_ index: Int, _ size: Int, _ low: G, _ high: G) -> Int {
    if index >= 0 && index < size { return index }
    switch padding {
    case .zeros: return -1
    case .border: return min(max(index, 0), size &- 1)
    case .reflection: return min(max(G.truncated(reflected(G(index), low, high)), 0), size &- 1)
    }
  }

  /// Mirrors a coordinate at the borders until it lies between them.
  private func reflected<G: RealElement>(_ x: G, _ low: G, _ high: G) -> G {
    let range = high - low
    guard range > 0, x.isFinite else { return 0 }
    let distance = G.fmod((x - low).magnitude, 2 * range)
    return distance <= range ? low + distance : high - (distance - range)
  }

  /// All taps of a position: the product of the axes' taps.
  @inline(__always)
  func combine<G: RealElement>(
    _ coordinates: UnsafePointer<G>, _ spatial: UnsafeBufferPointer<Int>, _ position: Int, block: Int,
    _ places: UnsafeMutablePointer<Int>, _ weights: UnsafeMutablePointer<G>
  ) {
    let perAxis = tapsPerAxis
    places[position] = 0
    weights[position] = 1
    var count = 1
    withUnsafeTemporaryAllocation(of: Int.self, capacity: 4) { axisPlaces in
      withUnsafeTemporaryAllocation(of: G.self, capacity: 4) { axisWeights in
        guard let own = axisPlaces.baseAddress, let factors = axisWeights.baseAddress else { return }
        for axis in 0..<spatial.count {
          // Coordinates come innermost axis first.
          locate(coordinates[spatial.count &- 1 &- axis], size: spatial[axis], own, factors)
          // The first tap's entries are those that the others are made from, so they are overwritten last.
          for tap in (0..<perAxis).reversed() {
            for earlier in 0..<count {
              let from = earlier &* block &+ position
              let to = (tap &* count &+ earlier) &* block &+ position
              places[to] = places[from] &* spatial[axis] &+ max(own[tap], 0)
              weights[to] = weights[from] * factors[tap]
            }
          }
          count = count &* perAxis
        }
      }
    }
  }
}

/// Sizes of a sampling, and how its work is cut.
struct GridLayout: Sendable {
  let images: Int
  let channels: Int
  let spatial: [Int]
  let positions: Int
  /// Elements that make an output.
  let taps: Int
  /// Positions whose taps are found before all channels are sampled there.
  let block: Int
  let blocks: Int
  let lanes: Int

  init(images: Int, channels: Int, spatial: [Int], positions: Int, taps: Int, threads: Int) {
    self.images = images
    self.channels = channels
    self.spatial = spatial
    self.positions = positions
    self.taps = taps
    block = max(1, min(positions, 64, (1 << 14) / taps))
    blocks = (positions + block - 1) / block
    lanes = max(1, min(images * blocks, threads))
  }
}

/// Finds the taps of blocks of positions and hands them to a loop over channels.
struct GridLocator<G: RealElement>: Sendable {
  let sampling: GridSampling
  let layout: GridLayout

  struct Taps {
    /// `[tap][position of the block]`, elements of a plane.
    let places: UnsafeMutablePointer<Int>
    let weights: UnsafeMutablePointer<G>
  }

  /// - Parameter sample: fills a part of an image's output planes from its input planes.
  func stepOverImages<T>(
    _ sample: @escaping @Sendable (UnsafePointer<T>, UnsafeMutablePointer<T>, Taps, Int) -> Void
  ) -> Step {
    let layout = layout
    let entries = layout.taps &* layout.block
    let laneBytes = (entries &* (8 + MemoryLayout<G>.size) &+ 63) & ~63
    let inputSize = layout.spatial.product
    return Step(kernel: "grid", workspace: layout.lanes &* laneBytes) { [sampling] io in
      let (x, grid, y) = (io.input(0, as: T.self), io.input(1, as: G.self), io.output(0, as: T.self))
      let workspace = io.workspace
      io.parallel(layout.lanes) { lane in
        let places = (workspace + lane &* laneBytes).assumingMemoryBound(to: Int.self)
        let taps = Taps(
          places: places, weights: UnsafeMutableRawPointer(places + entries).assumingMemoryBound(to: G.self))
        layout.spatial.withUnsafeBufferPointer { spatial in
          for unit in stride(from: lane, to: layout.images &* layout.blocks, by: layout.lanes) {
            let image = unit / layout.blocks
            let first = unit % layout.blocks &* layout.block
            let count = min(layout.block, layout.positions &- first)
            let coordinates = grid + (image &* layout.positions &+ first) &* spatial.count
            for position in 0..<count {
              sampling.combine(
                coordinates + position &* spatial.count, spatial, position, block: layout.block, taps.places,
                taps.weights)
            }
            let plane = image &* layout.channels
            sample(x + plane &* inputSize, y + plane &* layout.positions + first, taps, count)
          }
        }
      }
    }
  }

  /// - Parameter sample: fills a part of an output plane from an input plane.
  func step<T>(
    _ sample: @escaping @Sendable (UnsafePointer<T>, UnsafeMutablePointer<T>, Taps, Int) -> Void
  ) -> Step {
    let layout = layout
    let inputSize = layout.spatial.product
    return stepOverImages { (x: UnsafePointer<T>, y: UnsafeMutablePointer<T>, taps, count) in
      for channel in 0..<layout.channels {
        sample(x + channel &* inputSize, y + channel &* layout.positions, taps, count)
      }
    }
  }
}
