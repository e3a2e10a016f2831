import CKernelSupport

/// Floats from one copied row to the next: never a power of two, at which the rows of a tile would share few lines of
/// the cache.
@inline(__always) func pairedStride(_ depth: Int) -> Int { ceilDivide(depth, lanes) &* lanes &+ lanes }

/// Rows that are copied at once, whole tiles: what the second-level cache keeps beside a panel.
///
/// - Parameter depth: of the first block, than which none is deeper.
@inline(__always) func pairedRowLimit(depth: Int) -> Int {
  max(12, 49_152 / max(1, depth &* pairedRows)) &* pairedRows
}

func pairedWorkspaceFloats(rows: Int, k: Int) -> Int {
  let depth = PairedBlocks(k: k, n: 0).rows(0).count
  return min(rows, pairedRowLimit(depth: depth)) &* (pairedStride(depth) &+ 2)
}

#if DL_AVX512
  /// The rows of a matrix as a product in pairs takes them: copies whose elements are multiplied by what B's rows were
  /// divided by, and brought to magnitude one.
  struct PairedRows: ProductRows {
    let a: Source
    let stride: Int
    let depth: Int
    /// What each element of a row is multiplied by.
    let balance: Source
    /// `[room][pairedStride]` floats, then two factors for each row.
    let copies: Target
    private let room: Int
    let blockLimit: Int
    let addresses: UnsafeMutablePointer<Source>
    private var prepared = 0..<0
    private var isMixed = false

    /// - Parameter blockLimit: rows that are copied at once, which the workspace has room for unless there are fewer.
    init(_ args: dlk_gemm_args, balance: Source, blockLimit: Int, addresses: UnsafeMutablePointer<Source>) {
      a = args.a
      stride = Int(args.a_row_stride)
      depth = Int(args.k)
      self.balance = balance
      copies = args.workspace
      self.blockLimit = blockLimit
      room = min(Int(args.m), blockLimit)
      self.addresses = addresses
    }

    @inline(__always) static var arePaired: Bool { true }
    @inline(__always) static var panelWidth: Int { pairedVectors }
    /// Over one vector, a tile's loads are as many as its sums, whatever its height.
    @inline(__always) static func tileHeight(_ vectors: Int) -> Int { vectors == 1 ? 5 : pairedRows }

    var taps: Int { 1 }
    var tapLimit: Int { 1 }
    var distance: Int { 0 }
    var joinsTiles: Bool { false }

    private var factors: Target { copies + room &* pairedStride(depth) }

    mutating func prepare(row: Int, _ tiling: Tiling) {
      let count = tiling.count
      if prepared == row..<row &+ count { return }
      prepared = row..<row &+ count
      isMixed = !pairRows(
        a + row &* stride, stride, balance, copies, rowStride, rows: count, depth: depth, factors)
    }

    @inline(__always)
    mutating func tile(row: Int, count: Int, offset: Int, taps: Range<Int>) -> UnsafePointer<Source> {
      addresses[0] = Source(copies + offset &* rowStride)
      return UnsafePointer(addresses)
    }

    @inline(__always) var rowStride: Int { pairedStride(depth) }

    @inline(__always) func factors(offset: Int) -> Source? { Source(factors + 2 &* offset) }

    @inline(__always) func live(row: Int, count: Int) -> Range<Int> { 0..<1 }

    @inline(__always)
    func multiply(_ tile: UnsafePointer<Tile>, rows: Int, vectors: Int) {
      let corrections = tile.pointee.b + (tile.pointee.depth &+ 1) &* vectors &* lanes
      if isMixed || corrections[0] == unpaired {
        runMixedTile(tile, rows: rows, vectors: vectors)
      } else {
        runPairedTile(tile, rows: rows, vectors: vectors)
      }
    }
  }

  /// Copies rows, their elements multiplied by `balance` and those of each row divided by a power of two near the root of
  /// their mean square; the copies may take the place of the rows.
  ///
  /// - Parameters:
  ///   - balance: factors of either sign, powers of two.
  ///   - target: room for whole vectors in each row.
  ///   - factors: what takes each row's power of two and what is added to its sums: less what its pairs multiply.
  /// - Returns: whether all rows can be multiplied in pairs.
  func pairRows(
    _ source: Source, _ sourceStride: Int, _ balance: Source, _ target: Target, _ targetStride: Int, rows: Int,
    depth: Int, _ factors: Target
  ) -> Bool {
    var arePaired = true
    var row = 0
    while row < rows {
      let count = min(lanes, rows &- row)
      let block = PairedRowBlock(
        source: source + row &* sourceStride, sourceStride: sourceStride, balance: balance,
        target: target + row &* targetStride, targetStride: targetStride, count: count, depth: depth)
      if !block.run(factors + 2 &* row) { arePaired = false }
      row = row &+ count
    }
    return arePaired
  }

  /// As many rows as a vector has lanes at most: what belongs to each of them is computed in one vector.
  private struct PairedRowBlock {
    let source: Source
    let sourceStride: Int
    let balance: Source
    let target: Target
    let targetStride: Int
    let count: Int
    let depth: Int

    @inline(__always)
    func run(_ factors: Target) -> Bool {
      var sums = VectorBlock { _ in VF() }
      for i in 0..<count { sums[i] = squares(source + i &* sourceStride) }
      var scales = InlineArray<32, Float> { _ in 0 }
      return withAddress(of: &scales) { address in
        let scales = address.assumingMemoryBound(to: Float.self), inverses = scales + lanes
        let arePaired = powers(sumLanes(&sums), scales, inverses)
        for i in 0..<count { sums[i] = divide(source + i &* sourceStride, target + i &* targetStride, inverses[i]) }
        let products = sumLanes(&sums), powers = dlk_load(scales)
        // Alternately a row's power of two and what is subtracted.
        dlk_store_partial(factors, dlk_zip_low(powers, products), min(lanes, 2 &* count))
        if 2 &* count > lanes {
          dlk_store_partial(factors + lanes, dlk_zip_high(powers, products), 2 &* count &- lanes)
        }
        if arePaired { return true }
        return markUnpaired(factors)
      }
    }

    @inline(__always)
    private func squares(_ row: Source) -> VF {
      var sums = InlineArray<4, VF> { _ in VF() }, at = 0
      while at &+ 4 &* lanes <= depth {
        for i in 0..<4 {
          let place = at &+ i &* lanes
          let value = dlk_multiply(dlk_load(row + place), dlk_load(balance + place))
          sums[i] = dlk_fma(value, value, sums[i])
        }
        at = at &+ 4 &* lanes
      }
      while at < depth {
        let value = dlk_multiply(dlk_load_partial(row + at, min(lanes, depth &- at)), dlk_load(balance + at))
        sums[0] = dlk_fma(value, value, sums[0])
        at = at &+ lanes
      }
      return dlk_add(dlk_add(sums[0], sums[1]), dlk_add(sums[2], sums[3]))
    }

    /// Divides a row and gives what its pairs multiply, with its sign turned.
    @inline(__always)
    private func divide(_ row: Source, _ target: Target, _ inverse: Float) -> VF {
      let inverse = VF(repeating: inverse)
      let paired = Pairing.depth(depth)
      var sums = InlineArray<2, VF> { _ in VF() }, at = 0
      while at &+ 4 &* lanes <= paired {
        for i in 0..<4 {
          let place = at &+ i &* lanes
          // In this order, since a row may have numbers near the end of the range.
          let value = dlk_multiply(dlk_multiply(dlk_load(row + place), inverse), dlk_load(balance + place))
          dlk_store(target + place, value)
          // One of each two vectors has turned what the other has not: so the sums do not outgrow what they are for.
          sums[i / 2] = dlk_fnma(value, dlk_swap_neighbours(value), sums[i / 2])
        }
        at = at &+ 4 &* lanes
      }
      while at < depth {
        let value = dlk_multiply(
          dlk_multiply(dlk_load_partial(row + at, min(lanes, depth &- at)), inverse), dlk_load(balance + at))
        dlk_store(target + at, value)
        let pairs = dlk_select(dlk_first_lanes(max(0, min(lanes, paired &- at))), value, VF())
        sums[0] = dlk_fnma(pairs, dlk_swap_neighbours(pairs), sums[0])
        at = at &+ lanes
      }
      return dlk_select(dlk_lanes(Pairing.starts), dlk_add(sums[0], sums[1]), VF())
    }

    /// Each row's power of two and its inverse.
    @inline(__always)
    private func powers(_ squares: VF, _ scales: Target, _ inverses: Target) -> Bool {
      let least = VF(repeating: 0x1p-100), most = VF(repeating: 0x1p100)
      let fits = dlk_less_or_equal(least, squares) & dlk_less_or_equal(squares, most)
      let mean = dlk_bits(dlk_multiply(squares, VF(repeating: 1 / Float(depth))))
      let exponents = ((mean &>> 23) &- 126) &>> 1
      dlk_store_i32(scales, (exponents &+ 127) &<< 23)
      dlk_store_i32(inverses, (127 &- exponents) &<< 23)
      if !dlk_has_zero(fits | dlk_not(dlk_first_lanes(count))) { return true }
      return exactPowers(squares, scales, inverses)
    }

    @inline(never)
    private func exactPowers(_ squares: VF, _ scales: Target, _ inverses: Target) -> Bool {
      var arePaired = true
      for i in 0..<count {
        let row = source + i &* sourceStride
        let scale =
          PairedScale(squares: squares[i], count: depth) ?? small(row, squares[i])
          ?? .exact(row, depth, factors: balance)
        (scales[i], inverses[i]) = (scale.value, scale.inverse)
        if !scale.isPaired { arePaired = false }
      }
      return arePaired
    }

    /// As `PairedScale.exact`, of rows whose squares are lost: there may be many where windows are filled up with zeros.
    private func small(_ row: Source, _ squares: Float) -> PairedScale? {
      guard squares < 0x1p-100 else { return nil }
      var largest = VF(), any = VF()
      forEachVector(depth) { at, count in
        let value = dlk_load_partial(row + at, count)
        any = dlk_max(any, dlk_abs(value))
        largest = dlk_max(largest, dlk_abs(dlk_multiply(value, dlk_load(balance + at))))
      }
      return PairedScale(largest: dlk_largest(largest), isZero: dlk_largest(any) == 0)
    }

    /// Marks the rows whose copies still hold what no pair can.
    @inline(never)
    private func markUnpaired(_ factors: Target) -> Bool {
      for i in 0..<count {
        let isPaired =
          PairedScale.exact(target + i &* targetStride, depth).isPaired && factors[2 &* i] < PairedScale.most
        if !isPaired { factors[2 &* i &+ 1] = unpaired }
      }
      return false
    }
  }

  /// A power of two that numbers are divided by, and its inverse; zeros for nothing but zeros.
  struct PairedScale {
    let value: Float
    let inverse: Float
    var isPaired = true

    /// What is divided by so much is not multiplied in pairs.
    @inline(__always) static var most: Float { 0x1p62 }

    private init(value: Float, inverse: Float) {
      (self.value, self.inverse) = (value, inverse)
    }

    private init(exponent: Int) {
      value = Float(bitPattern: UInt32(truncatingIfNeeded: exponent &+ 127) << 23)
      inverse = Float(bitPattern: UInt32(truncatingIfNeeded: 127 &- exponent) << 23)
    }

    /// Near the root of a mean; nil where squares may have been lost to the range of numbers.
    @inline(__always)
    init?(squares: Float, count: Int) {
      guard squares >= 0x1p-100, squares <= 0x1p100 else { return nil }
      // As `PairedRowBlock.powers` has it, to the bit.
      let mean = squares * (1 / Float(count))
      self.init(exponent: (Int(mean.bitPattern >> 23) &- 126) >> 1)
    }

    /// As a largest number that is not too small for it needs it, or of nothing but zeros.
    init?(largest: Float, isZero: Bool) {
      if isZero {
        self.init(value: 0, inverse: 0)
      } else {
        guard largest >= 0x1p-100 else { return nil }
        self.init(exponent: Int(largest.bitPattern >> 23) &- 128)
      }
    }

    /// As the largest finite number needs it, at most `most`: so the product of two scales is finite. What is larger than
    /// that, or not finite, is multiplied without pairs, and overflows only where the result does.
    @inline(never)
    static func exact(_ source: Source, _ count: Int, stride: Int = 1, factors: Source? = nil) -> PairedScale {
      var largest = 0.0
      var areFinite = true
      for i in 0..<count {
        let size = Double(abs(source[i &* stride])) * (factors.map { Double(abs($0[i])) } ?? 1)
        if !(size < .infinity) { areFinite = false } else if size > largest { largest = size }
      }
      if largest == 0, areFinite { return PairedScale(value: 0, inverse: 0) }
      // Infinity times a scale that is none any more would be no number.
      let least = areFinite ? -126 : 0
      var scale = PairedScale(exponent: max(least, min(62, Int(largest.bitPattern >> 52) &- 1024)))
      scale.isPaired = areFinite && scale.value < most
      return scale
    }
  }
#endif
