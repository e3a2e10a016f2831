import CKernelSupport
import DLRTKernels
import Glibc
import Testing

private let widths = [0, 1, 2, 7, 15, 16, 17, 31, 33, 48, 63, 64, 100, 257]

@Suite struct RowTests {
  @Test(arguments: KernelLibrary.available)
  func softmaxMatchesNaive(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for (seed, columns) in widths.enumerated() {
      var random = SeededGenerator(seed)
      let rows = 3, stride = columns + 2
      let x = Guarded<Float>(rows * stride) { _ in random.float() * 20 }
      x.store(-.infinity, 0)
      for logarithm in [false, true] {
        let y = Guarded<Float>(rows * stride) { _ in -77 }
        var args = dlk_softmax_args(
          rows: 3, columns: Int64(columns), x: x.pointer, x_row_stride: Int64(stride), y: y.base,
          y_row_stride: Int64(stride), logarithm: logarithm ? 1 : 0)
        kernels.pointee.softmax(&args, 0, 1)
        kernels.pointee.softmax(&args, 1, 3)
        let same = Guarded(x.array)
        (args.x, args.y) = (same.pointer, same.base)
        kernels.pointee.softmax(&args, 0, 3)
        for r in 0..<rows {
          for c in 0..<columns {
            let (a, b) = (same[r * stride + c], y[r * stride + c])
            #expect(a == b || (a.isNaN && b.isNaN), "in place, columns \(columns)")
          }
          let row = (0..<columns).map { Double(x[r * stride + $0]) }
          let top = row.max() ?? 0
          if top == -.infinity { continue }
          let sum = row.reduce(0) { $0 + exp($1 - top) }
          for c in 0..<columns {
            let value = logarithm ? row[c] - top - log(sum) : exp(row[c] - top) / sum
            let got = Double(y[r * stride + c])
            #expect(
              got == value || abs(got - value) <= 4e-6 * max(abs(value), logarithm ? 1 : 1e-30), "columns \(columns)")
          }
          #expect(y[r * stride + columns] == -77)
        }
      }
    }
  }

  /// Products of subnormal numbers can take a hundred times as long as others: shares that small are zeros. What else the
  /// caller's thread computes keeps them.
  @Test(arguments: KernelLibrary.available)
  func softmaxGivesNoSubnormals(isa: ISA) {
    for columns in [4, 40] {
      let x = Guarded<Float>(columns) { [0, -100, -90, -87][$0 % 4] }, y = Guarded<Float>(columns) { _ in -77 }
      var args = dlk_softmax_args(
        rows: 1, columns: Int64(columns), x: x.pointer, x_row_stride: Int64(columns), y: y.base,
        y_row_stride: Int64(columns), logarithm: 0)
      KernelLibrary.table(for: isa).pointee.softmax(&args, 0, 1)
      for c in 0..<columns {
        #expect(y[c] == 0 || y[c].isNormal, "\(x[c])")
        #expect((y[c] > 0) == (c % 4 == 0 || c % 4 == 3 && columns == 4), "\(x[c])")
      }
      y.store(.leastNormalMagnitude, 0)
      #expect((y[0] / 4).isSubnormal)
    }
  }

  /// Of few numbers each, rows are done together, and each must be as if it were alone.
  @Test(arguments: KernelLibrary.available)
  func softmaxOfFewColumns(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for columns in 1...10 {
      var random = SeededGenerator(columns)
      for rows in [1, 3, 4, 5, 15, 16, 17, 37] {
        let stride = columns + rows % 3
        let x = Guarded<Float>(rows * stride) { _ in random.float() * 20 }
        if rows > 4 {
          for (row, special) in [Float.nan, .infinity, -.infinity].enumerated() {
            x.store(special, (row + 1) * stride + columns - 1)
          }
        }
        for logarithm in [false, true] {
          func run(_ parts: [Range<Int>], inPlace: Bool = false) -> [Float] {
            let y = Guarded<Float>(rows * stride) { inPlace ? x[$0] : -77 }
            var args = dlk_softmax_args(
              rows: Int64(rows), columns: Int64(columns), x: inPlace ? y.pointer : x.pointer,
              x_row_stride: Int64(stride), y: y.base, y_row_stride: Int64(stride), logarithm: logarithm ? 1 : 0)
            for part in parts { kernels.pointee.softmax(&args, Int64(part.lowerBound), Int64(part.upperBound)) }
            return (0..<rows * stride).map { y[$0] }
          }
          let whole = run([0..<rows])
          let bits = whole.map(\.bitPattern)
          #expect(run((0..<rows).map { $0..<$0 + 1 }).map(\.bitPattern) == bits, "rows \(rows), columns \(columns)")
          let replaced = run([0..<rows / 2, rows / 2..<rows], inPlace: true)
          for r in 0..<rows {
            let row = (0..<columns).map { Double(x[r * stride + $0]) }
            // One infinity among others of its sign, or NaN anywhere, leaves nothing that could be said.
            let isNumber = !row.contains { $0.isNaN } && row.contains { $0 > -.infinity } && !row.contains(.infinity)
            let top = row.max() ?? 0
            let sum = row.reduce(0) { $0 + exp($1 - top) }
            for c in 0..<columns {
              let got = whole[r * stride + c]
              #expect(replaced[r * stride + c].bitPattern == got.bitPattern)
              guard isNumber else {
                #expect(got.isNaN)
                continue
              }
              let value = logarithm ? row[c] - top - log(sum) : exp(row[c] - top) / sum
              #expect(
                Double(got) == value || abs(Double(got) - value) <= 4e-6 * max(abs(value), logarithm ? 1 : 1e-30))
              if columns == 1 { #expect(got == (logarithm ? 0 : 1)) }
            }
            for c in columns..<stride { #expect(whole[r * stride + c] == -77) }
          }
        }
      }
    }
  }

  @Test(arguments: KernelLibrary.available)
  func normalizationMatchesNaive(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<60 {
      var random = SeededGenerator(seed)
      let columns = random.pick(Array(widths.dropFirst())), rows = 2, rms = random.int(0...1)
      let x = Guarded(random: rows * columns, &random), skip = Guarded(random: rows * columns, &random)
      let scale = Guarded(random: columns, &random), bias = Guarded(random: columns, &random)
      let y = Guarded<Float>(rows * columns) { _ in 0 }, sum = Guarded<Float>(rows * columns) { _ in 0 }
      let mean = Guarded<Float>(rows) { _ in 0 }, deviation = Guarded<Float>(rows) { _ in 0 }
      let (hasSkip, hasScale, hasBias, hasSum) = (
        random.int(0...1) == 1, random.int(0...1) == 1, random.int(0...1) == 1, random.int(0...1) == 1
      )
      var args = dlk_normalize_args()
      (args.rows, args.columns, args.epsilon, args.rms) = (Int64(rows), Int64(columns), 1e-5, Int32(rms))
      (args.x, args.x_row_stride, args.y, args.y_row_stride) = (x.pointer, Int64(columns), y.base, Int64(columns))
      if hasSkip { (args.skip, args.skip_row_stride) = (skip.pointer, Int64(columns)) }
      if hasSkip && hasSum { (args.sum, args.sum_row_stride) = (sum.base, Int64(columns)) }
      if hasScale { args.scale = scale.pointer }
      if hasBias { args.bias = bias.pointer }
      (args.mean, args.inverse_deviation) = (mean.base, deviation.base)
      kernels.pointee.normalize(&args, 0, Int64(rows))
      for r in 0..<rows {
        let row = (0..<columns).map { Double(x[r * columns + $0]) + (hasSkip ? Double(skip[r * columns + $0]) : 0) }
        let average = rms == 1 ? 0 : row.reduce(0, +) / Double(columns)
        let variance = row.reduce(0) { $0 + ($1 - average) * ($1 - average) } / Double(columns)
        let inverse = 1 / (variance + 1e-5).squareRoot()
        #expect(abs(Double(deviation[r]) - inverse) < 1e-4 * inverse, "seed \(seed)")
        #expect(abs(Double(mean[r]) - average) < 1e-6)
        for c in 0..<columns {
          var value = (row[c] - average) * inverse
          if hasScale { value *= Double(scale[c]) }
          if hasBias { value += Double(bias[c]) }
          #expect(abs(Double(y[r * columns + c]) - value) < 3e-5 * max(1, inverse), "seed \(seed), columns \(columns)")
          if hasSkip && hasSum { #expect(abs(Double(sum[r * columns + c]) - row[c]) < 1e-6) }
        }
      }
    }
  }

  @Test(arguments: KernelLibrary.available, 0..<DLK_REDUCE_COUNT.rawValue)
  func reductionsMatchNaive(isa: ISA, function: Int32) {
    let kernels = KernelLibrary.table(for: isa), function = dlk_reduction(rawValue: function)
    func naive(_ values: [Float]) -> Double {
      let values = values.map(Double.init)
      switch function {
      case DLK_REDUCE_SUM: return values.reduce(0, +)
      case DLK_REDUCE_MEAN: return values.reduce(0, +) / Double(values.count)
      case DLK_REDUCE_MAX: return values.contains(where: \.isNaN) ? .nan : values.max() ?? -.infinity
      case DLK_REDUCE_MIN: return values.contains(where: \.isNaN) ? .nan : values.min() ?? .infinity
      case DLK_REDUCE_SUM_SQUARE: return values.reduce(0) { $0 + $1 * $1 }
      default: return values.reduce(0) { $0 + abs($1) }
      }
    }
    func agree(_ got: Float, _ value: Double) -> Bool {
      Double(got) == value || (got.isNaN && value.isNaN) || abs(Double(got) - value) < 1e-5 * max(1, abs(value))
    }
    for seed in 0..<40 {
      var random = SeededGenerator(seed)
      let rows = random.int(0...5), columns = random.pick(widths), stride = columns + random.int(0...2)
      let x = Guarded<Float>(rows == 0 ? 0 : (rows - 1) * stride + columns) { _ in
        random.int(0...99) == 0 ? .nan : random.float()
      }
      let perRow = Guarded<Float>(rows) { _ in 0 }, perColumn = Guarded<Float>(columns) { _ in 0 }
      var args = dlk_reduce_args(
        function: function, rows: Int64(rows), columns: Int64(columns), x: x.pointer, x_row_stride: Int64(stride),
        y: perRow.base)
      kernels.pointee.reduce_rows(&args, 0, Int64(rows))
      args.y = perColumn.base
      let middle = Int64(random.int(0...columns))
      kernels.pointee.reduce_columns(&args, 0, middle)
      kernels.pointee.reduce_columns(&args, middle, Int64(columns))
      for r in 0..<rows {
        #expect(agree(perRow[r], naive((0..<columns).map { x[r * stride + $0] })), "seed \(seed)")
      }
      for c in 0..<columns {
        #expect(agree(perColumn[c], naive((0..<rows).map { x[$0 * stride + c] })), "seed \(seed)")
      }
    }
  }

  @Test(arguments: KernelLibrary.available)
  func channelKernelsMatchNaive(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<60 {
      var random = SeededGenerator(seed)
      let rows = random.int(0...6), columns = random.pick(widths), stride = columns + random.int(0...2)
      let count = rows == 0 ? 0 : (rows - 1) * stride + columns
      let x = Guarded(random: count, &random), y = Guarded<Float>(count) { _ in -77 }
      let mean = Guarded(random: columns, &random), factor = Guarded(random: columns, &random)
      let bias = Guarded(random: columns, &random)
      let sums = Guarded<Float>(columns) { _ in -77 }, squares = Guarded<Float>(columns) { _ in -77 }
      var args = dlk_channel_args()
      (args.rows, args.columns, args.x, args.x_row_stride) = (Int64(rows), Int64(columns), x.pointer, Int64(stride))
      (args.sums, args.squares, args.y, args.y_row_stride) = (sums.base, squares.base, y.base, Int64(stride))
      (args.mean, args.factor, args.bias) = (mean.pointer, factor.pointer, bias.pointer)
      kernels.pointee.channel_moments(&args)
      kernels.pointee.channel_affine(&args)
      for c in 0..<columns {
        let away = (0..<rows).map { Double(x[$0 * stride + c]) - Double(x[c]) }
        let (sum, square) = (away.reduce(0, +), away.reduce(0) { $0 + $1 * $1 })
        #expect(abs(Double(sums[c]) - (rows == 0 ? -77 : sum)) < 1e-5, "seed \(seed)")
        #expect(abs(Double(squares[c]) - (rows == 0 ? -77 : square)) < 1e-5, "seed \(seed)")
        for r in 0..<rows {
          let value = (Double(x[r * stride + c]) - Double(mean[c])) * Double(factor[c]) + Double(bias[c])
          #expect(abs(Double(y[r * stride + c]) - value) < 1e-5, "seed \(seed)")
        }
      }
      for r in 0..<max(rows - 1, 0) {
        for gap in columns..<stride { #expect(y[r * stride + gap] == -77, "seed \(seed)") }
      }
    }
  }

  @Test(arguments: KernelLibrary.available)
  func halfPrecisionConversionsAreExact(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    let all = Guarded<UInt16>(65536) { UInt16($0) }
    let floats = Guarded<Float>(65536) { _ in 0 }
    kernels.pointee.f16_to_f32(all.pointer, floats.base, 65536)
    for i in 0..<65536 {
      let value = Float(Float16(bitPattern: UInt16(i)))
      #expect(floats[i] == value || (floats[i].isNaN && value.isNaN))
    }
    kernels.pointee.bf16_to_f32(all.pointer, floats.base, 65536)
    for i in 0..<65536 where floats[i].bitPattern != UInt32(i) << 16 { Issue.record("bfloat16 \(i)") }

    var random = SeededGenerator(3)
    var inputs: [Float] = [
      0, -0.0, .infinity, -.infinity, .nan, 65504, 65519.9, 65520, 1e-8, 5.9e-8, 2.98e-8, 6.1e-5, 3.4e38,
    ]
    for _ in 0..<5000 { inputs.append(Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))) }
    for _ in 0..<5000 {
      inputs.append(random.float() * Float(sign: .plus, exponent: random.int(-26...17), significand: 1))
    }
    let x = Guarded(inputs), halves = Guarded<UInt16>(inputs.count) { _ in 0 }
    kernels.pointee.f32_to_f16(x.pointer, halves.base, Int64(inputs.count))
    for i in 0..<inputs.count {
      let value = Float16(inputs[i])
      let got = Float16(bitPattern: halves[i])
      #expect(got.bitPattern == value.bitPattern || (got.isNaN && value.isNaN), "\(inputs[i])")
    }
    kernels.pointee.f32_to_bf16(x.pointer, halves.base, Int64(inputs.count))
    for i in 0..<inputs.count {
      let got = Float(bitPattern: UInt32(halves[i]) << 16)
      if inputs[i].isNaN {
        #expect(got.isNaN)
      } else {
        let bits = inputs[i].bitPattern
        let value = Float(bitPattern: (bits &+ 0x7fff &+ ((bits >> 16) & 1)) & 0xffff_0000)
        #expect(got == value, "\(inputs[i])")
      }
    }
    for count in 0...40 {
      let y = Guarded<UInt16>(count) { _ in 0 }, z = Guarded<Float>(count) { Float($0) }
      kernels.pointee.f32_to_f16(z.pointer, y.base, Int64(count))
      kernels.pointee.f16_to_f32(y.pointer, z.base, Int64(count))
      kernels.pointee.f32_to_bf16(z.pointer, y.base, Int64(count))
      kernels.pointee.bf16_to_f32(y.pointer, z.base, Int64(count))
      #expect(z.array == (0..<count).map { Float($0) })
    }
  }
}
