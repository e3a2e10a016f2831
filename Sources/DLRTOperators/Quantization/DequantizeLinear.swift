import CKernelSupport
import DLRTGraph

/// ONNX DequantizeLinear (10–28): (x − zero point) · scale, by one scale for the tensor, for each index of an axis, or for
/// each block along it. x is an integer of 2 to 32 bits or a small float; computed in float32.
package struct DequantizeLinear: Operator {
  package static let schema = OperatorSchema(
    "DequantizeLinear", versions: [10, 13, 19, 21, 23, 24, 25, 28],
    inputs: [("x", "T1"), ("x_scale", "T2"), ("x_zero_point?", "T1")], outputs: [("y", "T3")],
    types: [
      "T1": [.quantized, .int32], "T2": [.halfFloats, .float32, TypeSet(.float8e8m0)], "T3": [.halfFloats, .float32],
    ])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let attributes: QuantizationAttributes

  package init(_ attributes: inout AttributeReader) throws {
    self.attributes = try QuantizationAttributes(&attributes)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try attributes.outputType ?? inference.type(1)
    guard TypeSet([.halfFloats, .float32]).contains(type) else {
      throw DLRTError(
        .invalidModel, "element type is not supported", tensor: "output_dtype", expected: "float16, bfloat16, float",
        got: type.name)
    }
    inference.setType(0, type)
    let shape = try inference.shape(0)
    try QuantizationGrain.check(inference, axis: attributes.axis, blockSize: attributes.blockSize)
    inference.set(0, type, shape)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let grain = attributes.grain(planning)
    let type = planning.type(0)
    let isByte = type.size == 1 && type.isInteger
    let loop = isByte ? Self.bytes(type, planning.kernels) : Self.loop(type)
    let scales = ScaleReader(planning, count: grain.scales, as: .float32)
    let kernel = isByte ? "\(planning.kernels.isa.name)-\(type)-dequantize" : "loop"
    return Step(kernel: kernel, workspace: scales.workspace) { io in
      let scale = scales.read(io).assumingMemoryBound(to: Float.self)
      let zero = io.hasInput(2) ? io.input(2) : nil
      let x = io.input(0)
      let y = io.output(0, as: Float.self)
      io.parallel(Chunks(grain.count, cost: 1, multiple: 64)) { range in
        grain.forEachRun(in: range) { position, length, index, stride in
          loop(
            x + position &* type.size, scale + index, zero.map { $0 + index &* type.size }, stride, y + position,
            length)
        }
      }
    }
  }

  private typealias Loop =
    @Sendable (
      _ x: UnsafeRawPointer, _ scale: UnsafePointer<Float>, _ zero: UnsafeRawPointer?, _ stride: Int,
      _ y: UnsafeMutablePointer<Float>, _ count: Int
    ) -> Void

  /// Types below eight bits are bytes in memory, so the kernel does for them too.
  private static func bytes(_ type: DataType, _ kernels: KernelSet) -> Loop {
    let run = kernels.table.pointee.dequantize
    let isSigned: Int32 = type.isSignedInteger ? 1 : 0
    return { x, scale, zero, stride, y, count in
      var arguments = dlk_dequantize_args(
        count: Int64(count), x: x, scale: scale, zero: zero, scale_stride: Int64(stride), is_signed: isSigned, y: y)
      run(&arguments)
    }
  }

  private static func loop(_ type: DataType) -> Loop {
    switch type {
    case .int16: integers(Int16.self)
    case .uint16: integers(UInt16.self)
    case .int32: integers(Int32.self)
    default: floats(type)
    }
  }

  private static func integers<T: FixedWidthInteger & Sendable>(_ type: T.Type) -> Loop {
    { x, scale, zero, stride, y, count in
      let x = x.assumingMemoryBound(to: T.self)
      let zero = zero?.assumingMemoryBound(to: T.self)
      if stride == 0 {
        let (scale, zero) = (scale.pointee, zero.map { Int32(truncatingIfNeeded: $0.pointee) } ?? 0)
        for index in 0..<count { y[index] = Float(Int32(truncatingIfNeeded: x[index]) &- zero) * scale }
      } else {
        for index in 0..<count {
          let zero = zero.map { Int32(truncatingIfNeeded: $0[index]) } ?? 0
          y[index] = Float(Int32(truncatingIfNeeded: x[index]) &- zero) * scale[index]
        }
      }
    }
  }

  private static func floats(_ type: DataType) -> Loop {
    { x, scale, zero, stride, y, count in
      FloatCodec.decode(type, x, y, count)
      for index in 0..<count {
        let zero = zero.map { Float(element: $0 + index &* stride, type) } ?? 0
        y[index] = (y[index] - zero) * scale[index &* stride]
      }
    }
  }
}
