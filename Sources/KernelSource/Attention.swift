import CKernelSupport

/// Keys whose scores are kept at once; beyond it the softmax is carried from block to block.
private let keyBlock = 4096
/// Most queries of a block.
private let queryBlock = lanes == 8 ? 216 : 54
/// The same where queries see fewer keys than those after them: a block multiplies all that its last query sees. Else, where
/// panels of values are copied, few blocks are better.
private let causalBlock = 54
/// Scores of a block of queries should stay in the second-level cache.
private let scoreLimit = 73_728

/// Queries whose scores are worked on together: so many whole tiles of a product.
private func tilesAtOnce(_ args: dlk_attention_args) -> Int {
  let most = args.causal == 0 ? queryBlock : causalBlock
  return max(1, min(most, scoreLimit / max(1, min(Int(args.keys), keyBlock))) / tileRows(panelVectors))
}

/// Floats from one query's scores to the next one's: whole vectors, so that none is stored in part.
private func lineStride(_ keys: Int) -> Int { ceilDivide(keys, lanes) &* lanes }

/// Enough for this many keys and for any fewer, of which a block has more queries.
func attentionWorkspaceFloats(_ keys: Int) -> Int {
  let line = lineStride(min(keys, keyBlock)) &+ 2
  return max(tileRows(panelVectors) &* line, min(queryBlock &* line, scoreLimit &+ queryBlock &* (lanes &+ 1)))
}

func attention(_ args: dlk_attention_args, _ rows: Range<Int>) {
  // Blocks of nearly equal height: a low one would read all keys and values for a few queries.
  let tile = tileRows(panelVectors), tiles = ceilDivide(rows.count, tile)
  let blocks = ceilDivide(tiles, tilesAtOnce(args))
  for block in 0..<blocks {
    let row = rows.lowerBound &+ tiles &* block / blocks &* tile
    let count = min(rows.upperBound, rows.lowerBound &+ tiles &* (block &+ 1) / blocks &* tile) &- row
    // The keys that the last query of the block sees; those before it see fewer.
    let seen = visibleKeys(args, row &+ count &- 1)
    if seen == 0 {
      for i in 0..<count { clear(args.out + (row &+ i) &* Int(args.out_row_stride), Int(args.value_depth)) }
    } else if seen <= keyBlock {
      attendAtOnce(args, row, count, seen)
    } else {
      attendInBlocks(args, row, count, seen)
    }
  }
}

private func visibleKeys(_ args: dlk_attention_args, _ query: Int) -> Int {
  args.causal == 0 ? Int(args.keys) : max(0, min(Int(args.keys), query &+ Int(args.causal_offset) &+ 1))
}

private func attendAtOnce(_ args: dlk_attention_args, _ row: Int, _ count: Int, _ seen: Int) {
  let stride = lineStride(seen)
  let scores: Target = args.workspace, tops = scores + count &* stride, sums = tops + count
  score(args, row, count, 0..<seen, scores)
  // A row's maximum is long in coming: the rows' are looked for side by side, before any is needed.
  for i in 0..<count {
    let visible = visibleKeys(args, row &+ i)
    tops[i] = prepare(args, row &+ i, 0..<visible, scores + i &* stride, startingAt: -.infinity)
  }
  for i in 0..<count {
    let line = scores + i &* stride, visible = visibleKeys(args, row &+ i)
    let sum = exponentiate(args, line, visible, tops[i])
    clear(line + visible, seen &- visible)
    sums[i] = sum
  }
  weigh(args, row, count, 0..<seen, scores, adds: false)
  for i in 0..<count { scaleRow(args, row &+ i, lastFactor(args, sums[i])) }
}

/// The same with the keys in blocks: when a larger maximum turns up, what was summed so far is scaled down to it.
private func attendInBlocks(_ args: dlk_attention_args, _ row: Int, _ count: Int, _ seen: Int) {
  let scores: Target = args.workspace
  let tops = scores + count &* keyBlock, sums = tops + count
  for i in 0..<count {
    (tops[i], sums[i]) = (-.infinity, 0)
    clear(args.out + (row &+ i) &* Int(args.out_row_stride), Int(args.value_depth))
  }
  var first = 0
  while first < seen {
    let block = first..<min(seen, first &+ keyBlock), stride = lineStride(block.count)
    score(args, row, count, block, scores)
    for i in 0..<count {
      let line = scores + i &* stride
      let end = max(block.lowerBound, min(block.upperBound, visibleKeys(args, row &+ i)))
      let top = prepare(args, row &+ i, block.lowerBound..<end, line, startingAt: tops[i])
      let sum = exponentiate(args, line, end &- block.lowerBound, top)
      clear(line + (end &- block.lowerBound), block.upperBound &- end)
      if top > tops[i] && tops[i] > -.infinity {
        let factor = exponential(notAbove0: constant(tops[i] - top))[0]
        sums[i] *= factor
        scaleRow(args, row &+ i, factor)
      }
      sums[i] += sum
      tops[i] = top
    }
    weigh(args, row, count, block, scores, adds: true)
    first = block.upperBound
  }
  for i in 0..<count { scaleRow(args, row &+ i, lastFactor(args, sums[i])) }
}

/// By what a row of weighed values is multiplied at last. A sum that is not a number shows in the result; without one, the
/// values are zeros.
private func lastFactor(_ args: dlk_attention_args, _ sum: Float) -> Float { sum == 0 ? 1 + args.unseen : 1 / sum }

/// scores = q · Kᵀ for some keys. What a row has beyond them is any numbers.
private func score(_ args: dlk_attention_args, _ row: Int, _ count: Int, _ keys: Range<Int>, _ scores: Target) {
  var product = dlk_gemm_args()
  (product.m, product.n, product.k) = (Int64(count), Int64(keys.upperBound), args.depth)
  product.a = args.q + row &* Int(args.q_row_stride)
  product.a_row_stride = args.q_row_stride
  product.b = args.k
  (product.epilogue.scale, product.epilogue.addend_scale) = (1, 1)
  if args.k_packed == 0 {
    product.n = Int64(keys.count)
    product.b += keys.lowerBound &* Int(args.k_row_stride)
    (product.b_row_stride, product.b_column_stride) = (1, args.k_row_stride)
    (product.c, product.c_row_stride) = (scores, Int64(lineStride(keys.count)))
    return gemmDirect(product, 0..<count, 0..<ceilDivide(keys.count, panelColumns))
  }
  // The product's columns are counted from key 0; its last panel may be a part of a wider packed one, which has whole
  // vectors.
  product.n = Int64(keys.lowerBound &+ lineStride(keys.count))
  product.c = scores - keys.lowerBound
  product.c_row_stride = Int64(lineStride(keys.count))
  gemm(
    product, 0..<count, keys.lowerBound / panelColumns..<ceilDivide(keys.upperBound, panelColumns),
    packedColumns: Int(args.keys))
}

/// Whether scores are scaled only when their exponentials are taken.
private func scalesLate(_ args: dlk_attention_args) -> Bool {
  args.softcap == 0 && args.mask == nil && args.scale > 0
}

/// Caps and masks the scores of one query; returns their maximum, which is at least `startingAt`.
private func prepare(
  _ args: dlk_attention_args, _ query: Int, _ keys: Range<Int>, _ scores: Target, startingAt: Float
) -> Float {
  let count = keys.count
  if count == 0 { return startingAt }
  if scalesLate(args) { return max(startingAt, largest(scores, count) * args.scale) }
  if args.softcap != 0 {
    let cap = constant(args.softcap), inner = constant(args.scale / args.softcap)
    forEachVector(count) { at, present in
      dlk_store_partial(
        scores + at, hyperbolicTangent(dlk_load_partial(scores + at, present) * inner) * cap, present)
    }
  }
  let factor = constant(args.softcap != 0 ? 1 : args.scale)
  guard let mask = args.mask else {
    var top = constant(startingAt)
    forEachVector(count) { at, present in
      let value = dlk_load_partial(scores + at, present) * factor
      dlk_store_partial(scores + at, value, present)
      top = dlk_max(dlk_select(dlk_first_lanes(present), value, top), top)
    }
    return dlk_largest(top)
  }
  let line = mask + (query &* Int(args.mask_row_stride) &+ keys.lowerBound)
  var even = constant(startingAt), odd = even
  var at = 0
  while at &+ 2 &* lanes <= count {
    let first = masked(dlk_load(scores + at) * factor, dlk_load(line + at))
    let second = masked(dlk_load(scores + (at &+ lanes)) * factor, dlk_load(line + (at &+ lanes)))
    dlk_store(scores + at, first)
    dlk_store(scores + (at &+ lanes), second)
    even = dlk_max(first, even)
    odd = dlk_max(second, odd)
    at = at &+ 2 &* lanes
  }
  while at < count {
    let present = min(lanes, count &- at)
    let value = masked(dlk_load_partial(scores + at, present) * factor, dlk_load_partial(line + at, present))
    dlk_store_partial(scores + at, value, present)
    even = dlk_max(dlk_select(dlk_first_lanes(present), value, even), even)
    at = at &+ lanes
  }
  return dlk_largest(dlk_max(even, odd))
}

/// Selecting instead of adding keeps a hidden infinity or NaN hidden.
@inline(__always) private func masked(_ value: VF, _ bias: VF) -> VF {
  let hidden = constant(-.infinity)
  return dlk_select(dlk_equal(bias, hidden), hidden, value + bias)
}

/// Turns the prepared scores of one query into exponentials below `top`; returns their sum, 0 where nothing is seen.
private func exponentiate(_ args: dlk_attention_args, _ scores: Target, _ count: Int, _ top: Float) -> Float {
  if count == 0 { return 0 }
  // The maximum passes over NaN, of which a query with a NaN has nothing else.
  if top == -.infinity && !hasNaN(scores, count) {
    clear(scores, count)
    return 0
  }
  return exponentials(Source(scores), scores, count, top, scale: scalesLate(args) ? args.scale : 1)
}

private func hasNaN(_ scores: Target, _ count: Int) -> Bool {
  var found = false
  forEachVector(count) { at, present in
    if dlk_has_nan(dlk_load_partial(scores + at, present)) { found = true }
  }
  return found
}

/// out = P · V, or out + P · V, for some keys.
private func weigh(
  _ args: dlk_attention_args, _ row: Int, _ count: Int, _ keys: Range<Int>, _ scores: Target, adds: Bool
) {
  var product = dlk_gemm_args()
  (product.m, product.n, product.k) = (Int64(count), args.value_depth, Int64(keys.count))
  (product.a, product.a_row_stride) = (Source(scores), Int64(lineStride(keys.count)))
  product.b = args.v + keys.lowerBound &* Int(args.v_row_stride)
  (product.b_row_stride, product.b_column_stride) = (args.v_row_stride, 1)
  product.c = args.out + row &* Int(args.out_row_stride)
  product.c_row_stride = args.out_row_stride
  (product.epilogue.scale, product.epilogue.addend_scale) = (1, 1)
  if adds { (product.epilogue.addend, product.epilogue.addend_row_stride) = (Source(product.c), args.out_row_stride) }
  gemmDirect(product, 0..<count, 0..<ceilDivide(Int(args.value_depth), panelColumns))
}

private func scaleRow(_ args: dlk_attention_args, _ row: Int, _ factor: Float) {
  let out: Target = args.out + row &* Int(args.out_row_stride)
  let factor = constant(factor)
  forEachVector(Int(args.value_depth)) { at, present in
    dlk_store_partial(out + at, dlk_load_partial(out + at, present) * factor, present)
  }
}

private func clear(_ target: Target, _ count: Int) {
  forEachVector(count) { at, present in dlk_store_partial(target + at, VF(), present) }
}
