import CKernelSupport
import DLRTKernels
import Testing

@Suite struct ByteWindowTests {
  @Test(arguments: KernelLibrary.available)
  func convolutionMatchesNaive(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    let width = 2 * Int(kernels.pointee.vector_floats)
    for seed in 0..<116 {
      var random = SeededGenerator(seed)
      let isTall = seed >= 100
      let n = random.pick(isTall ? [1, 4] : [1, 5, 16, 24, 40, 64, 80])
      let isDense = random.int(0...3) == 0
      let test = ByteCase(
        &random, n: n, pads: isTall ? seed % 4 == 0 : !isDense, dense: isDense, tall: isTall)
      let panels = (n + width - 1) / width, depth = test.taps * test.words
      guard test.test.outPixels * n * depth < (isTall ? 500_000 : 200_000) else { continue }
      let packed = Guarded<Int8>(panels * test.parts * depth * width * 4) { _ in 0 }
      for j in 0..<n {
        for part in 0..<test.parts {
          for word in 0..<depth {
            for c in 0..<4 {
              let place = (((j / width * test.parts + part) * depth + word) * width + j % width) * 4 + c
              packed.store(test.weight(part, word * 4 + c, j), place)
            }
          }
        }
      }
      let slots = panels * width
      let starts = Guarded<Int32>(slots) { $0 < n ? test.starts[$0] : 0 }
      let scales = Guarded<Float>(slots) { $0 < n ? test.scales[$0] : 0 }
      test.check(packed, starts, scales, "seed \(seed)") { args, first, end in
        kernels.pointee.byte_conv(&args, first, end, 0, Int64(panels))
      } sum: { taps, j, part, read in
        var sum: Int32 = 0
        for (tap, from) in taps.enumerated() {
          for c in 0..<test.words * 4 {
            sum &+= read(from, c) &* Int32(test.weight(part, tap * test.words * 4 + c, j))
          }
        }
        return sum
      }
    }
  }

  @Test(arguments: KernelLibrary.available)
  func depthwiseMatchesNaive(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    let lanes = Int(kernels.pointee.vector_floats), block = 4 * lanes
    for seed in 0..<100 {
      var random = SeededGenerator(seed)
      let test = ByteCase(&random, n: nil, pads: true, dense: false)
      let window = test.test.window, across = Int(window.kernel_w)
      let isShared = window.stride_w == 1 && window.dilation_w == 1 && random.int(0...2) > 0
      let shifts = isShared ? 2 : 1
      let lines = test.taps / across, fours = (across + shifts + 2) / 4
      let goesByLines = isShared || lines * fours <= (test.taps + 3) / 4
      let quads = goesByLines ? lines * fours * shifts : (test.taps + 3) / 4
      let blocks = (test.n + block - 1) / block
      func slot(_ channel: Int) -> Int {
        let inside = channel % block
        return channel - inside + inside % 16 / 4 * lanes + inside / 16 * 4 + inside % 4
      }
      let packed = Guarded<Int8>(blocks * test.parts * quads * block * 4) { _ in 0 }
      let starts = Guarded<Int32>(blocks * block) { _ in 0 }
      let scales = Guarded<Float>(blocks * block) { _ in 0 }
      for channel in 0..<test.n {
        let place = slot(channel)
        starts.store(test.starts[channel], place)
        scales.store(test.scales[channel], place)
        for part in 0..<test.parts {
          for tap in 0..<test.taps {
            for shift in 0..<shifts {
              let pixel = tap % across + shift
              let four = goesByLines ? (tap / across * fours + pixel / 4) * shifts + shift : tap / 4
              let quad = ((place / block * test.parts + part) * quads + four) * block + place % block
              packed.store(test.weight(part, tap, channel), quad * 4 + (goesByLines ? pixel : tap) % 4)
            }
          }
        }
      }
      test.check(packed, starts, scales, "seed \(seed)") { args, first, end in
        args.shifts = Int64(shifts)
        args.fours = goesByLines ? Int64(fours) : 0
        kernels.pointee.byte_depthwise(&args, first, end)
      } sum: { taps, channel, part, read in
        var sum: Int32 = 0
        for (tap, from) in taps.enumerated() {
          sum &+= read(from, channel) &* Int32(test.weight(part, tap, channel))
        }
        return sum
      }
    }
  }
}

/// A window over an image of bytes, whose channels come by fours.
private struct ByteCase {
  let test: WindowCase
  let n: Int
  let parts: Int
  let isXSigned: Bool
  let isYSigned: Bool
  let givesSums: Bool
  let zero: Int32
  let padding: Guarded<UInt8>
  let weights: [Int8]
  let starts: [Int32]
  let scales: [Float]

  /// - Parameter n: nil for as many channels as x has, or some less.
  init(_ random: inout SeededGenerator, n given: Int?, pads: Bool, dense: Bool, tall: Bool = false) {
    test = WindowCase(&random, outputs: given ?? 260, pads: pads, dense: dense, tall: tall)
    let words = test.channels, image = UnsafeMutableRawPointer(test.image.base)
    for index in 0..<test.image.count * 4 {
      image.storeBytes(of: UInt8(random.int(0...255)), toByteOffset: index, as: UInt8.self)
    }
    let count = given ?? words * 4 - random.int(0...3)
    n = count
    parts = random.int(1...3)
    (isXSigned, isYSigned, givesSums) = (random.int(0...1) == 0, random.int(0...1) == 0, random.int(0...2) == 0)
    zero = Int32(isYSigned ? random.int(-128...127) : random.int(0...255))
    let outside = UInt8(random.int(0...255))
    padding = Guarded(words * 4 * Int(test.window.kernel_w)) { _ in outside }
    weights = (0..<parts * test.taps * words * 4 * (given ?? 1)).map { [random = Box(random)] _ in
      Int8(random.value.int(-128...127))
    }
    starts = (0..<count).map { [random = Box(random)] _ in Int32(random.value.int(-1000...1000)) }
    scales = (0..<count).map { [random = Box(random)] _ in (random.value.float() + 1.01) / 500 }
  }

  var words: Int { test.channels }
  var taps: Int { test.taps }

  func weight(_ part: Int, _ index: Int, _ column: Int) -> Int8 {
    weights[(part * taps * words * 4 + index * 31 + column * 17) % weights.count]
  }

  /// Runs a kernel over all pixels in two parts and compares; `sum` gets the places of bytes under the taps, a column, a
  /// part and how to read a channel of such a place.
  func check(
    _ packed: Guarded<Int8>, _ starts: Guarded<Int32>, _ scales: Guarded<Float>, _ name: String,
    _ run: (inout dlk_byte_window_args, Int64, Int64) -> Void,
    sum: ([Int?], Int, Int, (Int?, Int) -> Int32) -> Int32
  ) {
    let size = givesSums ? 4 : 1
    let y = Guarded<UInt8>(test.output(n).count * size) { _ in 0xaa }
    var args = dlk_byte_window_args()
    (args.window, args.words, args.n, args.parts) = (test.window, Int64(words), Int64(n), Int64(parts))
    (args.x, args.x_pixels) = (UnsafeRawPointer(test.image.base), test.x)
    (args.is_x_signed, args.is_y_signed, args.zero) = (isXSigned ? 1 : 0, isYSigned ? 1 : 0, zero)
    (args.weights, args.padding) = (UnsafeRawPointer(packed.base), UnsafeRawPointer(padding.base))
    (args.start, args.scale) = (starts.pointer, givesSums ? nil : scales.pointer)
    (args.y, args.y_pixels) = (UnsafeMutableRawPointer(y.base), test.y)
    let middle = Int64(test.outPixels / 2)
    run(&args, 0, middle)
    run(&args, middle, Int64(test.outPixels))
    let image = UnsafeRawPointer(test.image.base), turned: UInt8 = isXSigned ? 0x80 : 0
    func read(_ place: Int?, _ channel: Int) -> Int32 {
      let byte = place.map { image.load(fromByteOffset: $0 * 4 + channel, as: UInt8.self) } ?? padding[channel]
      return Int32(byte ^ turned)
    }
    var expected = [UInt8](repeating: 0xaa, count: y.count)
    for pixel in 0..<test.outPixels {
      let (place, taps) = test.under(pixel)
      for j in 0..<n {
        var value = self.starts[j]
        for part in 0..<parts { value &+= sum(taps, j, part, read) }
        if givesSums {
          withUnsafeBytes(of: value) { bytes in
            for b in 0..<4 { expected[(place + j) * 4 + b] = bytes[b] }
          }
        } else {
          let range: (Int32, Int32) = isYSigned ? (-128, 127) : (0, 255)
          let rounded = (Float(value) * self.scales[j]).rounded(.toNearestOrEven)
          let wide = Int32(max(min(rounded, 100_000), -100_000)) + zero
          expected[place + j] = UInt8(truncatingIfNeeded: min(max(wide, range.0), range.1))
        }
      }
    }
    #expect(y.array == expected, "\(name): \(test) n \(n) parts \(parts) sums \(givesSums)")
  }
}

/// A generator that closures share.
private final class Box {
  var value: SeededGenerator
  init(_ value: SeededGenerator) { self.value = value }
}
