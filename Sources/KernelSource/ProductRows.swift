/// Rows of A as `ProductDriver` takes them, and the tiles that it makes of them.
protocol ProductRows: RowSource {
  /// Copies that are multiplied in pairs.
  static var arePaired: Bool { get }
  /// Vectors of columns in a whole panel of B.
  static var panelWidth: Int { get }
  /// Rows of the largest tile over so many vectors of columns.
  static func tileHeight(_ vectors: Int) -> Int
  func multiply(_ tile: UnsafePointer<Tile>, rows: Int, vectors: Int)
  /// Floats from a group's elements in each row to those of the first group.
  var groupShift: Int { get set }
  /// Rows after which addresses repeat, but for their shift.
  var period: Int { get }
  /// Floats from one row to the next in memory, where they are not copied: where the next tile's are likely to be.
  var distance: Int { get }
  /// Whether tiles that follow each other can be multiplied at once.
  var joinsTiles: Bool { get }
  /// Addresses from a tile's to the next one's; 0 where all have the same, and their shifts differ by their distance.
  func listStep(count: Int) -> Int
  /// Floats from one row to the next; of paired rows only.
  var rowStride: Int { get }
  /// Two factors of each row of the tile at `offset`: what multiplies its sums, and before that what is added to them; of
  /// paired rows only.
  func factors(offset: Int) -> Source?
}

extension ProductRows {
  @inline(__always) static var arePaired: Bool { false }
  @inline(__always) static var panelWidth: Int { panelVectors }
  @inline(__always) static func tileHeight(_ vectors: Int) -> Int { tileRows(vectors) }
  @inline(__always) var groupShift: Int {
    get { 0 }
    set {}
  }
  @inline(__always) func shift(row: Int) -> Int { 0 }
  @inline(__always) var period: Int { 1 }
  @inline(__always) func listStep(count: Int) -> Int { 0 }
  @inline(__always) var rowStride: Int { 0 }
  @inline(__always) func factors(offset: Int) -> Source? { nil }

  @inline(__always)
  func multiply(_ tile: UnsafePointer<Tile>, rows: Int, vectors: Int) {
    runTile(tile, rows: rows, vectors: vectors)
  }
}
