import CKernelSupport

/// Where the rows of A are found: a matrix, or the pixels under a convolution's window.
protocol RowSource {
  var taps: Int { get }
  /// The most taps that `tile` answers for at once.
  var tapLimit: Int { get }
  /// The most rows whose addresses `prepare` can keep.
  var blockLimit: Int { get }
  /// Makes ready the addresses of the rows from `row` on, tile by tile.
  mutating func prepare(row: Int, _ tiling: Tiling)
  /// `[tap][row]` for some taps of one tile; `offset` is its first row counted from the block that was prepared.
  mutating func tile(row: Int, count: Int, offset: Int, taps: Range<Int>) -> UnsafePointer<Source>
  /// Floats from those addresses to where the elements of a tile's rows start.
  func shift(row: Int) -> Int
  /// The taps of a tile that may add anything, at least one.
  func live(row: Int, count: Int) -> Range<Int>
}

/// `count` rows cut into as few tiles as possible, all as equal as possible, where all but the last one are multiples of
/// `unit`, as `limit` is.
struct Tiling {
  let count: Int
  let tiles: Int
  let unit: Int
  /// Units of the smaller tiles; the first `larger` ones have one more.
  private let units: Int
  private let larger: Int
  /// Rows that the last unit lacks.
  private let missing: Int

  @inline(__always) init(_ count: Int, limit: Int, unit: Int = 1) {
    self.count = count
    let all = ceilDivide(count, unit)
    tiles = ceilDivide(count, limit)
    self.unit = unit
    units = tiles == 0 ? 0 : all / tiles
    larger = all &- tiles &* units
    missing = all &* unit &- count
  }

  /// How many tiles from one on have as many rows.
  @inline(__always) func alike(_ tile: Int) -> Int {
    if tile < larger { return larger &- tile }
    return max(1, tiles &- tile &- (missing > 0 ? 1 : 0))
  }

  @inline(__always) func rows(_ tile: Int) -> Int {
    (tile < larger ? units &+ 1 : units) &* unit &- (tile &+ 1 == tiles ? missing : 0)
  }
}
