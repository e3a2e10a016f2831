import CKernelSupport
import DLRTGraph

/// An operator of two quantised operands that broadcast, whose result is quantised again. Inputs: a, its scale and zero
/// point, the same of b, then the result's; all parameters are single numbers.
///
/// The arithmetic is ONNX Runtime's to the unit, so that models which its tools quantised give what they were checked
/// with: ratios of scales are rounded first, and a result is rounded once.
package protocol QuantizedBinaryOperator: Operator {
  /// What the scales and zero points of a, b and the result make of all elements.
  static func formula(_ scales: InlineArray<3, Float>, _ zeros: InlineArray<3, Float>) -> dlk_byte_binary_args
}

extension QuantizedBinaryOperator {
  package func infer(_ inference: inout Inference) throws { try inference.quantizedBinary() }

  package func plan(_ planning: inout Planning) throws -> Step {
    .quantizedBinary(planning, Self.formula)
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

extension Step {
  @inline(never)
  fileprivate static func quantizedBinary(
    _ planning: Planning,
    _ formula: @escaping @Sendable (InlineArray<3, Float>, InlineArray<3, Float>) -> dlk_byte_binary_args
  ) -> Step {
    let kernels = planning.kernels
    let walk = Broadcast(output: planning.output(0).shape, inputs: [planning.shape(0), planning.shape(3)])
    let chunks = Chunks(walk.count, cost: 1, multiple: 64)
    let type = planning.type(0)
    return Step(kernel: "\(kernels.isa.name)-byte-binary") { io in
      let scales = InlineArray<3, Float> { io.input([1, 4, 6][$0], as: Float.self).pointee }
      let zeros = InlineArray<3, Float> { index in
        let input = [2, 5, 7][index]
        return io.hasInput(input) ? Float(element: io.input(input), type) : 0
      }
      var args = formula(scales, zeros)
      args.is_signed = type == .int8 ? 1 : 0
      let whole = args
      let out = io.output(0)
      io.parallel(chunks) { range in
        walk.forEachBlock(
          in: range, [BlockOperand(io.input(0), size: 1), BlockOperand(io.input(3), size: 1)], out, outputSize: 1
        ) { inputs, out, count in
          var own = whole
          (own.count, own.a, own.b, own.y) = (Int64(count), inputs[0], inputs[1], out)
          kernels.table.pointee.byte_binary(&own)
        }
      }
    }
  }
}
