import CKernelSupport

/// A depth cut into products in pairs of their own, each of which goes on from the results of the one before: so that a
/// tile's rows stay in the first-level cache, and a block of them with its panel in the second. What B's rows were
/// divided by follows the panels of all blocks.
struct PairedBlocks {
  let count: Int
  private let k: Int
  private let size: Int
  /// Floats of a row of all panels.
  private let width: Int

  init(k: Int, n: Int) {
    self.k = k
    count = max(1, ceilDivide(k, Int(DLK_PAIRED_DEPTH)))
    size = ceilDivide(ceilDivide(k, count), lanes) &* lanes
    width = ceilDivide(n, lanes) &* lanes
  }

  func rows(_ block: Int) -> Range<Int> { min(k, block &* size)..<min(k, (block &+ 1) &* size) }

  /// Where the panels of a block begin, each with two rows of its own at the end.
  func start(_ block: Int) -> Int { (rows(block).lowerBound &+ 2 &* block) &* width }

  /// Where the factors of all rows begin, which fill whole vectors.
  var factors: Int { (k &+ 2 &* count) &* width }
  var floats: Int { factors &+ ceilDivide(k, lanes) &* lanes }
}

#if DL_AVX512

  /// Finds what rows of B are divided by, `rows` beginning at a multiple of `lanes`: powers of two near the fourth root of
  /// their mean square. Where an element of A's rows is in a larger unit than others, its weights are in a smaller one,
  /// and sums of the two would lose the digits of either.
  ///
  /// Factors are negative where signs are to be turned (`Pairing.turned`).
  func balanceRows(k: Int, n: Int, _ packed: Target, _ rows: Range<Int>) {
    let blocks = PairedBlocks(k: k, n: n), factors = packed + blocks.factors
    for block in 0..<blocks.count {
      let own = blocks.rows(block)
      let first = max(rows.lowerBound, own.lowerBound), end = min(rows.upperBound, own.upperBound)
      if first < end {
        balanceRows(
          packed + blocks.start(block), depth: own.count, n: n, factors + own.lowerBound,
          first &- own.lowerBound..<end &- own.lowerBound)
      }
    }
  }

  /// The rows of one block.
  private func balanceRows(_ panels: Target, depth: Int, n: Int, _ factors: Target, _ rows: Range<Int>) {
    var row = rows.lowerBound
    while row < rows.upperBound {
      let count = min(lanes, rows.upperBound &- row)
      var sums = VectorBlock { _ in VF() }
      var column = 0
      while column < n {
        let width = ceilDivide(min(pairedColumns, n &- column), lanes) &* lanes
        var at = Source(panels) + (column &* (depth &+ 2) &+ row &* width)
        for i in 0..<count {
          sums[i] = addSquares(at, width, sums[i])
          at += width
        }
        column = column &+ pairedColumns
      }
      var mean = sumLanes(&sums) * VF(repeating: 1 / Float(n))
      // A weight out of the ordinary does not make others so.
      mean = dlk_select(dlk_less_or_equal(mean, VF(repeating: 0x1p100)), mean, VF(repeating: 1))
      mean = dlk_max(dlk_min(mean, VF(repeating: 0x1p48)), VF(repeating: 0x1p-100))
      let powers = dlk_from_bits((((dlk_bits(mean) &>> 23) &- 125) &>> 2 &+ 127) &<< 23)
      let turned = dlk_lanes(row & lanes == 0 ? Pairing.turned & 0xffff : Pairing.turned &>> 16)
      dlk_store(factors + row, dlk_select(turned, VF() - powers, powers))
      row = row &+ lanes
    }
  }

  @inline(__always)
  private func addSquares(_ row: Source, _ width: Int, _ sum: VF) -> VF {
    var sum = sum, at = 0
    while at < width {
      let value = dlk_load(row + at)
      sum = dlk_fma(value, value, sum)
      at = at &+ lanes
    }
    return sum
  }

  /// The sum of the lanes of each vector.
  @inline(__always)
  func sumLanes(_ block: inout VectorBlock) -> VF {
    transposeInRegisters(&block)
    var width = lanes / 2
    while width > 0 {
      for i in 0..<width { block[i] = dlk_add(block[i], block[i &+ width]) }
      width /= 2
    }
    return block[0]
  }

  /// Makes panels that `pack_b` left, or such as them, ready for products in pairs.
  func pairPanels(k: Int, n: Int, _ packed: Target, _ panels: Range<Int>) {
    let blocks = PairedBlocks(k: k, n: n)
    for block in 0..<blocks.count {
      let rows = blocks.rows(block), factors = packed + (blocks.factors &+ rows.lowerBound)
      var column = panels.lowerBound &* panelColumns
      let end = min(n, panels.upperBound &* panelColumns)
      while column < end {
        pairPanel(
          packed + (blocks.start(block) &+ column &* (rows.count &+ 2)), factors, depth: rows.count,
          width: ceilDivide(min(pairedColumns, n &- column), lanes) &* lanes)
        column = column &+ pairedColumns
      }
    }
  }

  /// A panel `[depth][width]`, followed by a row of each column's power of two and one of what is added to its sums: less
  /// what its pairs multiply. Rows are divided by `factors`, then columns by their powers of two.
  private func pairPanel(_ panel: Target, _ factors: Source, depth: Int, width: Int) {
    let scales = panel + depth &* width, corrections = scales + width
    var isPaired = true
    var inverses = InlineArray<64, Float> { _ in 1 }
    withAddress(of: &inverses) { address in
      let inverses = address.assumingMemoryBound(to: Float.self)
      divideRows(panel, factors, depth, width)
      var column = 0
      while column < width {
        dlk_store(corrections + column, squares(panel + column, depth, width))
        for lane in column..<column &+ lanes {
          let scale =
            PairedScale(squares: corrections[lane], count: depth) ?? .exact(panel + lane, depth, stride: width)
          if !scale.isPaired { isPaired = false }
          scales[lane] = scale.value
          inverses[lane] = scale.inverse
        }
        column = column &+ lanes
      }
      column = 0
      while column < width {
        let sum = divide(panel + column, depth, width, dlk_load(inverses + column))
        dlk_store(corrections + column, isPaired ? VF() - sum : VF(repeating: unpaired))
        column = column &+ lanes
      }
    }
  }

  @inline(__always)
  private func divideRows(_ panel: Target, _ factors: Source, _ depth: Int, _ width: Int) {
    var at = panel
    for row in 0..<depth {
      let inverse = VF(repeating: 1 / factors[row])
      var column = 0
      while column < width {
        dlk_store(at + column, dlk_load(at + column) * inverse)
        column = column &+ lanes
      }
      at += width
    }
  }

  @inline(__always)
  private func squares(_ column: Source, _ depth: Int, _ step: Int) -> VF {
    var sums = InlineArray<4, VF> { _ in VF() }
    var row = 0, at = column
    while row < depth {
      for i in 0..<min(4, depth &- row) {
        let value = dlk_load(at)
        sums[i] = dlk_fma(value, value, sums[i])
        at += step
      }
      row = row &+ 4
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3])
  }

  /// Divides a vector of columns and gives what their pairs multiply.
  @inline(__always)
  private func divide(_ column: Target, _ depth: Int, _ step: Int, _ inverse: VF) -> VF {
    let paired = Pairing.depth(depth)
    var sum = VF(), left = VF(), at = column
    for row in 0..<depth {
      let value = dlk_multiply(dlk_load(at), inverse)
      dlk_store(at, value)
      // After a number that begins no pair, `left` is zero.
      sum = dlk_fma(left, value, sum)
      left = row < paired && Pairing.starts &>> Int32(truncatingIfNeeded: row & 15) & 1 != 0 ? value : VF()
      at += step
    }
    return sum
  }
#endif
