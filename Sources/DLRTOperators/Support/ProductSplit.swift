/// How the threads of a run share a batch of products: whole products, or rows or panels of each.
///
/// Every element is summed in the same order whatever the split, so it may follow the number of threads.
struct ProductSplit: Sendable {
  /// Chunks of the batch, and into how many parts each product is cut.
  let batchChunks: Int
  let rowParts: Int
  let panelParts: Int
  private let batch: Int
  private let rowUnits: Int
  private let rowUnit: Int
  private let rows: Int
  private let panels: Int

  var count: Int { batchChunks &* rowParts &* panelParts }

  /// Floating-point operations that are worth a fork: some 2.5 µs. Networks of small products, each with its fork, keep
  /// the threads awake.
  private static let leastWork = 600_000
  /// Operations of a part where threads get more than two each: some 15 µs with AVX-512, 40 without.
  private static let finerWork = 4_000_000

  /// - Parameters:
  ///   - rowUnit: rows of a whole tile.
  ///   - work: in floating-point operations.
  ///   - weighsMore: the operand with columns is larger than the one with rows, so that threads share the former.
  init(batch: Int, m: Int, panels: Int, rowUnit: Int, work: Int, threads: Int, weighsMore: Bool) {
    self.batch = batch
    rows = m
    self.panels = panels
    self.rowUnit = rowUnit
    rowUnits = (m &+ rowUnit &- 1) / rowUnit
    // Two parts for each thread leave something to share when one of them is held up.
    let wanted = threads == 1 ? 1 : max(1, min(2 &* threads, work / Self.leastWork))
    if batch >= wanted || batch == 0 {
      batchChunks = min(wanted, batch)
      rowParts = 1
      panelParts = 1
      return
    }
    batchChunks = batch
    let parts = (wanted &+ batch &- 1) / batch
    // Where there are too few panels, what gives more parts.
    let takesPanels = panels >= parts ? weighsMore || rowUnits < parts : panels > rowUnits
    // Twice as many share more evenly, where each of them is still some panels or tiles.
    let isFiner = takesPanels ? panels >= 4 &* parts : rowUnits >= 8 &* parts
    let finer = isFiner && work / (2 &* parts &* batch) >= Self.finerWork ? 2 &* parts : parts
    rowParts = takesPanels ? 1 : max(1, min(finer, rowUnits))
    panelParts = takesPanels ? min(finer, panels) : 1
  }

  /// The part of the work that a chunk does.
  @inline(__always)
  func part(_ index: Int) -> (batch: Range<Int>, rows: Range<Int>, panels: Range<Int>) {
    let inner = rowParts &* panelParts
    let chunk = index / inner
    let rest = index &- chunk &* inner
    let row = rest / panelParts
    let panel = rest &- row &* panelParts
    let tiles = Self.slice(rowUnits, row, of: rowParts)
    return (
      Self.slice(batch, chunk, of: batchChunks),
      tiles.lowerBound &* rowUnit..<min(tiles.upperBound &* rowUnit, rows),
      Self.slice(panels, panel, of: panelParts)
    )
  }

  /// The `index`-th of `parts` nearly equal slices; neighbours together are nearly equal too, since a thread does
  /// several.
  @inline(__always)
  static func slice(_ count: Int, _ index: Int, of parts: Int) -> Range<Int> {
    count &* index / parts..<count &* (index &+ 1) / parts
  }
}
