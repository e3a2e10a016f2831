import CKernelSupport

/// Vectors of columns in a panel of B for products in pairs, and rows of the largest tile: what leaves registers for sums
/// of operands.
let pairedVectors = 2
let pairedRows = 11

@inline(__always) var pairedColumns: Int { pairedVectors &* lanes }

#if DL_AVX512
  /// Which of a row's numbers are multiplied in pairs: five pairs and six others in each sixteen, which is what keeps
  /// adders and multipliers equally busy.
  enum Pairing {
    /// Where pairs begin.
    static var starts: Int32 { 1 << 0 | 1 << 4 | 1 << 6 | 1 << 8 | 1 << 12 }

    /// The numbers that are stored with their signs turned: the second ones of every other pair, so that what pairs add
    /// beside their products does not outgrow these. Bits stand for 32 numbers.
    static var turned: Int32 { 1 << 5 | 1 << 9 | 1 << 17 | 1 << 23 | 1 << 29 }

    /// How many numbers come before the first that is in no pair any more.
    @inline(__always) static func depth(_ depth: Int) -> Int { depth & ~7 }
  }

  /// A correction that marks rows and panels whose numbers do not fit together: they are multiplied as ever.
  let unpaired = Float.infinity

  /// `MR` rows by `NV` vectors of columns of a product in pairs (Winograd 1968, "A new algorithm for inner product"):
  ///
  ///     a₀·b₀ + a₁·b₁ = (a₀ + b₁)·(a₁ + b₀) − a₀·a₁ − b₀·b₁
  ///
  /// has one multiplication where there were two, and additions, for which processors with adders of their own have time
  /// at every multiplication. What is subtracted depends on a row or a column alone. Without `PairedRows` and
  /// `pairPanel`, which bring rows and columns to one magnitude, digits would be lost.
  enum PairedKernel<let MR: Int, let NV: Int> {
    @inline(never)
    static func run(_ tile: UnsafePointer<Tile>) {
      let corrections = tile.pointee.b + (tile.pointee.depth &+ 1) &* NV &* lanes
      let start = InlineArray<NV, VF> { dlk_load(corrections + $0 &* lanes) }
      var sums = InlineArray<MR, InlineArray<NV, VF>> { _ in start }
      // A third of the addresses: a row's distance, once and twice, is part of an instruction.
      let stride = tile.pointee.rowStride
      var a = InlineArray<4, Source> { [first = tile.pointee.rows[0]] in first + 3 &* $0 &* stride }
      var b = tile.pointee.b
      var prefetch = tile.pointee.prefetch
      let prefetchStep = tile.pointee.prefetchStep
      let depth = tile.pointee.depth

      @inline(__always) func row(_ i: Int) -> Source { a[i / 3] + i % 3 &* stride }
      @inline(__always) func load(_ k: Int) -> InlineArray<NV, VF> {
        InlineArray { dlk_load(b + (k &* NV &+ $0) &* lanes) }
      }
      @inline(__always) func fetch() {
        dlk_prefetch_l2(prefetch)
        dlk_prefetch_l2(prefetch + prefetchStep)
        dlk_prefetch_l2(prefetch + 2 &* prefetchStep)
        prefetch += 3 &* prefetchStep
      }
      @inline(__always) func multiply(_ i: Int, _ k: Int, by vectors: InlineArray<NV, VF>) {
        let factor = VF(repeating: row(i)[k])
        for j in 0..<NV { sums[i][j] = dlk_add_product(sums[i][j], factor, vectors[j]) }
        dlk_load_no_earlier()
      }
      @inline(__always)
      func multiplyPair(_ i: Int, _ k: Int, by first: InlineArray<NV, VF>, _ second: InlineArray<NV, VF>) {
        let left = VF(repeating: row(i)[k]), right = VF(repeating: row(i)[k &+ 1])
        for j in 0..<NV {
          sums[i][j] = dlk_add_product(sums[i][j], dlk_add(left, second[j]), dlk_add(right, first[j]))
        }
        dlk_load_no_earlier()
      }
      @inline(__always) func addSingle(_ k: Int) {
        let vectors = load(k)
        for i in 0..<MR {
          // Rows as deep as a page or two leave the nearest cache before they are needed again.
          if k == 15 { dlk_prefetch(row(i) + 32) }
          multiply(i, k, by: vectors)
        }
      }
      @inline(__always) func addPair(_ k: Int) {
        let first = load(k), second = load(k &+ 1)
        fetch()
        for i in 0..<MR { multiplyPair(i, k, by: first, second) }
      }
      // Each row's pair beside another row's single: so adders and multipliers work at the same time.
      @inline(__always) func addPair(_ k: Int, and single: Int) {
        let first = load(k), second = load(k &+ 1), third = load(single)
        fetch()
        for i in 0..<MR {
          multiplyPair(i, k, by: first, second)
          if i > 0 { multiply(i &- 1, single, by: third) }
        }
        multiply(MR &- 1, single, by: third)
      }
      @inline(__always) func advance(_ count: Int) {
        b += count &* NV &* lanes
        for i in 0..<ceilDivide(MR, 3) { a[i] += count }
      }

      for _ in 0..<depth / 16 {
        addPair(0, and: 2)
        addPair(4, and: 3)
        addPair(6, and: 10)
        addPair(8, and: 11)
        addPair(12, and: 14)
        addSingle(15)
        dlk_prefetch_l2(prefetch)
        prefetch += prefetchStep
        advance(16)
      }
      if depth & 8 != 0 {
        addPair(0, and: 2)
        addPair(4, and: 3)
        addPair(6)
        advance(8)
      }
      for _ in 0..<depth & 7 {
        addSingle(0)
        advance(1)
      }

      for j in 0..<NV &- 1 {
        let end = PairedEnd<WholeColumns>(tile, j, of: NV)
        for i in 0..<MR { end.store(sums[i][j], tile, row: i) }
      }
      if tile.pointee.lastColumns == lanes {
        let end = PairedEnd<WholeColumns>(tile, NV &- 1, of: NV)
        for i in 0..<MR { end.store(sums[i][NV &- 1], tile, row: i) }
      } else {
        let end = PairedEnd<PartialColumns>(tile, NV &- 1, of: NV)
        for i in 0..<MR { end.store(sums[i][NV &- 1], tile, row: i) }
      }
    }
  }

  /// How a vector of columns ends: what has to be added to the sums and multiplied by.
  struct PairedEnd<Columns: ColumnAccess> {
    private let scale: VF
    private let bias: VF
    private let low: VF
    private let high: VF
    private let columns: Int
    private let offset: Int

    @inline(__always)
    init(_ tile: UnsafePointer<Tile>, _ vector: Int, of vectors: Int) {
      offset = vector &* lanes
      columns = vector &+ 1 == vectors ? tile.pointee.lastColumns : lanes
      let factors = tile.pointee.b + (tile.pointee.depth &* vectors &* lanes &+ offset)
      scale = dlk_load(factors)
      bias = dlk_load(tile.pointee.bias + offset)
      low = VF(repeating: tile.pointee.low)
      high = VF(repeating: tile.pointee.high)
    }

    @inline(__always)
    func store(_ sum: VF, _ tile: UnsafePointer<Tile>, row: Int) {
      let factors = tile.pointee.factors! + 2 &* row
      store(
        dlk_add(sum, VF(repeating: factors[1])), dlk_multiply(VF(repeating: factors[0]), scale), tile, row)
    }

    /// Of numbers that were not multiplied in pairs.
    @inline(__always)
    func storePlain(_ sum: VF, _ tile: UnsafePointer<Tile>, row: Int) {
      store(sum, dlk_multiply(VF(repeating: tile.pointee.factors![2 &* row]), scale), tile, row)
    }

    @inline(__always)
    private func store(_ sum: VF, _ scale: VF, _ tile: UnsafePointer<Tile>, _ row: Int) {
      var value = dlk_fma(sum, scale, bias)
      if let addend = tile.pointee.addend {
        value = dlk_add(value, Columns.load(addend + (row &* tile.pointee.addendStride &+ offset), columns))
      }
      if tile.pointee.clamp { value = dlk_min(high, dlk_max(low, value)) }
      Columns.store(tile.pointee.c + (row &* tile.pointee.cStride &+ offset), value, columns)
    }
  }

  func runPairedTile(_ tile: UnsafePointer<Tile>, rows: Int, vectors: Int) {
    switch (vectors, rows) {
    case (2, 1): PairedKernel<1, 2>.run(tile)
    case (2, 2): PairedKernel<2, 2>.run(tile)
    case (2, 3): PairedKernel<3, 2>.run(tile)
    case (2, 4): PairedKernel<4, 2>.run(tile)
    case (2, 5): PairedKernel<5, 2>.run(tile)
    case (2, 6): PairedKernel<6, 2>.run(tile)
    case (2, 7): PairedKernel<7, 2>.run(tile)
    case (2, 8): PairedKernel<8, 2>.run(tile)
    case (2, 9): PairedKernel<9, 2>.run(tile)
    case (2, 10): PairedKernel<10, 2>.run(tile)
    case (2, _): PairedKernel<11, 2>.run(tile)
    case (_, 1): PairedKernel<1, 1>.run(tile)
    case (_, 2): PairedKernel<2, 1>.run(tile)
    case (_, 3): PairedKernel<3, 1>.run(tile)
    case (_, 4): PairedKernel<4, 1>.run(tile)
    default: PairedKernel<5, 1>.run(tile)
    }
  }

  /// A tile of which some row, or whose panel, is not in pairs: row by row, so that no row's result depends on others.
  @inline(never)
  func runMixedTile(_ tile: UnsafePointer<Tile>, rows: Int, vectors: Int) {
    let corrections = tile.pointee.b + (tile.pointee.depth &+ 1) &* vectors &* lanes
    let isPanelPaired = corrections[0] != unpaired
    var row = tile.pointee
    for i in 0..<rows {
      var address = tile.pointee.rows[0] + i &* tile.pointee.rowStride
      row.factors = tile.pointee.factors! + 2 &* i
      row.c = tile.pointee.c + i &* tile.pointee.cStride
      row.addend = tile.pointee.addend.map { $0 + i &* tile.pointee.addendStride }
      withUnsafePointer(to: &address) { address in
        row.rows = address
        if isPanelPaired, row.factors![1] != unpaired {
          runPairedTile(&row, rows: 1, vectors: vectors)
        } else {
          runPlainRow(&row, vectors: vectors)
        }
      }
    }
  }

  private func runPlainRow(_ tile: UnsafePointer<Tile>, vectors: Int) {
    let a = tile.pointee.rows[0]
    for j in 0..<vectors {
      var sum = VF(), b = tile.pointee.b + j &* lanes
      for k in 0..<tile.pointee.depth {
        sum = dlk_fma(VF(repeating: a[k]), dlk_load(b), sum)
        b += vectors &* lanes
      }
      PairedEnd<PartialColumns>(tile, j, of: vectors).storePlain(sum, tile, row: 0)
    }
  }
#endif
