import DLRTGraph

/// ONNX QuantizeLinear (10–28): saturate(round(x / scale) + zero point), halves to even, by one scale for the tensor,
/// for each index of an axis, or for each block along it. x is float32, float16, bfloat16 or int32; the result has
/// 2 to 16 bits, integer or float. Computed in float32, for int32 input in float64.
package struct QuantizeLinear: Operator {
  package static let schema = OperatorSchema(
    "QuantizeLinear", versions: [10, 13, 19, 21, 23, 24, 25, 28],
    inputs: [("x", "T1"), ("y_scale", "T2"), ("y_zero_point?", "T3")], outputs: [("y", "T3")],
    types: [
      "T1": [.halfFloats, .float32, .int32], "T2": [.halfFloats, .float32, .int32, TypeSet(.float8e8m0)],
      "T3": .quantized,
    ])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let attributes: QuantizationAttributes
  private let rounding: FloatRounding

  package init(_ attributes: inout AttributeReader) throws {
    self.attributes = try QuantizationAttributes(&attributes)
    rounding = FloatRounding(saturates: try attributes.flag("saturate", default: true))
    // Names a precision for the division; float32 holds each one that is allowed.
    if let precision = try attributes.optionalDataType("precision") {
      guard TypeSet.floats.contains(precision) else {
        throw DLRTError(.invalidModel, "no float type", tensor: "precision", got: precision.name)
      }
    }
  }

  package func infer(_ inference: inout Inference) throws {
    let type = inference.has(2) ? try inference.type(2) : attributes.outputType ?? .uint8
    guard TypeSet.quantized.contains(type) else {
      throw DLRTError(
        .invalidModel, "element type is not supported", tensor: "output_dtype", expected: "one of \(TypeSet.quantized)",
        got: type.name)
    }
    if let wanted = attributes.outputType, wanted != type {
      throw DLRTError(
        .invalidModel, "differs from the zero point's type", tensor: "output_dtype", expected: type.name,
        got: wanted.name)
    }
    inference.setType(0, type)
    let shape = try inference.shape(0)
    try QuantizationGrain.check(inference, axis: attributes.axis, blockSize: attributes.blockSize)
    inference.set(0, type, shape)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let grain = attributes.grain(planning)
    let source = planning.type(0)
    let real: DataType = source == .int32 ? .float64 : .float32
    let type = planning.outputType(0)
    let isByte = real == .float32 && (type == .int8 || type == .uint8)
    let loop =
      isByte ? planning.kernels.quantizing(type) : try real.dispatch(Quantizing(type: type, rounding: rounding))
    let scales = ScaleReader(planning, count: grain.scales, as: real)
    let widen = ElementConverter(from: source, to: real)
    let block = 256
    let kernel = isByte ? "\(planning.kernels.isa.name)-\(type)-quantize" : "loop"
    return Step(kernel: kernel, workspace: scales.workspace) { io in
      let scale = scales.read(io)
      let zero = io.hasInput(2) ? io.input(2) : nil
      let x = io.input(0)
      let y = io.output(0)
      io.parallel(Chunks(grain.count, cost: 1, multiple: 64)) { range in
        grain.forEachRun(in: range) { position, length, index, stride in
          let scale = scale + index &* real.size
          let zero = zero.map { $0 + index &* type.size }
          if source == real {
            loop(x + position &* real.size, scale, zero, stride, y + position &* type.size, length)
            return
          }
          withUnsafeTemporaryAllocation(byteCount: block * real.size, alignment: 16) { memory in
            guard let wide = memory.baseAddress else { return }
            for start in Swift.stride(from: 0, to: length, by: block) {
              let place = position &+ start
              let part = min(block, length &- start)
              widen(x + place &* source.size, wide, part)
              loop(
                wide, scale + start &* stride &* real.size, zero.map { $0 + start &* stride &* type.size }, stride,
                y + place &* type.size, part)
            }
          }
        }
      }
    }
  }
}

extension TypeSet {
  /// What QuantizeLinear makes.
  static let quantized: TypeSet = [
    TypeSet(.int8, .uint8, .int16, .uint16, .float4e2m1, .float6e2m3, .float6e3m2), .float8s, .subByteIntegers,
  ]
}

/// Brings scales into the type of the computation.
struct ScaleReader: Sendable {
  private let convert: ElementConverter
  private let count: Int
  private let isDirect: Bool

  init(_ planning: Planning, count: Int, as type: DataType) {
    convert = ElementConverter(from: planning.type(1), to: type)
    self.count = count
    isDirect = planning.type(1) == type
  }

  var workspace: Int { isDirect ? 0 : count &* convert.target.size }

  func read(_ io: borrowing StepIO) -> UnsafeRawPointer {
    if isDirect { return io.input(1) }
    convert(io.input(1), io.workspace, count)
    return UnsafeRawPointer(io.workspace)
  }
}
