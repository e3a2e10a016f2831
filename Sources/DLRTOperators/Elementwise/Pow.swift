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
    let left = planning.shape(0)
    let walk = Broadcast(
      output: planning.output(0).shape, inputs: [left, alignment.aligned(planning.shape(1), rank: left.count)])
    let exponentType = planning.type(1)
    let run = try BinaryRun(planning, walk, kernel: nil) { type in
      let isWhole = !type.isFloat && !exponentType.isFloat
      let common: DataType = isWhole ? .int64 : type == .float32 && exponentType == .float32 ? .float32 : .float64
      return try Self.loop(type, exponentType, common)
    }
    return Step(kernel: run.name) { io in run(io, io.input(0), io.input(1), io.output(0)) }
  }

  package func loop(_ type: DataType) throws -> BinaryLoop { try Self.loop(type, type, type) }

  /// Brings both operands to a common type, block by block, and the result back.
  private static func loop(_ base: DataType, _ exponent: DataType, _ common: DataType) throws -> BinaryLoop {
    let power = try common == .int64 ? powers : common.dispatch(Powers())
    if base == common && exponent == common { return power }
    let block = 128
    let widenBase = ElementConverter(from: base, to: common)
    let widenExponent = ElementConverter(from: exponent, to: common)
    let narrow = ElementConverter(from: common, to: base)
    return { x, xStride, y, yStride, out, count in
      withUnsafeTemporaryAllocation(byteCount: 3 * block * 8, alignment: 16) { memory in
        guard let bases = memory.baseAddress else { return }
        let exponents = bases + block * 8
        let results = exponents + block * 8
        var start = 0
        while start < count {
          let length = min(block, count - start)
          widenBase(x + start * xStride * base.size, bases, xStride == 0 ? 1 : length)
          widenExponent(y + start * yStride * exponent.size, exponents, yStride == 0 ? 1 : length)
          power(bases, xStride, exponents, yStride, results, length)
          narrow(results, out + start * base.size, length)
          start += length
        }
      }
    }
  }

  private struct Powers: FloatTask {
    func run<T: RealElement>(_ type: T.Type) -> BinaryLoop {
      { x, xStride, y, yStride, out, count in
        let x = x.assumingMemoryBound(to: T.self)
        let y = y.assumingMemoryBound(to: T.self)
        let out = out.assumingMemoryBound(to: T.self)
        guard yStride == 0, count > 0 else {
          for index in 0..<count { out[index] = T.pow(x[index &* xStride], y[index &* yStride]) }
          return
        }
        // The powers that norms and activations are made of.
        let power = y[0]
        if power == 2 {
          for index in 0..<count { out[index] = x[index &* xStride] * x[index &* xStride] }
        } else if power == 3 {
          for index in 0..<count {
            let base = x[index &* xStride]
            out[index] = base * base * base
          }
        } else if power == 0.5 {
          // The sum turns −0 into 0, as a power has it.
          for index in 0..<count {
            let base = x[index &* xStride]
            out[index] = base == -.infinity ? .infinity : (base + 0).squareRoot()
          }
        } else {
          for index in 0..<count { out[index] = T.pow(x[index &* xStride], power) }
        }
      }
    }
  }

  private static let powers: BinaryLoop = { x, xStride, y, yStride, out, count in
    let x = x.assumingMemoryBound(to: Int64.self)
    let y = y.assumingMemoryBound(to: Int64.self)
    let out = out.assumingMemoryBound(to: Int64.self)
    for index in 0..<count { out[index] = power(x[index &* xStride], y[index &* yStride]) }
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
