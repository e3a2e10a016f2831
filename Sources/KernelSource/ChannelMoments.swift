import CKernelSupport

/// Strips of four vectors, then single ones: each keeps its sums in registers on its way down the rows.
func channelMoments(_ args: dlk_channel_args) {
  let columns = Int(args.columns)
  guard args.rows > 0 else { return }
  var column = 0
  while column &+ 4 &* lanes <= columns {
    moments(Strip<4>.self, args, column)
    column = column &+ 4 &* lanes
  }
  while column &+ lanes <= columns {
    moments(Strip<1>.self, args, column)
    column = column &+ lanes
  }
  guard column < columns else { return }
  let present = columns &- column, stride = Int(args.x_row_stride)
  var x: Source = args.x + column
  let centre = dlk_load_partial(x, present)
  var sum = VF(), squares = VF()
  for _ in 0..<Int(args.rows) {
    let away = dlk_load_partial(x, present) - centre
    sum += away
    squares = dlk_fma(away, away, squares)
    x += stride
  }
  dlk_store_partial(args.sums + column, sum, present)
  dlk_store_partial(args.squares + column, squares, present)
}

private enum Strip<let width: Int> {}

@inline(__always)
private func moments<let width: Int>(_: Strip<width>.Type, _ args: dlk_channel_args, _ column: Int) {
  let stride = Int(args.x_row_stride)
  var x: Source = args.x + column
  let centre = InlineArray<width, VF> { dlk_load(x + $0 &* lanes) }
  var sums = InlineArray<width, VF> { _ in VF() }, squares = InlineArray<width, VF> { _ in VF() }
  for _ in 0..<Int(args.rows) {
    for j in 0..<width {
      let away = dlk_load(x + j &* lanes) - centre[j]
      sums[j] += away
      squares[j] = dlk_fma(away, away, squares[j])
    }
    x += stride
  }
  for j in 0..<width {
    dlk_store(args.sums + (column &+ j &* lanes), sums[j])
    dlk_store(args.squares + (column &+ j &* lanes), squares[j])
  }
}

func channelAffine(_ args: dlk_channel_args) {
  let columns = Int(args.columns), rest = columns % lanes
  let (mean, factor, bias): (Source, Source, Source) = (args.mean, args.factor, args.bias)
  for row in 0..<Int(args.rows) {
    let x: Source = args.x + row &* Int(args.x_row_stride), y: Target = args.y + row &* Int(args.y_row_stride)
    var i = 0
    while i &+ lanes <= columns {
      dlk_store(y + i, dlk_fma(dlk_load(x + i) - dlk_load(mean + i), dlk_load(factor + i), dlk_load(bias + i)))
      i = i &+ lanes
    }
    if rest == 0 { continue }
    let away = dlk_load_partial(x + i, rest) - dlk_load_partial(mean + i, rest)
    let result = dlk_fma(away, dlk_load_partial(factor + i, rest), dlk_load_partial(bias + i, rest))
    dlk_store_partial(y + i, result, rest)
  }
}
