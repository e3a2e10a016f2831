/// Rows of A as `ProductDriver` takes them, and the tiles that it makes of them.
protocol ProductRows: RowSource {
  /// Copies that are multiplied in pairs.
  static var arePaired: Bool { get }
  /// Vectors of columns in a whole panel of B.
  static var panelWidth: Int { get }
  /// Rows of the largest tile over so many vectors of columns.
  static func tileHeight(_ vectors: Int) -> Int
  func multiply(_ tile: UnsafePointer<Tile>, rows: Int, vectors: Int)
  /// Floats from the addresses of rows to where their elements start: another group's are as far from the first one's.
  var shift: Int { get set }
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
  @inline(__always) var shift: Int {
    get { 0 }
    set {}
  }
  @inline(__always) var rowStride: Int { 0 }
  @inline(__always) func factors(offset: Int) -> Source? { nil }

  @inline(__always)
  func multiply(_ tile: UnsafePointer<Tile>, rows: Int, vectors: Int) {
    runTile(tile, rows: rows, vectors: vectors)
  }
}
