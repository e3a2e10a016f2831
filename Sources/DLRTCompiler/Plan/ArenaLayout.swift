/// Places buffers with known lifetimes into one block of memory.
///
/// Largest first, each at the lowest offset that is free throughout its life.
struct ArenaLayout {
  struct Buffer {
    let size: Int
    /// First and last step during which the bytes matter.
    let life: ClosedRange<Int>
    var offset = 0
  }

  private(set) var buffers: [Buffer] = []
  static let alignment = 64

  /// Sizes are bounded by the checks at inference; rounding up cannot overflow below this.
  static let mostBytes = 1 << 46

  @discardableResult
  mutating func add(size: Int, life: ClosedRange<Int>) -> Int {
    let rounded = max(Self.alignment, (min(size, Self.mostBytes) + Self.alignment - 1) & ~(Self.alignment - 1))
    buffers.append(Buffer(size: rounded, life: life))
    return buffers.count - 1
  }

  /// Assigns all offsets and returns the block's size.
  mutating func place() -> Int {
    let bySize = buffers.indices.sorted {
      (buffers[$0].size, -buffers[$0].life.lowerBound) > (buffers[$1].size, -buffers[$1].life.lowerBound)
    }
    // Placed buffers ordered by offset, so that gaps are found in one walk.
    var placed: [Int] = []
    var total = 0
    for index in bySize {
      let buffer = buffers[index]
      var offset = 0
      for other in placed where buffers[other].life.overlaps(buffer.life) {
        if buffers[other].offset >= offset + buffer.size { break }
        offset = max(offset, buffers[other].offset + buffers[other].size)
      }
      buffers[index].offset = offset
      total = max(total, offset + buffer.size)
      let position = placed.firstIndex { buffers[$0].offset > offset } ?? placed.count
      placed.insert(index, at: position)
    }
    return total
  }
}
