import CKernelSupport

// Depthwise windows of many taps. Where pixels have many channels, those under a window share few sets of the first-level
// cache and push each other out, and so do the taps. Some channels of a strip of the image go from its top to its bottom,
// copied to where they are all that lies there; a pixel is copied once for all rows of windows that it lies under.

/// Where the image under a strip is copied to.
private struct StripShape {
  /// Channels at once, a cache line.
  @inline(__always) static var channels: Int { Int(DLK_STRIP_CHANNELS) }
  /// Floats in the room, less those that it may lack at the start of a cache line.
  static var roomFloats: Int { 8192 &- channels }
  static var mostTaps: Int { 64 }

  let across, down: WindowAxis
  /// Output pixels of a row at once.
  let pixels: Int
  /// Pixels of the image that are a stride apart are neighbours in a copied line: so many of them, and those of the
  /// next phase after them.
  let run: Int
  /// Lines that are kept, and floats in each.
  let lines: Int
  let lineFloats: Int

  init(_ window: dlk_window) {
    across = WindowAxis(
      input: window.in_w, kernel: window.kernel_w, stride: window.stride_w, dilation: window.dilation_w,
      pad: window.pad_w)
    down = WindowAxis(
      input: window.in_h, kernel: window.kernel_h, stride: window.stride_h, dilation: window.dilation_h,
      pad: window.pad_h)
    pixels = Self.tile(Int(window.out_w))
    run = pixels &+ (across.kernel &- 1) &* across.dilation / across.stride
    lines = (down.kernel &- 1) &* down.dilation &+ 1
    lineFloats = run &* across.stride &* Self.channels
  }

  /// The tile that takes a row in the least time, if each tile takes about two outputs' time more than its outputs.
  private static func tile(_ width: Int) -> Int {
    func cost(_ pixels: Int) -> Int { ceilDivide(width, pixels) &* (pixels &+ 2) }
    var best = 4
    if cost(7) < cost(best) { best = 7 }
    if cost(8) < cost(best) { best = 8 }
    if cost(11) < cost(best) { best = 11 }
    return cost(14) < cost(best) ? 14 : best
  }

  /// Floats of one vector of channels in a copied line.
  var lineVector: Int { run &* across.stride &* lanes }
  /// Floats from where those begin to a pixel.
  func place(_ pixel: Int) -> Int { (pixel % across.stride &* run &+ pixel / across.stride) &* lanes }

  var taps: Int { across.kernel &* down.kernel }
  var floats: Int { lines &* lineFloats &+ (taps &+ 1 &+ pixels) &* Self.channels }
}

/// Whether a window has taps enough for copies to pay, and these find room.
func copiesStrips(_ args: dlk_depthwise_args) -> Bool {
  let window = args.window
  guard args.group == 1 || args.inputs == 1, window.kernel_d == 1, window.out_d == 1, window.pad_d == 0 else {
    return false
  }
  let most = Int64(StripShape.mostTaps)
  guard window.kernel_h <= most, window.kernel_w <= most, window.kernel_h &* window.kernel_w > Int64(DLK_STRIP_TAPS),
    window.dilation_h <= most, window.dilation_w <= most, window.stride_h <= most, window.stride_w <= most
  else { return false }
  return StripShape(window).floats <= StripShape.roomFloats
}

func depthwiseStrips(_ args: dlk_depthwise_args, _ rows: Range<Int>, _ epilogue: DepthwiseEpilogue) {
  var room = InlineArray<8192, Float> { _ in 0 }
  var places = InlineArray<64, Int> { _ in 0 }
  withAddress(of: &room) { room in
    withAddress(of: &places) { places in
      let room = room.alignedUp(toMultipleOf: 4 &* StripShape.channels).assumingMemoryBound(to: Float.self)
      var strip = Strip(args, epilogue, room, places.assumingMemoryBound(to: Int.self))
      strip.run(rows)
    }
  }
}

/// Channels of pixels or taps: one is `step` floats from the next, a vector of channels `vector` floats.
private struct ChannelRows<Pointer> {
  var base: Pointer
  let step, vector: Int
}

private struct Strip {
  private let args: dlk_depthwise_args
  private let shape: StripShape
  private let inputs: GroupInputs
  let epilogue: DepthwiseEpilogue
  let copies, bias: Target
  private let packed, results: Target
  /// Of each tap across, its pixel in a copied line.
  let places: UnsafeMutablePointer<Int>
  /// The first channel, and how many there are.
  private var channel = 0
  private var channels = 0
  /// The first output pixel of the strip, and the first line that was not copied yet.
  private var pixel = 0
  private var fresh = 0
  /// The lines under a row of windows: the first one's place, how many there are, and the taps that it meets.
  private(set) var first = 0
  private(set) var count = 0
  private(set) var weights: Source
  /// Where the sums go.
  private(set) var y: Target
  private(set) var yStep = 0

  init(
    _ args: dlk_depthwise_args, _ epilogue: DepthwiseEpilogue, _ room: Target, _ places: UnsafeMutablePointer<Int>
  ) {
    (self.args, self.epilogue, self.places) = (args, epilogue, places)
    shape = StripShape(args.window)
    inputs = GroupInputs(group: Int(args.group), inputs: 1)
    copies = room
    packed = room + shape.lines &* shape.lineFloats
    bias = packed + shape.taps &* StripShape.channels
    results = bias + StripShape.channels
    (weights, y) = (Source(packed), results)
    for tap in 0..<shape.across.kernel { places[tap] = shape.place(tap &* shape.across.dilation) }
  }

  var across: Int { shape.across.kernel }
  var dilation: Int { shape.down.dilation }
  var lines: Int { shape.lines }
  var lineFloats: Int { shape.lineFloats }
  /// Floats of one vector of channels in a copied line, and of all taps.
  var lineVector: Int { shape.lineVector }
  var tapVector: Int { shape.taps &* lanes }

  mutating func run(_ rows: Range<Int>) {
    let width = Int(args.window.out_w)
    while channel < Int(args.channels) {
      channels = min(StripShape.channels, Int(args.channels) &- channel)
      let taps = ChannelRows(base: args.weights + channel, step: Int(args.weight_stride), vector: lanes)
      move(taps, to: ChannelRows(base: packed, step: lanes, vector: tapVector), shape.taps)
      if let from = args.bias {
        move(
          ChannelRows(base: from + channel, step: 0, vector: lanes),
          to: ChannelRows(base: bias, step: 0, vector: lanes),
          1)
      }
      var begin = 0
      while begin < width {
        // The last strip may begin among the pixels of the one before.
        pixel = max(0, min(begin, width &- shape.pixels))
        fresh = 0
        for row in rows { make(row) }
        begin = begin &+ shape.pixels
      }
      channel = channel &+ StripShape.channels
    }
  }

  private mutating func make(_ row: Int) {
    let taps = shape.down.inside(row), start = shape.down.start(row)
    let top = start &+ taps.lowerBound &* dilation
    let end = taps.isEmpty ? 0 : top &+ (taps.count &- 1) &* dilation &+ 1
    // Where taps lie apart, the lines between these are those of later rows.
    fresh = max(fresh, start)
    while fresh < end {
      copy(fresh)
      fresh = fresh &+ 1
    }
    (first, count) = (taps.isEmpty ? 0 : top % lines, taps.count)
    weights = Source(packed + taps.lowerBound &* across &* lanes)
    let step = Int(args.y_pixels.pixel_stride), pixels = min(shape.pixels, Int(args.window.out_w) &- pixel)
    let target: Target = args.y + (row &* Int(args.y_pixels.row_stride) &+ pixel &* step &+ channel)
    if pixels == shape.pixels, channels == StripShape.channels, epilogue.isFree {
      (y, yStep) = (target, step)
      return multiply()
    }
    (y, yStep) = (results, StripShape.channels)
    multiply()
    epilogue.activate(results, yStep, pixels, StripShape.channels)
    move(
      ChannelRows(base: Source(results), step: yStep, vector: lanes),
      to: ChannelRows(base: target, step: step, vector: lanes), pixels)
  }

  private mutating func multiply() {
    let (pixels, channels) = (shape.pixels, channels)
    withUnsafePointer(to: &self) { strip in
      var vector = 0
      while vector &* lanes < channels {
        switch pixels {
        case 4: NarrowTile<4>.run(strip, vector)
        case 7: NarrowTile<7>.run(strip, vector)
        case 8: StripTile<8, 1>.run(strip, vector)
        case 11: StripTile<11, 1>.run(strip, vector)
        default: StripTile<14, 1>.run(strip, vector)
        }
        vector = vector &+ (pixels < 8 ? narrowVectors : 1)
      }
    }
  }

  // MARK: Copies

  /// One line of the image; what lies outside of it is zeros.
  private func copy(_ line: Int) {
    let place = args.x_ring > 0 ? line % Int(args.x_ring) : line
    let step = Int(args.x_pixels.pixel_stride), left = shape.across.start(pixel), input = shape.across.input
    let from = args.x + (place &* Int(args.x_pixels.row_stride) &+ inputs.first(channel))
    let below = line &+ shape.down.stride < shape.down.input ? shape.down.stride &* Int(args.x_pixels.row_stride) : 0
    let stride = shape.across.stride
    var to = ChannelRows(base: copies + line % lines &* lineFloats, step: lanes, vector: shape.lineVector)
    for phase in 0..<stride {
      let begin = left &+ phase
      let before = min(shape.run, begin < 0 ? ceilDivide(-begin, stride) : 0)
      let inside = min(shape.run &- before, begin < input ? max(0, ceilDivide(input &- begin, stride) &- before) : 0)
      clear(to, before)
      to.base += before &* lanes
      let source = ChannelRows(base: from + (begin &+ before &* stride) &* step, step: stride &* step, vector: lanes)
      for i in 0..<inside { dlk_prefetch(source.base + (below &+ i &* source.step)) }
      if args.group > 1 { spread(source, to: to, inside) } else { move(source, to: to, inside) }
      to.base += inside &* lanes
      clear(to, shape.run &- before &- inside)
      to.base += (shape.run &- before &- inside) &* lanes
    }
  }

  @inline(__always)
  private func clear(_ to: ChannelRows<Target>, _ count: Int) {
    for j in 0..<StripShape.channels / lanes { (to.base + j &* to.vector).update(repeating: 0, count: count &* lanes) }
  }

  /// The input of each group of some pixels, for all the channels that are made of it.
  private func spread(_ from: ChannelRows<Source>, to: ChannelRows<Target>, _ count: Int) {
    let width = lanes / Int(args.group), all = channels / Int(args.group)
    let vectors = ceilDivide(channels, lanes)
    var (x, y) = (from.base, to.base)
    for _ in 0..<count {
      for j in 0..<vectors {
        let some = dlk_load_partial(x + j &* width, min(width, all &- j &* width))
        dlk_store(y + j &* to.vector, dlk_permute(some, inputs.lanesOfFirst))
      }
      x += from.step
      y += to.step
    }
  }

  @inline(__always)
  private func move(_ from: ChannelRows<Source>, to: ChannelRows<Target>, _ count: Int) {
    if channels < StripShape.channels { return moveSome(from, to: to, count) }
    var (x, y) = (from.base, to.base)
    for _ in 0..<count {
      for j in 0..<StripShape.channels / lanes { dlk_store(y + j &* to.vector, dlk_load(x + j &* from.vector)) }
      x += from.step
      y += to.step
    }
  }

  @inline(never)
  private func moveSome(_ from: ChannelRows<Source>, to: ChannelRows<Target>, _ count: Int) {
    var (x, y) = (from.base, to.base)
    for _ in 0..<count {
      for j in 0..<ceilDivide(channels, lanes) {
        let count = min(lanes, channels &- j &* lanes)
        dlk_store_partial(y + j &* to.vector, dlk_load_partial(x + j &* from.vector, count), count)
      }
      x += from.step
      y += to.step
    }
  }
}

// Few sums do not hide the arithmetic's latency: two vectors of channels have twice as many.
#if DL_AVX512
  private typealias NarrowTile<let P: Int> = StripTile<P, 1>
  private let narrowVectors = 1
#else
  private typealias NarrowTile<let P: Int> = StripTile<P, 2>
  private let narrowVectors = 2
#endif

/// `P` output pixels by `N` vectors of channels.
private enum StripTile<let P: Int, let N: Int> {
  @inline(never)
  static func run(_ strip: UnsafePointer<Strip>, _ vector: Int) {
    let places = strip.pointee.places, lineVector = strip.pointee.lineVector, tapVector = strip.pointee.tapVector
    var sums = InlineArray<N, InlineArray<P, VF>> { j in
      let bias = dlk_load(strip.pointee.bias + (vector &+ j) &* lanes)
      return InlineArray<P, VF> { _ in bias }
    }
    let (copies, end) = (strip.pointee.copies + vector &* lineVector, strip.pointee.lines)
    var weights = strip.pointee.weights + vector &* tapVector, line = strip.pointee.first
    for _ in 0..<strip.pointee.count {
      let x = Source(copies + line &* strip.pointee.lineFloats)
      for tap in 0..<strip.pointee.across {
        let from = x + places[tap]
        for j in 0..<N {
          let w = dlk_load(weights + j &* tapVector)
          for p in 0..<P {
            sums[j][p] = dlk_fma(dlk_load(from + (p &* lanes &+ j &* lineVector)), w, sums[j][p])
          }
        }
        weights += lanes
      }
      line = line &+ strip.pointee.dilation
      if line >= end { line = line &- end }
    }
    if strip.pointee.epilogue.clamps {
      let low = strip.pointee.epilogue.low, high = strip.pointee.epilogue.high
      for j in 0..<N { for p in 0..<P { sums[j][p] = dlk_min(high, dlk_max(low, sums[j][p])) } }
    }
    var y = strip.pointee.y + vector &* lanes
    for p in 0..<P {
      for j in 0..<N { dlk_store(y + j &* lanes, sums[j][p]) }
      y += strip.pointee.yStep
    }
  }
}
