import CKernelSupport
import DLRTGraph

/// ONNX Pow (1–15): x to the power of y, with broadcasting, in x's type; y may have another type.
///
/// Integers to a negative power round towards zero, 0 to a negative power is 0.
package struct Pow: BinaryOperator {
  package static let schema = OperatorSchema(
    "Pow", versions: [1, 7, 12, 13, 15], inputs: [("X", "T"), ("Y", "T1")], outputs: [("Z", "T")],
    types: ["T": [.floats, .indices], "T1": .numeric])

  package let alignment: OperandAlignment

  package init(_ attributes: inout AttributeReader) throws { alignment = try OperandAlignment(&attributes) }

  package var inPlaceInputs: [Int] { [0] }

  package func plan(_ planning: inout Planning) throws -> Step {
    let exponentType = planning.type(1)
    if planning.type(0).isFloat, planning.input(1).count == 1, planning.input(0).count == planning.output(0).count {
      return try scalarStep(planning)
    }
    let isReal = exponentType == .float32
    return try .binary(planning, alignment, isReal ? DLK_BINARY_POW : nil) { type in
      let isWhole = !type.isFloat && !exponentType.isFloat
      let common: DataType = isWhole ? .int64 : type == .float32 && exponentType == .float32 ? .float32 : .float64
      return try Self.loop(type, exponentType, common)
    }
  }

  package func loop(_ type: DataType) throws -> BinaryLoop { try Self.loop(type, type, type) }

  /// One exponent for all, as almost always.
  private func scalarStep(_ planning: Planning) throws -> Step {
    let count = planning.output(0).count
    let type = planning.type(0)
    let exponentType = planning.type(1)
    let loop = try type.dispatch(PowersOfOneExponent(kernels: planning.kernels))
    let chunks = Chunks(count, cost: 4, multiple: 64)
    return Step(kernel: "loop") { io in
      let exponent = Double(element: io.input(1), exponentType)
      let x = io.input(0)
      let y = io.output(0)
      io.parallel(chunks) { range in
        loop(x + range.lowerBound &* type.size, exponent, y + range.lowerBound &* type.size, range.count)
      }
    }
  }

  private typealias ScalarLoop =
    @Sendable (
      _ x: UnsafeRawPointer, _ exponent: Double, _ y: UnsafeMutableRawPointer, _ count: Int
    ) -> Void

  private struct PowersOfOneExponent: FloatTask {
    let kernels: KernelSet

    func run<T: RealElement>(_ type: T.Type) -> ScalarLoop {
      let kernels = kernels
      return { x, exponent, y, count in
        if Self.raise(x.assumingMemoryBound(to: T.self), exponent, y.assumingMemoryBound(to: T.self), count) { return }
        let exponent = T(nearest: exponent)
        if T.self == Float.self {
          kernels.raise(
            x.assumingMemoryBound(to: Float.self), Float(exponent), y.assumingMemoryBound(to: Float.self), count)
        } else {
          let (x, y) = (x.assumingMemoryBound(to: T.self), y.assumingMemoryBound(to: T.self))
          for index in 0..<count { y[index] = T.pow(x[index], exponent) }
        }
      }
    }

    /// The powers that norms and activations are made of; false for all others.
    @_optimize(speed) @inline(never)
    private static func raise<T: RealElement>(
      _ x: UnsafePointer<T>, _ exponent: Double, _ y: UnsafeMutablePointer<T>, _ count: Int
    ) -> Bool {
      switch exponent {
      case 2: for index in 0..<count { y[index] = x[index] * x[index] }
      case 3: for index in 0..<count { y[index] = x[index] * x[index] * x[index] }
      case 0.5:
        // The sum turns −0 into 0, as a power has it.
        for index in 0..<count { y[index] = x[index] == -.infinity ? .infinity : (x[index] + 0).squareRoot() }
      default: return false
      }
      return true
    }
  }

  /// Brings both operands to a common type, block by block, and the result back.
  private static func loop(_ base: DataType, _ exponent: DataType, _ common: DataType) throws -> BinaryLoop {
    let power = try common == .int64 ? powers : common.dispatch(Powers())
    if base == common && exponent == common { return power }
    let block = 128
    let widenBase = ElementConverter(from: base, to: common)
    let widenExponent = ElementConverter(from: exponent, to: common)
    let narrow = ElementConverter(from: common, to: base)
    return { x, y, out, count in
      withUnsafeTemporaryAllocation(byteCount: 3 * block * 8, alignment: 16) { memory in
        guard let bases = memory.baseAddress else { return }
        let exponents = bases + block * 8
        let results = exponents + block * 8
        for start in stride(from: 0, to: count, by: block) {
          let length = min(block, count &- start)
          widenBase(x + start &* base.size, bases, length)
          widenExponent(y + start &* exponent.size, exponents, length)
          power(bases, exponents, results, length)
          narrow(results, out + start &* base.size, length)
        }
      }
    }
  }

  private struct Powers: FloatTask {
    func run<T: RealElement>(_ type: T.Type) -> BinaryLoop {
      { x, y, out, count in
        let x = x.assumingMemoryBound(to: T.self)
        let y = y.assumingMemoryBound(to: T.self)
        let out = out.assumingMemoryBound(to: T.self)
        for index in 0..<count { out[index] = T.pow(x[index], y[index]) }
      }
    }
  }

  private static let powers: BinaryLoop = { x, y, out, count in
    let x = x.assumingMemoryBound(to: Int64.self)
    let y = y.assumingMemoryBound(to: Int64.self)
    let out = out.assumingMemoryBound(to: Int64.self)
    for index in 0..<count { out[index] = power(x[index], y[index]) }
  }

  private static func power(_ base: Int64, _ exponent: Int64) -> Int64 {
    if exponent < 0 {
      switch base {
      case 1: return 1
      case -1: return exponent & 1 == 0 ? 1 : -1
      default: return 0
      }
    }
    var result: Int64 = 1
    var square = base
    var rest = exponent
    while rest > 0 {
      if rest & 1 == 1 { result = result &* square }
      square = square &* square
      rest >>= 1
    }
    return result
  }
}

extension KernelSet {
  fileprivate func raise(
    _ x: UnsafePointer<Float>, _ exponent: Float, _ y: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    var exponent = exponent
    withUnsafePointer(to: &exponent) { exponent in
      var arguments = dlk_binary_args()
      arguments.function = DLK_BINARY_POW
      (arguments.rows, arguments.columns) = (1, Int64(count))
      (arguments.x, arguments.x_column_stride) = (x, 1)
      arguments.y = exponent
      arguments.out = y
      table.pointee.binary(&arguments)
    }
  }
}
