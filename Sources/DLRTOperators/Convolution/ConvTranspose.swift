import CKernelSupport
import DLRTGraph

/// ONNX ConvTranspose (1, 11, 22): the gradient of a convolution with respect to its input, as an operator of its own:
/// Y[N, M, spatial…] from X[N, C, spatial…], W[C, M / group, kernel…] and B[M]. float16, bfloat16, float, double.
package struct ConvTranspose: Operator {
  package static let schema = OperatorSchema(
    "ConvTranspose", versions: [1, 11, 22], inputs: [("X", "T"), ("W", "T"), ("B?", "T")], outputs: [("Y", "T")],
    types: ["T": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let attributes: TransposedConvolutionAttributes

  package init(_ attributes: inout AttributeReader) throws {
    self.attributes = try TransposedConvolutionAttributes(&attributes)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    inference.set(0, type, try attributes.output(try inference.shape(0), try inference.shape(1), inference))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let problem = try attributes.problem(x: planning.shape(0), w: planning.shape(1))
    guard planning.type(0) == .float32 else { return scattered(problem, Double.self) }
    if problem.inputChannels < 4 { return scattered(problem, Float.self) }
    return try FoldedConvolution(problem, planning).step(planning)
  }

  private func scattered<T: NumericElement>(_ problem: ConvolutionProblem, _: T.Type) -> Step {
    let loops = ScatteredConvolution<T>(problem)
    return Step(kernel: "direct", flops: problem.flops) { io in
      let (x, w, y) = (io.input(0, as: T.self), io.input(1, as: T.self), io.output(0, as: T.self))
      let bias = io.hasInput(2) ? io.input(2, as: T.self) : nil
      io.parallel(loops.chunks) { loops.run($0, x: x, w: w, bias: bias, y: y) }
    }
  }
}

/// A transposed convolution of planes by plain loops, each input row scattered to the output rows it meets.
struct ScatteredConvolution<T: NumericElement>: Sendable {
  let problem: ConvolutionProblem
  private let rows: WindowRows
  let chunks: Chunks

  init(_ problem: ConvolutionProblem) {
    self.problem = problem
    rows = WindowRows(problem.geometry)
    let planes = problem.batch &* problem.groups &* problem.outputChannels
    chunks = Chunks(planes, cost: Double(problem.flops) / Double(max(planes, 1)) * 0.4)
  }

  /// y = x ⋆ᵀ w + bias for a part of all output planes.
  func run(
    _ range: Range<Int>, x: UnsafePointer<T>, w: UnsafePointer<T>, bias: UnsafePointer<T>?, y: UnsafeMutablePointer<T>
  ) {
    // The geometry is the forward window's, whose input is this operator's output.
    let (outputSize, inputSize) = (problem.geometry.inputSize, problem.geometry.outputSize)
    let taps = problem.geometry.kernelSize
    let channels = problem.groups &* problem.outputChannels
    for plane in range {
      let (image, channel) = (plane / channels, plane % channels)
      let result = y + plane &* outputSize
      result.update(repeating: bias?[channel] ?? 0, count: outputSize)
      let group = channel / problem.outputChannels
      for inner in 0..<problem.inputChannels {
        let inputChannel = group &* problem.inputChannels &+ inner
        let source = x + (image &* problem.groups &* problem.inputChannels &+ inputChannel) &* inputSize
        let weights = w + (inputChannel &* problem.outputChannels &+ channel % problem.outputChannels) &* taps
        for row in 0..<rows.count {
          let line = source + row &* rows.width
          rows.forEachTap(of: row) { start, tap, column in
            let target = result + start
            let weight = weights[tap]
            for x in column.lower..<column.upper {
              let place = x &* rows.stride
              target[place] = T.add(target[place], T.multiply(line[x], weight))
            }
          }
        }
      }
    }
  }
}
