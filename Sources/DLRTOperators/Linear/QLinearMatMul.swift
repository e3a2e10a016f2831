import DLRTGraph

/// ONNX QLinearMatMul (10–21): the matrix product of quantised operands, quantised again:
/// y = saturate(round((a − a_zero)(b − b_zero) · a_scale · b_scale / y_scale) + y_zero). Scales and zero points are
/// scalars, or one per row of a and per column of b. Operands are 8-bit integers or 8-bit floats.
package struct QLinearMatMul: Operator {
  private static let integers = TypeSet(.int8, .uint8)
  private static let bytes: TypeSet = [integers, .float8s]

  package static let schema = OperatorSchema(
    "QLinearMatMul", versions: [10, 21],
    inputs: [
      ("a", "T1"), ("a_scale", "TS"), ("a_zero_point", "T1"), ("b", "T2"), ("b_scale", "TS"), ("b_zero_point", "T2"),
      ("y_scale", "TS"), ("y_zero_point", "T3"),
    ],
    outputs: [("y", "T3")],
    types: [
      "T1": bytes, "T2": bytes, "T3": bytes, "TS": [.float32, .halfFloats],
    ])
  package static let promotedTypes = TypeSet.halfFloats

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(7)
    inference.setType(0, type)
    let shape = try inference.matmulShape(0, 3)
    for index in [1, 2] { try QuantizedOperand.check(&inference, index, of: 0, perRow: true) }
    for index in [4, 5] { try QuantizedOperand.check(&inference, index, of: 3, perRow: false) }
    for index in [6, 7] {
      let joint = try inference.broadcast(shape, try inference.shape(index), inference.name(index))
      // A single number may come as a vector, even for a scalar result.
      let isSingle = try inference.shape(index).elementCount == 1
      guard isSingle || joint.rank == shape.rank else {
        throw DLRTError(.invalidModel, "does not fit the result", tensor: inference.name(index), expected: "\(shape)")
      }
    }
    inference.set(0, type, shape)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    if Self.integers.contains(planning.type(0)), Self.integers.contains(planning.type(3)) {
      let result = ByteConvolution.Roles.Result(bias: nil, xScale: 1, wScale: 4, scale: 6, zero: 7)
      let roles = ByteConvolution.Roles(x: 0, xZero: 2, w: 3, wZero: 5, result: result)
      if let step = try ByteProduct.step(planning, roles) { return step }
    }
    let a = QuantizedOperand(planning, 0, zeroPoint: 2, perRow: true)
    let b = QuantizedOperand(planning, 3, zeroPoint: 5, perRow: false)
    let output = planning.output(0)
    // A result without row or column axis (a vector operand) can only have single parameters there.
    let walk = Broadcast(
      output: output.shape,
      inputs: [
        QuantizedOperand.aligned(planning.shape(1), planning.shape(0), perRow: true),
        QuantizedOperand.aligned(planning.shape(4), planning.shape(3), perRow: false),
        QuantizedOperand.aligned(planning.shape(6), output.shape, perRow: false),
        QuantizedOperand.aligned(planning.shape(7), output.shape, perRow: false),
      ])
    let requantization = Requantization(walk: walk, type: planning.outputType(0), kernels: planning.kernels)
    if !TypeSet.integers.contains(planning.type(0)) || !TypeSet.integers.contains(planning.type(3)) {
      let product = MatrixProduct(matmul: planning.shape(0), planning.shape(3))
      let sums = a.count + b.count
      let used = sums + output.count
      return Step(
        kernel: "matmul-quantized", flops: product.flops, workspace: (used + product.loopWorkspace) * 4
      ) { io in
        let wide = io.workspace.assumingMemoryBound(to: Float.self)
        a.widen(io, wide)
        b.widen(io, wide + a.count)
        product.runLoops(io, wide, wide + a.count, wide + sums, scratch: wide + used)
        requantization.run(io, wide + sums)
      }
    }
    let product = try QuantizedProduct(planning, a: a, b: b, bZero: 5)
    return Step(
      kernel: "\(planning.kernels.isa.name)-int16-product", flops: product.flops,
      workspace: product.workspace + output.count * 4, skippedInputs: product.skippedInputs
    ) { io in
      let sums = (io.workspace + product.workspace).assumingMemoryBound(to: Int32.self)
      product.run(io, sums)
      requantization.run(io, sums)
    }
  }
}

/// From sums to quantised results.
private struct Requantization: Sendable {
  /// Walks a_scale, b_scale, y_scale and y_zero_point beside the results.
  let walk: Broadcast
  let type: DataType
  let kernels: KernelSet

  func run(_ io: borrowing StepIO, _ sums: UnsafeMutablePointer<Int32>) {
    let floats = UnsafeMutableRawPointer(sums).assumingMemoryBound(to: Float.self)
    for index in 0..<walk.count { floats[index] = Float(sums[index]) }
    run(io, floats)
  }

  /// Bytes with one scale and zero point go through the kernel.
  func run(_ io: borrowing StepIO, _ sums: UnsafeMutablePointer<Float>) {
    let (a, b, y) = (io.input(1, as: Float.self), io.input(4, as: Float.self), io.input(6, as: Float.self))
    let (zeros, target) = (io.input(7), io.output(0))
    let steps = walk.innerStrides
    let isPlain = type.size == 1 && TypeSet.integers.contains(type) && steps[2] == 0 && steps[3] == 0
    let requantizing = Requantizing(type, kernels)
    io.parallel(Chunks(walk.count, cost: 1, multiple: 64)) { range in
      walk.forEachRun(in: range) { position, length, offsets in
        let left = Requantizing.Scale(values: a + offsets[0], step: steps[0])
        let right = Requantizing.Scale(values: b + offsets[1], step: steps[1])
        if isPlain {
          return requantizing.run(
            sums + position, left, right, y[offsets[2]], zero: zeros + offsets[3], target + position, length)
        }
        for index in 0..<length {
          let scale =
            left.values[index &* steps[0]] * right.values[index &* steps[1]] / y[offsets[2] &+ index &* steps[2]]
          store(sums[position &+ index], scale, zeros, offsets[3] &+ index &* steps[3], target, position &+ index)
        }
      }
    }
  }

  @inline(__always)
  private func store(
    _ sum: Float, _ scale: Float, _ zeros: UnsafeRawPointer, _ zero: Int, _ target: UnsafeMutableRawPointer,
    _ place: Int
  ) {
    let value = sum * scale
    switch type {
    case .int8:
      let shift = Double(zeros.load(fromByteOffset: zero, as: Int8.self))
      target.storeBytes(
        of: Int8(nearest: Double(value).rounded(.toNearestOrEven) + shift), toByteOffset: place, as: Int8.self)
    case .uint8:
      let shift = Double(zeros.load(fromByteOffset: zero, as: UInt8.self))
      target.storeBytes(
        of: UInt8(nearest: Double(value).rounded(.toNearestOrEven) + shift), toByteOffset: place, as: UInt8.self)
    default:
      var shift: Float = 0
      FloatCodec.decode(type, zeros + zero, &shift, 1)
      var result = value + shift
      FloatCodec.encode(type, &result, target + place, 1)
    }
  }
}
