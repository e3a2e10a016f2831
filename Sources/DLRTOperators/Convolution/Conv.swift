import DLRTGraph

/// ONNX Conv (1, 11, 22): Y[N, M, spatial…] = X[N, C, spatial…] ⋆ W[M, C / group, kernel…] + B[M], for any number of
/// spatial axes. float16, bfloat16, float, double.
package struct Conv: Operator {
  package static let schema = OperatorSchema(
    "Conv", versions: [1, 11, 22], inputs: [("X", "T"), ("W", "T"), ("B?", "T")], outputs: [("Y", "T")],
    types: ["T": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  package let attributes: ConvolutionAttributes

  package init(_ attributes: inout AttributeReader) throws {
    self.attributes = try ConvolutionAttributes(&attributes)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    inference.set(0, type, try attributes.output(inference))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let problem = try attributes.problem(x: planning.shape(0), w: planning.shape(1))
    guard planning.type(0) == .float32 else { return direct(problem, Double.self) }
    // Few input channels a group leave a matrix product nothing to share.
    if problem.inputChannels < 4, problem.outputChannels < 4 { return direct(problem, Float.self) }
    return UnfoldedConvolution(problem, planning).step
  }

  private func direct<T: NumericElement>(_ problem: ConvolutionProblem, _: T.Type) -> Step {
    let loops = DirectConvolution<T>(problem)
    return Step(kernel: "direct", flops: problem.flops) { io in
      let (x, w, y) = (io.input(0, as: T.self), io.input(1, as: T.self), io.output(0, as: T.self))
      let bias = io.hasInput(2) ? io.input(2, as: T.self) : nil
      io.parallel(loops.chunks) { loops.run($0, x: x, w: w, bias: bias, y: y) }
    }
  }
}
