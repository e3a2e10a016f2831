import DLRTGraph

/// ONNX QLinearConv (10): a convolution of int8 or uint8 tensors with an exact int32 sum and bias, rescaled (halves to
/// even) and saturated to the output's type. Scale and zero point of the weights may be one for each output channel.
package struct QLinearConv: Operator {
  package static let schema = OperatorSchema(
    "QLinearConv", versions: [10],
    inputs: [
      ("x", "T1"), ("x_scale", "F"), ("x_zero_point", "T1"), ("w", "T2"), ("w_scale", "F"), ("w_zero_point", "T2"),
      ("y_scale", "F"), ("y_zero_point", "T3"), ("B?", "T4"),
    ],
    outputs: [("y", "T3")],
    types: [
      "T1": TypeSet(.int8, .uint8), "T2": TypeSet(.int8, .uint8), "T3": TypeSet(.int8, .uint8), "T4": .int32,
      "F": .float32,
    ])

  package let attributes: ConvolutionAttributes

  package init(_ attributes: inout AttributeReader) throws {
    self.attributes = try ConvolutionAttributes(&attributes)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(7)
    inference.setType(0, type)
    let output = try attributes.output(inference, x: 0, w: 3, bias: 8)
    for index in [1, 2, 6, 7] { try QuantizedConvolution.checkScalar(inference, index) }
    for index in [4, 5] { try QuantizedConvolution.checkPerChannel(inference, index, channels: output[1]) }
    inference.set(0, type, output)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let problem = try attributes.problem(x: planning.shape(0), w: planning.shape(3))
    let convolution = QuantizedConvolution(problem, planning, x: 0, w: 3, wZero: 5)
    let scaleStep = planning.input(4).count == 1 ? 0 : 1
    let size = problem.geometry.outputSize
    let channels = problem.groups * problem.outputChannels
    let chunks = Chunks(problem.batch * channels, cost: Double(size))
    let requantizing = Requantizing(planning.outputType(0), planning.kernels)
    return Step(
      kernel: convolution.name, flops: problem.flops,
      workspace: convolution.workspace + convolution.outputCount * 4
    ) { io in
      let sums = (io.workspace + convolution.workspace).assumingMemoryBound(to: Int32.self)
      let bias = io.hasInput(8) ? io.input(8, as: Int32.self) : nil
      convolution.run(io, xZero: 2, wZero: 5, bias: bias, y: sums)
      let scale = Requantizing.Scale(values: io.input(1, as: Float.self), step: 0)
      let weightScales = io.input(4, as: Float.self)
      let resultScale = io.input(6, as: Float.self)[0]
      let (zero, output) = (io.input(7), io.output(0))
      io.parallel(chunks) { range in
        for plane in range {
          let whole = sums + plane &* size
          let floats = UnsafeMutableRawPointer(whole).assumingMemoryBound(to: Float.self)
          for index in 0..<size { floats[index] = Float(whole[index]) }
          let weights = Requantizing.Scale(values: weightScales + plane % channels &* scaleStep, step: 0)
          requantizing.run(
            floats, scale, weights, resultScale, zero: zero, output + plane &* size, size)
        }
      }
    }
  }
}
