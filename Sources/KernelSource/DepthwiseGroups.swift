import CKernelSupport

// Convolutions of small groups of channels. A vector holds whole groups; for each channel of a group it is permuted so that
// every lane has the one of its own group.

/// What groups of channels read of the image, which may be fewer channels than they make.
struct GroupInputs {
  /// Channels that a group makes, and that it reads.
  let group, inputs: Int
  /// The lanes that have input 0 of each lane's group.
  let lanesOfFirst: VI

  @inline(__always)
  init(group: Int, inputs: Int) {
    (self.group, self.inputs) = (group, inputs)
    let groups = dlk_lane_numbers() &>> VI(repeating: Int32(truncatingIfNeeded: group.trailingZeroBitCount))
    lanesOfFirst = groups &* VI(repeating: Int32(truncatingIfNeeded: inputs))
  }

  /// The first input of what makes a channel that begins a vector.
  @inline(__always) func first(_ channel: Int) -> Int { inputs == group ? channel : channel / group &* inputs }

  /// All inputs of `count` channels; of a whole vector if that is 0.
  @inline(__always)
  func load<C: ColumnAccess>(_ c: C.Type, _ source: Source, _ count: Int) -> VF {
    inputs == group ? C.load(source, count) : dlk_load_partial(source, (count == 0 ? lanes : count) / group &* inputs)
  }
}

/// `P` pixels, whose windows are cut alike by the border, by one vector of channels.
enum GroupedTile<let P: Int>: ChannelTile {
  @inline(__always) static var vectors: Int { 1 }

  @inline(__always)
  static func run<C: ColumnAccess>(
    _ c: C.Type, _ part: WindowPart, _ args: dlk_depthwise_args, _ channel: Int, _ count: Int,
    _ epilogue: DepthwiseEpilogue
  ) {
    let weightStride = Int(args.weight_stride), window = args.window
    let inputs = GroupInputs(group: Int(args.group), inputs: Int(args.inputs))
    var sums = InlineArray<P, VF> { _ in VF() }
    if let bias = args.bias { for p in 0..<P { sums[p] = C.load(bias + channel, count) } }
    for plane in 0..<part.planes {
      for line in 0..<part.lines {
        let tap =
          ((part.firstPlane &+ plane) &* Int(window.kernel_h) &+ part.firstLine &+ line) &* Int(window.kernel_w)
          &+ part.firstAcross
        var weights: Source = args.weights + (tap &* inputs.inputs &* weightStride &+ channel)
        var x =
          part.x + (plane &* part.planeStep &+ part.ring.offset(line, part.lineStep) &+ inputs.first(channel))
        for _ in 0..<part.across {
          let values = InlineArray<P, VF> { inputs.load(c, x + $0 &* part.pixelStep, count) }
          var source = inputs.lanesOfFirst
          for _ in 0..<inputs.inputs {
            let w = C.load(weights, count)
            for p in 0..<P { sums[p] = dlk_fma(dlk_permute(values[p], source), w, sums[p]) }
            weights += weightStride
            source = source &+ VI(repeating: 1)
          }
          x += part.tapStep
        }
      }
    }
    for p in 0..<P { C.store(part.y + (p &* part.yStep &+ channel), epilogue.clamp(sums[p]), count) }
  }
}

/// The same for neighbouring pixels: each permuted vector serves all the taps that meet it.
enum GroupedSlidingTile<let Width: Int, let Stride: Int, let P: Int> {
  @inline(never)
  static func run(_ rows: UnsafePointer<SlidingRows>, _ part: SlidingPart) {
    let left = part.pixel &* Stride &- rows.pointee.pad
    let inside = max(0, -left)..<max(0, rows.pointee.inWidth &- left)
    let offset = left &* rows.pointee.tapStep, place = part.pixel &* rows.pointee.yStep
    let pixels = min(P, rows.pointee.outWidth &- part.pixel)
    let channels = part.channels.upperBound
    for index in 0..<rows.pointee.count {
      let row = UnsafePointer(rows.pointee.rows + index), y = row.pointee.y + place
      var channel = part.channels.lowerBound
      while channel < channels {
        let count = min(lanes, channels &- channel)
        if count == lanes {
          tile(WholeColumns.self, rows, row, offset, y, inside, pixels, channel, 0)
        } else {
          tile(PartialColumns.self, rows, row, offset, y, inside, pixels, channel, count)
        }
        channel = channel &+ lanes
      }
    }
  }

  @inline(__always)
  private static func tile<C: ColumnAccess>(
    _ columns: C.Type, _ rows: UnsafePointer<SlidingRows>, _ row: UnsafePointer<SlidingRow>, _ offset: Int, _ y: Target,
    _ inside: Range<Int>, _ pixels: Int, _ channel: Int, _ count: Int
  ) {
    let weightStride = rows.pointee.weightStride, tapStep = rows.pointee.tapStep
    let inputs = GroupInputs(group: rows.pointee.group, inputs: rows.pointee.inputs)
    var sums = InlineArray<P, VF> { _ in VF() }
    if let bias = rows.pointee.bias { for p in 0..<P { sums[p] = C.load(bias + channel, count) } }
    for line in 0..<row.pointee.count {
      let (base, taps) = (row.pointee.lines[line].x, row.pointee.lines[line].weights)
      let from = base + (offset &+ inputs.first(channel))
      var source = inputs.lanesOfFirst
      for k in 0..<inputs.inputs {
        let w = InlineArray<Width, VF> {
          C.load(taps + (($0 &* inputs.inputs &+ k) &* weightStride &+ channel), count)
        }
        for i in 0..<(P &- 1) &* Stride &+ Width {
          guard i >= inside.lowerBound && i < inside.upperBound else { continue }
          let value = dlk_permute(inputs.load(columns, from + i &* tapStep, count), source)
          for p in 0..<P {
            let tap = i &- p &* Stride
            if tap >= 0 && tap < Width { sums[p] = dlk_fma(value, w[tap], sums[p]) }
          }
        }
        source = source &+ VI(repeating: 1)
      }
    }
    let epilogue = rows.pointee.epilogue, yStep = rows.pointee.yStep
    for p in 0..<P where p < pixels { C.store(y + (p &* yStep &+ channel), epilogue.clamp(sums[p]), count) }
  }
}
