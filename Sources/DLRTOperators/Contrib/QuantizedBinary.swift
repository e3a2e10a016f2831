import DLRTGraph

/// An operator of two quantised operands that broadcast, whose result is quantised again. Inputs: a, its scale and zero
/// point, the same of b, then the result's; all parameters are single numbers.
///
/// The arithmetic is ONNX Runtime's to the unit, so that models which its tools quantised give what they were checked
/// with: ratios of scales are rounded first, and a result is rounded once.
package protocol QuantizedBinaryOperator: Operator {
  /// What the scales and zero points make of all elements.
  associatedtype Formula: QuantizedFormula
}

package protocol QuantizedFormula: Sendable {
  /// Scales and zero points of a, b and the result.
  init(_ scales: InlineArray<3, Float>, _ zeros: InlineArray<3, Float>)
  /// The result before it is rounded.
  func callAsFunction(_ a: Float, _ b: Float) -> Float
}

extension QuantizedBinaryOperator {
  package func infer(_ inference: inout Inference) throws { try inference.quantizedBinary() }

  package func plan(_ planning: inout Planning) throws -> Step {
    .quantizedBinary(planning, QuantizedLoop<Formula>.loop(isSigned: planning.type(0) == .int8))
  }
}

extension OperatorSchema {
  static func quantizedBinary(_ name: String) -> OperatorSchema {
    microsoft(
      name,
      [
        ("A", "T"), ("A_scale", "S"), ("A_zero_point?", "T"), ("B", "T"), ("B_scale", "S"), ("B_zero_point?", "T"),
        ("C_scale", "S"), ("C_zero_point?", "T"),
      ],
      [("C", "T")], ["T": TypeSet(.int8, .uint8), "S": .float32])
  }
}

extension Inference {
  @inline(never)
  fileprivate mutating func quantizedBinary() throws {
    let type = try type(0)
    setType(0, type)
    for index in [1, 2, 4, 5, 6, 7] where has(index) {
      let shape = try shape(index)
      guard !shape.elementCount.provablyDiffers(1) else {
        throw DLRTError(.unsupportedModel, "not a single number", tensor: name(index), expected: "[]", got: "\(shape)")
      }
    }
    set(0, type, try broadcast([0, 3]))
  }
}

private typealias QuantizedBinaryLoop =
  @Sendable (
    _ scales: InlineArray<3, Float>, _ zeros: InlineArray<3, Float>, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer,
    _ out: UnsafeMutableRawPointer, _ count: Int
  ) -> Void

extension Step {
  @inline(never)
  fileprivate static func quantizedBinary(_ planning: Planning, _ loop: @escaping QuantizedBinaryLoop) -> Step {
    let walk = Broadcast(output: planning.output(0).shape, inputs: [planning.shape(0), planning.shape(3)])
    let chunks = Chunks(walk.count, cost: 1, multiple: 64)
    let type = planning.type(0)
    return Step(kernel: "loop") { io in
      let scales = InlineArray<3, Float> { io.input([1, 4, 6][$0], as: Float.self).pointee }
      let zeros = InlineArray<3, Float> { index in
        let input = [2, 5, 7][index]
        return io.hasInput(input) ? Float(element: io.input(input), type) : 0
      }
      let out = io.output(0)
      io.parallel(chunks) { range in
        walk.forEachBlock(
          in: range, [BlockOperand(io.input(0), size: 1), BlockOperand(io.input(3), size: 1)], out, outputSize: 1
        ) { inputs, out, count in loop(scales, zeros, inputs[0], inputs[1], out, count) }
      }
    }
  }
}

private enum QuantizedLoop<Formula: QuantizedFormula> {
  static func loop(isSigned: Bool) -> QuantizedBinaryLoop {
    { scales, zeros, a, b, out, count in
      combine(
        Formula(scales, zeros), a.assumingMemoryBound(to: UInt8.self), b.assumingMemoryBound(to: UInt8.self),
        out.assumingMemoryBound(to: UInt8.self), count, isSigned ? 128 : 0)
    }
  }

  /// - Parameter offset: 128 for signed bytes, which with their highest bit inverted are that much greater.
  @_optimize(speed) @inline(never)
  private static func combine(
    _ formula: Formula, _ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<UInt8>,
    _ count: Int, _ offset: UInt8
  ) {
    let shift = Int32(offset)
    let (least, greatest) = (Float(0 &- shift), Float(255 &- shift))
    for index in 0..<count {
      let value = formula(Float(Int32(a[index] ^ offset) &- shift), Float(Int32(b[index] ^ offset) &- shift))
      // NaN, which a scale of zero or infinity gives, becomes the least value.
      let raised = value > least ? value : least
      out[index] = UInt8(truncatingIfNeeded: Float.nearestInteger(raised < greatest ? raised : greatest))
    }
  }
}
