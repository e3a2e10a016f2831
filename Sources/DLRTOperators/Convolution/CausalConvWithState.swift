import CKernelSupport
import DLRTGraph

/// ONNX CausalConvWithState (27): a depthwise convolution over time that sees the present and the past only.
/// input `[N, C, L]`, weight `[C, 1, k]`, bias `[C]`, past_state `[N, C, k − 1]` (zeros when absent); the second output
/// holds the last k − 1 inputs for the next call. float16, bfloat16, float.
package struct CausalConvWithState: Operator {
  package static let schema = OperatorSchema(
    "CausalConvWithState", versions: [27],
    inputs: [("input", "T"), ("weight", "T"), ("bias?", "T"), ("past_state?", "T")],
    outputs: [("output", "T"), ("present_state", "T")], types: ["T": [.halfFloats, .float32]])
  package static var promotedTypes: TypeSet { .halfFloats }

  private enum Activation: String, CaseIterable {
    case none, silu, swish
  }

  private let isActivated: Bool

  package init(_ attributes: inout AttributeReader) throws {
    isActivated = try attributes.choice("activation", default: Activation.none) != .none
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    inference.setType(1, type)
    let input = try inference.shape(0, rank: 3)
    let weight = try inference.shape(1, rank: 3)
    try check(inference, 1, weight, [input[1], 1, weight[2]])
    if weight[2].value == 0 {
      throw DLRTError(.invalidModel, "the kernel is empty", tensor: inference.name(1), got: "\(weight)")
    }
    let state = Shape([input[0], input[1], weight[2] - 1])
    if inference.has(2) { try check(inference, 2, try inference.shape(2, rank: 1), [input[1]]) }
    if inference.has(3) { try check(inference, 3, try inference.shape(3, rank: 3), state) }
    inference.set(0, type, input)
    inference.set(1, type, state)
  }

  private func check(_ inference: borrowing Inference, _ index: Int, _ shape: Shape, _ expected: Shape) throws {
    for (dim, wanted) in zip(shape.dims, expected.dims) where dim.provablyDiffers(wanted) {
      throw DLRTError(
        .invalidModel, "wrong shape", tensor: inference.name(index), expected: "\(expected)", got: "\(shape)")
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let loops = CausalLoops(
      channels: shape[1], length: shape[2], kernel: planning.shape(1)[2], wantsOutput: planning.wants(output: 0),
      wantsState: planning.wants(output: 1))
    let isActivated = isActivated
    let kernels = planning.kernels
    let chunks = Chunks(shape[0] * shape[1], cost: Double(shape[2]) * Double(loops.kernel + (isActivated ? 2 : 0)))
    let flops = 2 * shape.product * loops.kernel
    return Step(kernel: "direct", flops: flops) { io in
      let (input, weight) = (io.input(0, as: Float.self), io.input(1, as: Float.self))
      let bias = io.hasInput(2) ? io.input(2, as: Float.self) : nil
      let past = io.hasInput(3) ? io.input(3, as: Float.self) : nil
      let (output, present) = (io.output(0, as: Float.self), io.output(1, as: Float.self))
      io.parallel(chunks) { range in
        for plane in range {
          loops.run(plane, input, weight, bias, past, output, present)
          if isActivated, loops.wantsOutput {
            let line = output + plane &* loops.length
            kernels.table.pointee.unary(DLK_UNARY_SILU, 1, 0, line, line, Int64(loops.length))
          }
        }
      }
    }
  }
}

private struct CausalLoops: Sendable {
  let channels: Int
  let length: Int
  let kernel: Int
  let wantsOutput: Bool
  let wantsState: Bool

  func run(
    _ plane: Int, _ input: UnsafePointer<Float>, _ weight: UnsafePointer<Float>, _ bias: UnsafePointer<Float>?,
    _ past: UnsafePointer<Float>?, _ output: UnsafeMutablePointer<Float>, _ present: UnsafeMutablePointer<Float>
  ) {
    let history = kernel &- 1
    let source = input + plane &* length
    let earlier = past.map { $0 + plane &* history }
    if wantsOutput {
      let channel = plane % channels
      let result = output + plane &* length
      result.update(repeating: bias?[channel] ?? 0, count: length)
      for tap in 0..<kernel {
        let factor = weight[channel &* kernel &+ tap]
        // Output t reads the element t + tap of history and input joined.
        let reach = min(max(history &- tap, 0), length)
        if let earlier {
          for time in 0..<reach { result[time] += factor * earlier[time &+ tap] }
        }
        let shifted = source + (tap &- history)
        for time in reach..<length { result[time] += factor * shifted[time] }
      }
    }
    guard wantsState else { return }
    let state = present + plane &* history
    for index in 0..<history {
      let time = length &+ index &- history
      state[index] = time >= 0 ? source[time] : earlier?[length &+ index] ?? 0
    }
  }
}
