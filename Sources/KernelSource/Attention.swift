import CKernelSupport

/// Keys whose scores are kept at once; beyond it the softmax is carried from block to block.
private let keyBlock = 4096
/// Most queries of a block.
private let queryBlock = 48
/// Scores of a block of queries should stay in the second-level cache.
private let scoreLimit = 98_304

/// Queries whose scores against `keys` keys are worked on together.
private func queriesAtOnce(_ keys: Int) -> Int {
  max(6, min(queryBlock, scoreLimit / max(1, min(keys, keyBlock)) / 6 &* 6))
}

func attentionWorkspaceFloats(_ keys: Int) -> Int {
  queriesAtOnce(keys) &* (min(keys, keyBlock) &+ 2)
}

func attention(_ args: dlk_attention_args, _ rows: Range<Int>) {
  let keys = Int(args.keys), limit = queriesAtOnce(keys)
  var row = rows.lowerBound
  while row < rows.upperBound {
    let count = min(limit, rows.upperBound &- row)
    // The keys that the last query of the block sees; those before it see fewer.
    let seen = visibleKeys(args, row &+ count &- 1)
    if seen == 0 {
      for i in 0..<count { clear(args.out + (row &+ i) &* Int(args.out_row_stride), Int(args.value_depth)) }
    } else if seen <= keyBlock {
      attendAtOnce(args, row, count, seen)
    } else {
      attendInBlocks(args, row, count, seen)
    }
    row = row &+ count
  }
}

private func visibleKeys(_ args: dlk_attention_args, _ query: Int) -> Int {
  args.causal == 0 ? Int(args.keys) : max(0, min(Int(args.keys), query &+ Int(args.causal_offset) &+ 1))
}

private func attendAtOnce(_ args: dlk_attention_args, _ row: Int, _ count: Int, _ seen: Int) {
  let scores: Target = args.workspace, sums = scores + count &* seen
  score(args, row, count, 0..<seen, scores)
  for i in 0..<count {
    let line = scores + i &* seen, visible = visibleKeys(args, row &+ i)
    let (_, sum) = exponentiate(args, row &+ i, 0..<visible, line, startingAt: -.infinity)
    clear(line + visible, seen &- visible)
    // A sum that is not a number must show in the result.
    sums[i] = sum == 0 ? 1 : sum
  }
  weigh(args, row, count, 0..<seen, scores, adds: false)
  for i in 0..<count { scaleRow(args, row &+ i, 1 / sums[i]) }
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
    let block = first..<min(seen, first &+ keyBlock)
    score(args, row, count, block, scores)
    for i in 0..<count {
      let line = scores + i &* block.count
      let end = max(block.lowerBound, min(block.upperBound, visibleKeys(args, row &+ i)))
      let (top, sum) = exponentiate(args, row &+ i, block.lowerBound..<end, line, startingAt: tops[i])
      clear(line + (end &- block.lowerBound), block.upperBound &- end)
      if top > tops[i] && tops[i] > -.infinity {
        let factor = exponential(constant(tops[i] - top))[0]
        sums[i] *= factor
        scaleRow(args, row &+ i, factor)
      }
      sums[i] += sum
      tops[i] = top
    }
    weigh(args, row, count, block, scores, adds: true)
    first = block.upperBound
  }
  for i in 0..<count { scaleRow(args, row &+ i, sums[i] == 0 ? 1 : 1 / sums[i]) }
}

/// scores = q · Kᵀ for some keys, as many floats a row as there are keys.
private func score(_ args: dlk_attention_args, _ row: Int, _ count: Int, _ keys: Range<Int>, _ scores: Target) {
  var product = dlk_gemm_args()
  (product.m, product.n, product.k) = (Int64(count), Int64(keys.upperBound), args.depth)
  product.a = args.q + row &* Int(args.q_row_stride)
  product.a_row_stride = args.q_row_stride
  product.b = args.k
  (product.epilogue.scale, product.epilogue.addend_scale) = (1, 1)
  if args.k_row_stride != 0 {
    product.n = Int64(keys.count)
    product.b += keys.lowerBound &* Int(args.k_row_stride)
    (product.b_row_stride, product.b_column_stride) = (1, args.k_row_stride)
    (product.c, product.c_row_stride) = (scores, Int64(keys.count))
    return gemmDirect(product, 0..<count, 0..<ceilDivide(keys.count, panelColumns))
  }
  // The product's columns are counted from key 0; its last panel may be a part of a wider packed one.
  product.c = scores - keys.lowerBound
  product.c_row_stride = Int64(keys.count)
  gemm(
    product, 0..<count, keys.lowerBound / panelColumns..<ceilDivide(keys.upperBound, panelColumns),
    packedColumns: Int(args.keys))
}

/// Turns the scores of one query into exponentials below the maximum, which is at least `startingAt`; returns it and
/// their sum. Where all are −∞ the sum is 0.
private func exponentiate(
  _ args: dlk_attention_args, _ query: Int, _ keys: Range<Int>, _ scores: Target, startingAt: Float
) -> (Float, Float) {
  let count = keys.count
  if count == 0 { return (startingAt, 0) }
  if args.softcap == 0, args.mask == nil, args.scale > 0 {
    let top = max(startingAt, largest(scores, count) * args.scale)
    return top == -.infinity
      ? noneVisible(scores, count) : (top, exponentials(Source(scores), scores, count, top, scale: args.scale))
  }
  if args.softcap != 0 {
    let cap = constant(args.softcap), inner = constant(args.scale / args.softcap)
    forEachVector(count) { at, present in
      dlk_store_partial(
        scores + at, hyperbolicTangent(dlk_load_partial(scores + at, present) * inner) * cap, present)
    }
  }
  let factor = constant(args.softcap != 0 ? 1 : args.scale), hidden = constant(-.infinity)
  var top = constant(startingAt)
  let line = args.mask.map { $0 + (query &* Int(args.mask_row_stride) &+ keys.lowerBound) }
  forEachVector(count) { at, present in
    var value = dlk_load_partial(scores + at, present) * factor
    if let line {
      // Selecting instead of adding keeps a hidden infinity or NaN hidden.
      let bias = dlk_load_partial(line + at, present)
      value = dlk_select(dlk_equal(bias, hidden), hidden, value + bias)
    }
    dlk_store_partial(scores + at, value, present)
    top = dlk_max(dlk_select(dlk_first_lanes(present), value, top), top)
  }
  let largest = dlk_largest(top)
  if largest == -.infinity { return noneVisible(scores, count) }
  return (largest, exponentials(Source(scores), scores, count, largest, scale: 1))
}

private func noneVisible(_ scores: Target, _ count: Int) -> (Float, Float) {
  clear(scores, count)
  return (-.infinity, 0)
}

/// out = P · V, or out + P · V, for some keys.
private func weigh(
  _ args: dlk_attention_args, _ row: Int, _ count: Int, _ keys: Range<Int>, _ scores: Target, adds: Bool
) {
  var product = dlk_gemm_args()
  (product.m, product.n, product.k) = (Int64(count), args.value_depth, Int64(keys.count))
  (product.a, product.a_row_stride) = (Source(scores), Int64(keys.count))
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
