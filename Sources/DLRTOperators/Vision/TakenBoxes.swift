/// The boxes that were taken, in upright strips, so that a box is compared only with those near it.
///
/// A box belongs to the strip in which it begins. The boxes of a strip are a chain of blocks, which hold a vector of
/// each coordinate side by side.
struct TakenBoxes {
  fileprivate static let lanes = 8
  /// Floats of a block: left, right, top, bottom and area.
  fileprivate static let blockFloats = 5 * lanes

  fileprivate struct Strip {
    /// The newest block, or -1.
    var block: Int32
    /// Boxes that begin here.
    var count: Int32
    /// The first strip from which a box reaches into this one.
    var lowest: Int32
  }

  private let blocks: UnsafeMutablePointer<Float>
  private let strips: UnsafeMutablePointer<Strip>
  /// The block before each one in its chain.
  private let previous: UnsafeMutablePointer<Int32>
  private var blockCount: Int32 = 0
  private let stripCount: Int
  private let origin: Float
  private let scale: Float

  private static func mostStrips(_ most: Int) -> Int { max(1, min(1024, most / 32)) }

  /// All blocks but the newest of each strip are full.
  private static func mostBlocks(_ most: Int) -> Int { most / lanes &+ mostStrips(most) }

  /// Bytes of memory for at most so many boxes.
  static func bytes(_ most: Int) -> Int {
    mostBlocks(most) &* (blockFloats &+ 1) &* 4 &+ mostStrips(most) &* MemoryLayout<Strip>.stride
  }

  init(_ memory: UnsafeMutableRawPointer, most: Int, _ extent: BoxExtent) {
    blocks = memory.assumingMemoryBound(to: Float.self)
    let after = blocks + Self.mostBlocks(most) &* Self.blockFloats
    previous = UnsafeMutableRawPointer(after).assumingMemoryBound(to: Int32.self)
    strips = UnsafeMutableRawPointer(previous + Self.mostBlocks(most)).assumingMemoryBound(to: Strip.self)
    stripCount = extent.strips(Self.mostStrips(most))
    // Halves, whose difference cannot be infinite.
    let range = extent.last / 2 - extent.first / 2
    let scale = Float(stripCount) / range
    let isUsable = range > 0 && scale.isFinite
    origin = isUsable ? extent.first / 2 : 0
    self.scale = isUsable ? scale : 0
    for strip in 0..<stripCount { strips[strip] = Strip(block: -1, count: 0, lowest: Int32(strip)) }
  }

  /// The strip of a place, which never decreases to the right.
  private func strip(_ place: Float) -> Int {
    let position = (place / 2 - origin) * scale
    if !(position < Float(stripCount &- 1)) { return stripCount &- 1 }
    return position > 0 ? Int(position) : 0
  }

  mutating func append(_ box: Box) {
    let own = strip(box.left)
    let lane = Int(strips[own].count) % Self.lanes
    if lane == 0 {
      previous[Int(blockCount)] = strips[own].block
      strips[own].block = blockCount
      blockCount &+= 1
    }
    let block = blocks + Int(strips[own].block) &* Self.blockFloats
    if lane == 0 {
      // Boxes that are not there yet overlap nothing.
      for lane in 0..<Self.lanes { (block[lane], block[Self.lanes &+ lane]) = (.infinity, -.infinity) }
    }
    block[lane] = box.left
    block[Self.lanes &+ lane] = box.right
    block[2 &* Self.lanes &+ lane] = box.top
    block[3 &* Self.lanes &+ lane] = box.bottom
    block[4 &* Self.lanes &+ lane] = box.area
    strips[own].count &+= 1
    for reached in own...strip(box.right) { strips[reached].lowest = min(strips[reached].lowest, Int32(own)) }
  }

  /// Whether the intersection over union of a box and one of these exceeds a threshold.
  func overlapsAny(_ box: Box, above threshold: Float) -> Bool {
    // Who begins further left and meets the box reaches into the strip in which it begins.
    let first = Int(strips[strip(box.left)].lowest)
    return meetsAny(box, blocks, previous, strips + first, strip(box.right) &- first &+ 1, threshold)
  }
}

// Free, so that it stays compiled for speed: see docs/architecture.md.
@_optimize(speed) @inline(never)
private func meetsAny(
  _ box: Box, _ blocks: UnsafePointer<Float>, _ previous: UnsafePointer<Int32>,
  _ strips: UnsafePointer<TakenBoxes.Strip>, _ stripCount: Int, _ threshold: Float
) -> Bool {
  for strip in 0..<stripCount {
    var index = strips[strip].block
    while index >= 0 {
      let block = blocks + Int(index) &* TakenBoxes.blockFloats
      index = previous[Int(index)]
      let width = smaller(vector(block, 1), box.right) - larger(vector(block, 0), box.left)
      let height = smaller(vector(block, 3), box.bottom) - larger(vector(block, 2), box.top)
      let meets = (width .> 0) .& (height .> 0)
      guard any(meets) else { continue }
      let areas = vector(block, 4), shared = width * height
      let union = areas + box.area - shared
      if any(meets .& (union .> 0) .& (shared / union .> threshold)) { return true }
    }
  }
  return false
}

@inline(__always) private func vector(_ block: UnsafePointer<Float>, _ coordinate: Int) -> SIMD8<Float> {
  UnsafeRawPointer(block + coordinate &* TakenBoxes.lanes).loadUnaligned(as: SIMD8<Float>.self)
}

@inline(__always) private func smaller(_ a: SIMD8<Float>, _ b: Float) -> SIMD8<Float> {
  a.replacing(with: b, where: a .> b)
}

@inline(__always) private func larger(_ a: SIMD8<Float>, _ b: Float) -> SIMD8<Float> {
  a.replacing(with: b, where: a .< b)
}
