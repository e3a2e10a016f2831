import CKernelSupport

// Two neighbouring rows of depthwise windows 3 wide and of stride 1 at once: most of the image under them is the same, and
// bringing it from the second-level cache takes longer than the arithmetic.

#if DL_AVX512
  /// Two output rows, one below the other, and the lines of the image under their windows.
  struct SlidingPair {
    /// A line under either window, and the taps of each that meet it.
    struct Line {
      let x: Source
      let weights, weightsBelow: Source?
    }

    let lines: UnsafeMutablePointer<Line>
    let count: Int
    let y, yBelow: Target

    /// Whether neighbouring rows can be pairs.
    static func fits(_ args: dlk_depthwise_args, _ kernel: SlidingKernel) -> Bool {
      guard case .wide3 = kernel else { return false }
      let window = args.window
      return args.group == 1 && args.channels >= lanes && window.stride_h == 1 && window.dilation_h == 1
        && window.kernel_h < 8 && window.kernel_d == 1 && window.out_d == 1 && window.pad_d == 0 && window.in_d > 0
    }

    /// - Parameter lines: room for them.
    init(_ args: dlk_depthwise_args, _ row: WindowRow, below: WindowRow, _ lines: UnsafeMutableRawPointer) {
      self.lines = lines.assumingMemoryBound(to: Line.self)
      (y, yBelow) = (row.y, below.y)
      let tapLine = 3 &* Int(args.weight_stride)
      // At the top both windows begin at the image's first line.
      let shift = 1 &- row.firstLine &+ below.firstLine
      count = max(row.lines, below.lines &+ shift)
      for line in 0..<count {
        let isAbove = line < row.lines, lower = line &- shift, isBelow = lower >= 0 && lower < below.lines
        self.lines[line] = Line(
          x: isAbove ? row.x + row.ring.offset(line, row.lineStep) : below.x + below.ring.offset(lower, below.lineStep),
          weights: isAbove ? args.weights + (row.firstLine &+ line) &* tapLine : nil,
          weightsBelow: isBelow ? args.weights + (below.firstLine &+ lower) &* tapLine : nil)
      }
    }
  }

  func slidePairs(_ rows: UnsafePointer<SlidingRows>, _ part: SlidingPart, isFour: Bool) {
    if isFour { PairTile<4>.run(rows, part) } else { PairTile<7>.run(rows, part) }
  }

  /// `P` pixels of either row by one vector of channels at a time.
  private enum PairTile<let P: Int> {
    @inline(never)
    static func run(_ rows: UnsafePointer<SlidingRows>, _ part: SlidingPart) {
      let left = part.pixel &- rows.pointee.pad
      let inside = max(0, -left)..<max(0, rows.pointee.inWidth &- left)
      let pixels = min(P, rows.pointee.outWidth &- part.pixel)
      let offset = left &* rows.pointee.tapStep, y = part.pixel &* rows.pointee.yStep
      let channels = part.channels.upperBound
      let isWhole = pixels == P && inside.lowerBound <= 1 && inside.upperBound > P
      for index in 0..<rows.pointee.pairCount {
        let pair = UnsafePointer(rows.pointee.pairs + index)
        var channel = part.channels.lowerBound
        while channel < channels {
          // The last vector may begin among the channels of the one before.
          let first = min(channel, channels &- lanes)
          if isWhole {
            tile(Border<1, 0>.self, rows, pair, offset, y, inside, pixels, first)
          } else {
            tile(Border<1, 1>.self, rows, pair, offset, y, inside, pixels, first)
          }
          channel = channel &+ lanes
        }
      }
    }

    @inline(__always)
    private static func tile<let N: Int, let Checks: Int>(
      _ border: Border<N, Checks>.Type, _ rows: UnsafePointer<SlidingRows>, _ pair: UnsafePointer<SlidingPair>,
      _ offset: Int, _ y: Int, _ inside: Range<Int>, _ pixels: Int, _ channel: Int
    ) {
      let weightStride = rows.pointee.weightStride, tapStep = rows.pointee.tapStep
      let start = rows.pointee.bias.map { dlk_load($0 + channel) } ?? VF()
      var sums = InlineArray<P, VF> { _ in start }, sumsBelow = InlineArray<P, VF> { _ in start }
      for line in 0..<pair.pointee.count {
        let from = pair.pointee.lines[line].x + (offset &+ channel)
        let taps = pair.pointee.lines[line].weights, tapsBelow = pair.pointee.lines[line].weightsBelow
        if let taps, let tapsBelow {
          let w = InlineArray<3, VF> { dlk_load(taps + ($0 &* weightStride &+ channel)) }
          let wBelow = InlineArray<3, VF> { dlk_load(tapsBelow + ($0 &* weightStride &+ channel)) }
          for i in 0..<P &+ 2 {
            if Checks == 1 || i == 0 { guard i >= inside.lowerBound else { continue } }
            if Checks == 1 || i > P { guard i < inside.upperBound else { continue } }
            let value = dlk_load(from + i &* tapStep)
            add(value, i, w, &sums)
            add(value, i, wBelow, &sumsBelow)
          }
        } else if let taps {
          let w = InlineArray<3, VF> { dlk_load(taps + ($0 &* weightStride &+ channel)) }
          for i in 0..<P &+ 2 {
            if Checks == 1 || i == 0 { guard i >= inside.lowerBound else { continue } }
            if Checks == 1 || i > P { guard i < inside.upperBound else { continue } }
            add(dlk_load(from + i &* tapStep), i, w, &sums)
          }
        } else if let tapsBelow {
          let w = InlineArray<3, VF> { dlk_load(tapsBelow + ($0 &* weightStride &+ channel)) }
          for i in 0..<P &+ 2 {
            if Checks == 1 || i == 0 { guard i >= inside.lowerBound else { continue } }
            if Checks == 1 || i > P { guard i < inside.upperBound else { continue } }
            add(dlk_load(from + i &* tapStep), i, w, &sumsBelow)
          }
        }
      }
      if rows.pointee.epilogue.clamps {
        let low = rows.pointee.epilogue.low, high = rows.pointee.epilogue.high
        for p in 0..<P {
          sums[p] = dlk_min(high, dlk_max(low, sums[p]))
          sumsBelow[p] = dlk_min(high, dlk_max(low, sumsBelow[p]))
        }
      }
      let yStep = rows.pointee.yStep, place = pair.pointee.y + (y &+ channel)
      let placeBelow = pair.pointee.yBelow + (y &+ channel)
      for p in 0..<P where Checks == 0 || p < pixels {
        dlk_store(place + p &* yStep, sums[p])
        dlk_store(placeBelow + p &* yStep, sumsBelow[p])
      }
    }

    /// Adds a pixel to all the outputs whose taps meet it.
    @_transparent
    private static func add(_ value: VF, _ i: Int, _ w: InlineArray<3, VF>, _ sums: inout InlineArray<P, VF>) {
      for p in 0..<P {
        let tap = i &- p
        if tap >= 0 && tap < 3 { sums[p] = dlk_fma(value, w[tap], sums[p]) }
      }
    }
  }
#endif
