import CKernelSupport
import DLRTKernels
import Glibc
import Testing

@Suite struct MathTests {
  /// Numbers of every size, the specials, and the places where formulas change.
  private static let inputs: [Float] = {
    var values: [Float] = [
      0, -0.0, 1, -1, 3, -3, .infinity, -.infinity, .nan, .leastNonzeroMagnitude, -.leastNonzeroMagnitude,
      7 * .leastNonzeroMagnitude, .leastNormalMagnitude / 3,
      .leastNormalMagnitude, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, 88.7, 88.73, 89, -87.3, -88, -103,
      -103.9,
      -105, 0.5, -0.5, 2.5, 8388608, 8388607.5, 1e10, -1e10, 3.92, 9.02, 24_999, 25_001, 4096.5, -4096, 177.5, -89.2,
      1.0000001, 0.99999994,
    ]
    var random = SeededGenerator(1)
    for _ in 0..<3000 {
      let magnitude = Float.random(in: -30...30, using: &random)
      values.append(
        (random.int(0...1) == 0 ? 1 : -1)
          * Float(sign: .plus, exponent: Int(magnitude), significand: 1 + abs(random.float())))
      values.append(random.float() * 12)
      values.append(random.float() * 100)
    }
    return values
  }()

  /// How far a result may be from the exact one: units in the last place, or an absolute error where the function is a
  /// difference of larger numbers.
  private static func tolerance(_ function: dlk_unary) -> (ulps: Double, absolute: Double) {
    switch function {
    case DLK_UNARY_ABS, DLK_UNARY_NEGATE, DLK_UNARY_SIGN, DLK_UNARY_FLOOR, DLK_UNARY_CEIL, DLK_UNARY_ROUND,
      DLK_UNARY_IDENTITY, DLK_UNARY_RELU, DLK_UNARY_CLIP, DLK_UNARY_THRESHOLDED_RELU:
      (0, 0)
    case DLK_UNARY_AFFINE, DLK_UNARY_HARD_SIGMOID: (1, 1e-7)
    case DLK_UNARY_SIN, DLK_UNARY_COS: (3, 3e-8)
    case DLK_UNARY_TAN: (5, 3e-8)
    case DLK_UNARY_ASIN, DLK_UNARY_ATAN, DLK_UNARY_SINH: (5, 0)
    case DLK_UNARY_GELU_ERF: (4, 1e-6)
    case DLK_UNARY_GELU_TANH: (20, 3e-10)
    case DLK_UNARY_SILU: (6, 1e-35)
    case DLK_UNARY_HARD_SWISH: (3, 2e-7)
    case DLK_UNARY_TANH, DLK_UNARY_ERF: (6, 0)
    case DLK_UNARY_SIGMOID: (6, 1.2e-38)
    case DLK_UNARY_MISH, DLK_UNARY_SELU, DLK_UNARY_CELU, DLK_UNARY_ELU: (5, 1e-37)
    default: (3, 1e-44)
    }
  }

  @Test(arguments: KernelLibrary.available, 0..<DLK_UNARY_COUNT.rawValue)
  func unaryIsAccurate(isa: ISA, function: Int32) {
    let kernels = KernelLibrary.table(for: isa), function = dlk_unary(rawValue: function)
    let (a, b): (Float, Float) =
      switch function {
      case DLK_UNARY_CLIP: (-0.7, 1.3)
      case DLK_UNARY_SELU: (1.6732632, 1.0507010)
      case DLK_UNARY_HARD_SIGMOID: (0.2, 0.5)
      case DLK_UNARY_SILU: (1, 0)
      default: (0.75, -0.25)
      }
    let x = Guarded(Self.inputs), y = Guarded(Self.inputs)
    kernels.pointee.unary(function, a, b, x.pointer, y.base, Int64(x.count))
    let (ulps, absolute) = Self.tolerance(function)
    for i in 0..<x.count {
      let value = exact(function, a, b, x[i]), rounded = Float(value), got = y[i]
      if rounded.isNaN {
        if !got.isNaN { Issue.record("f(\(x[i])): expected NaN, got \(got)") }
        continue
      }
      if rounded.isInfinite {
        if got != rounded && !(abs(got) >= 3.4e38 && got.sign == rounded.sign) {
          Issue.record("f(\(x[i])): expected \(rounded), got \(got)")
        }
        continue
      }
      let error = abs(Double(got) - value)
      if got != rounded && !(error <= max(absolute, ulps * Double(rounded.ulp))) {
        Issue.record("f(\(x[i])): expected \(value), got \(got), \(error / Double(rounded.ulp)) ulps")
        return
      }
    }
  }

  @Test(arguments: KernelLibrary.available)
  func unaryDoesNotMindNeighbours(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for function in 0..<DLK_UNARY_COUNT.rawValue {
      let x = Guarded<Float>(960) { Float($0) / 48 }, among = Guarded<Float>(960) { $0 % 3 == 0 ? 1e6 : Float($0) / 48 }
      kernels.pointee.unary(dlk_unary(rawValue: function), 0.5, 0.25, x.pointer, x.base, 960)
      kernels.pointee.unary(dlk_unary(rawValue: function), 0.5, 0.25, among.pointer, among.base, 960)
      let isSame = (0..<960).allSatisfy { $0 % 3 == 0 || x[$0] == among[$0] || (x[$0].isNaN && among[$0].isNaN) }
      #expect(isSame, "function \(function)")
    }
  }

  @Test(arguments: KernelLibrary.available)
  func unaryTouchesItsElementsOnly(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for function in 0..<DLK_UNARY_COUNT.rawValue {
      for count in 0...35 {
        for offset in [0, 1] {
          let x = Guarded<Float>(count, fence: offset == 0 ? .behind : .before, offset: offset) { Float($0) / 8 }
          let whole = Guarded<Float>(64) { Float($0) / 8 }
          kernels.pointee.unary(dlk_unary(rawValue: function), 0.5, 0.25, x.pointer, x.base, Int64(count))
          kernels.pointee.unary(dlk_unary(rawValue: function), 0.5, 0.25, whole.pointer, whole.base, 64)
          let isSame = zip(x.array, whole.array).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) }
          #expect(isSame, "function \(function), count \(count)")
        }
      }
    }
  }

  @Test(arguments: KernelLibrary.available)
  func unaryOverRowsIsUnary(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<100 {
      var random = SeededGenerator(seed)
      let rows = random.int(1...4), columns = random.pick([0, 1, 3, 15, 16, 17, 40]), gap = random.int(0...2)
      let function = dlk_unary(rawValue: Int32(random.int(0...Int(DLK_UNARY_COUNT.rawValue) - 1)))
      let x = Guarded<Float>((rows - 1) * (columns + gap) + columns) { _ in random.float() }
      let y = Guarded<Float>((rows - 1) * (columns + 1) + columns) { _ in -77 }
      var args = dlk_unary_args(
        function: function, a: 0.5, b: 0.25, rows: Int64(rows), columns: Int64(columns), x: x.pointer,
        x_row_stride: Int64(columns + gap), y: y.base, y_row_stride: Int64(columns + 1))
      kernels.pointee.unary_rows(&args)
      for row in 0..<rows {
        let line = Guarded<Float>(columns) { x[row * (columns + gap) + $0] }
        kernels.pointee.unary(function, 0.5, 0.25, line.pointer, line.base, Int64(columns))
        for c in 0..<columns {
          let (got, value) = (y[row * (columns + 1) + c], line[c])
          #expect(got == value || (got.isNaN && value.isNaN), "function \(function), columns \(columns)")
        }
        if row < rows - 1 { #expect(y[row * (columns + 1) + columns] == -77) }
      }
    }
  }

  @Test(arguments: KernelLibrary.available)
  func binaryMatchesNaive(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<300 {
      var random = SeededGenerator(seed)
      let rows = random.pick([0, 1, 2, 4, 8, 19]), columns = random.pick([0, 1, 3, 15, 16, 17, 40])
      let function = dlk_binary(rawValue: Int32(random.int(0...Int(DLK_BINARY_COUNT.rawValue) - 1)))
      let (xRow, xColumn) = (random.pick([0, 41]), random.int(0...1)),
        (yRow, yColumn) = (random.pick([0, 43]), random.int(0...1))
      func operand(_ row: Int, _ column: Int) -> Guarded<Float> {
        let count = rows == 0 || columns == 0 ? 0 : (rows - 1) * row + (columns - 1) * column + 1
        return Guarded(count) { _ in random.int(0...9) == 0 ? .nan : random.float() }
      }
      let x = operand(xRow, xColumn), y = operand(yRow, yColumn)
      let out = Guarded<Float>(rows == 0 ? 0 : (rows - 1) * 50 + columns) { _ in 0 }
      var args = dlk_binary_args(
        function: function, rows: Int64(rows), columns: Int64(columns), x: x.pointer, x_row_stride: Int64(xRow),
        x_column_stride: Int64(xColumn), y: y.pointer, y_row_stride: Int64(yRow), y_column_stride: Int64(yColumn),
        out: out.base, out_row_stride: 50)
      kernels.pointee.binary(&args)
      for r in 0..<rows {
        for c in 0..<columns {
          let a = x[r * xRow + c * xColumn], b = y[r * yRow + c * yColumn], got = out[r * 50 + c]
          let value: Float =
            switch function {
            case DLK_BINARY_ADD: a + b
            case DLK_BINARY_SUB: a - b
            case DLK_BINARY_MUL: a * b
            case DLK_BINARY_DIV: a / b
            case DLK_BINARY_MIN: a.isNaN || b.isNaN ? .nan : Swift.min(a, b)
            case DLK_BINARY_MAX: a.isNaN || b.isNaN ? .nan : Swift.max(a, b)
            case DLK_BINARY_POW: Float(pow(Double(a), Double(b)))
            case DLK_BINARY_MOD: fmodf(a, b)
            default: a < 0 ? a * b : a
            }
          let isNear = function == DLK_BINARY_POW && abs(got - value) <= value.ulp
          let isSame = got == value || isNear || (got.isNaN && value.isNaN)
          #expect(isSame, "seed \(seed), \(function.rawValue) of \(a) and \(b)")
        }
      }
    }
  }

  /// Every pair of special numbers, signs of zeros included, and random pairs of all sizes.
  @Test(arguments: KernelLibrary.available, [DLK_BINARY_POW, DLK_BINARY_MOD])
  func powersAndRemaindersAreThoseOfC(isa: ISA, function: dlk_binary) {
    let special: [Float] = [
      0, -0.0, 1, -1, 2, -2, 3, -3, 0.5, -0.5, 2.5, -2.5, .infinity, -.infinity, .nan, .leastNonzeroMagnitude,
      .greatestFiniteMagnitude, 1e9, 16_777_215, 16_777_216, 1e-3, 128, -149, 127.5,
    ]
    var pairs = special.flatMap { x in special.map { (x, $0) } }
    var random = SeededGenerator(3)
    func anything() -> Float { Float(bitPattern: UInt32(truncatingIfNeeded: random.next())) }
    for _ in 0..<5000 {
      pairs.append((anything(), anything()))
      pairs.append((anything(), random.float() * 3))
      pairs.append((random.float() * 5, Float(random.int(-50...50))))
      pairs.append((abs(random.float()) * 10, random.float() * 40))
    }
    let x = Guarded(pairs.map(\.0)), y = Guarded(pairs.map(\.1)), out = Guarded(pairs.map { _ in Float(0) })
    var args = dlk_binary_args(
      function: function, rows: 1, columns: Int64(pairs.count), x: x.pointer, x_row_stride: 0, x_column_stride: 1,
      y: y.pointer, y_row_stride: 0, y_column_stride: 1, out: out.base, out_row_stride: 0)
    KernelLibrary.table(for: isa).pointee.binary(&args)
    for (i, (a, b)) in pairs.enumerated() {
      let got = out[i]
      if function == DLK_BINARY_MOD {
        let value = fmodf(a, b)
        #expect(got.isNaN && value.isNaN || got.bitPattern == value.bitPattern, "\(a) mod \(b): \(got), not \(value)")
        continue
      }
      let exact = pow(Double(a), Double(b))
      let value = Float(exact)
      let isSame = value.isFinite && value != 0 ? abs(Double(got) - exact) <= Double(value.ulp) : got == value
      #expect(
        got.isNaN && value.isNaN || isSame && got.sign == value.sign, "\(a) to the \(b): \(got), not \(exact)")
    }
  }
}
