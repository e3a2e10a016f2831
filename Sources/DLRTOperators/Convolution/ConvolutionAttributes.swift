import DLRTGraph

/// What all forward convolutions share: the window, the groups, and the rule for shapes.
package struct ConvolutionAttributes: Sendable {
  package let window: WindowAttributes
  package let group: Int

  /// - Parameter prefix: of the attributes' names, where an operator has two windows.
  package init(_ attributes: inout AttributeReader, prefix: String = "") throws {
    window = try WindowAttributes(&attributes, prefix: prefix)
    group = try Self.group(prefix + "group", &attributes)
  }

  package static func group(_ name: String, _ attributes: inout AttributeReader) throws(DLRTError) -> Int {
    let group = try attributes.int(name, default: 1)
    guard group >= 1 else {
      throw DLRTError(.invalidModel, "out of range", tensor: name, expected: "≥ 1", got: "\(group)")
    }
    return group
  }

  /// The output `[N, M, spatial…]` of X `[N, C, spatial…]`, W `[M, C / group, spatial…]` and B `[M]`.
  package func output(
    _ inference: borrowing Inference, x: Int = 0, w: Int = 1, bias: Int = 2
  ) throws -> Shape {
    try output(try inference.shape(x), try inference.shape(w), inference, x: x, w: w, bias: bias)
  }

  /// The same for shapes given otherwise.
  package func output(
    _ input: Shape, _ weight: Shape, _ inference: borrowing Inference, x: Int = 0, w: Int = 1, bias: Int = 2
  ) throws -> Shape {
    try Self.checkRanks(input, weight, inference, x: x, w: w)
    try checkChannels(input[1], weight, inference.name(x))
    if inference.has(bias) {
      let shape = try inference.shape(bias, rank: 1)
      guard !shape[0].provablyDiffers(weight[0]) else {
        throw DLRTError(
          .invalidModel, "wrong size", tensor: inference.name(bias), expected: "[\(weight[0])]", got: "\(shape)")
      }
    }
    let kernel = try kernel(weight, inference.name(w))
    return Shape([input[0], weight[0]] + (try window.output(Array(input.dims.dropFirst(2)), kernel: kernel)))
  }

  package static func checkRanks(
    _ input: Shape, _ weight: Shape, _ inference: borrowing Inference, x: Int = 0, w: Int = 1
  ) throws {
    guard input.rank >= 3 else {
      throw DLRTError(
        .invalidModel, "wrong rank", tensor: inference.name(x), expected: "at least 3", got: "shape \(input)")
    }
    guard weight.rank == input.rank else {
      throw DLRTError(
        .invalidModel, "wrong rank", tensor: inference.name(w), expected: "rank \(input.rank)", got: "shape \(weight)")
    }
  }

  private func checkChannels(_ channels: Dim, _ weight: Shape, _ name: String) throws(DLRTError) {
    let expected = weight[1] * .known(group)
    // A number beyond counting is unknown, and would fit any other.
    guard !channels.provablyDiffers(expected), weight[1].value == nil || expected.value != nil else {
      throw DLRTError(
        .invalidModel, "channels do not fit the weights", tensor: name, expected: "\(expected)", got: "\(channels)")
    }
    if let outputs = weight[0].value, outputs % group != 0 {
      throw DLRTError(
        .invalidModel, "output channels are no multiple of the groups", tensor: "group",
        expected: "a divisor of \(outputs)",
        got: "\(group)")
    }
  }

  /// The window's sizes, from the weights' shape, with which the attribute must agree.
  package func kernel(_ weight: Shape, _ name: String) throws(DLRTError) -> [Dim] {
    let kernel = Array(weight.dims.dropFirst(2))
    if let declared = window.kernelShape, declared.count == kernel.count {
      for (size, dim) in zip(declared, kernel) where dim.provablyDiffers(.known(size)) {
        throw DLRTError(
          .invalidModel, "kernel_shape differs from the weights", tensor: name, expected: "\(declared)",
          got: "\(weight)")
      }
    }
    return kernel
  }

  /// The convolution in numbers, for shapes that `output` has accepted.
  package func problem(x: [Int], w: [Int]) throws(DLRTError) -> ConvolutionProblem {
    ConvolutionProblem(
      batch: x[0], groups: group, inputChannels: w[1], outputChannels: w[0] / group,
      geometry: try window.geometry(Array(x.dropFirst(2)), kernel: Array(w.dropFirst(2))))
  }
}

/// A convolution in numbers. Channels are those of one group.
package struct ConvolutionProblem: Sendable, Hashable {
  package let batch: Int
  package let groups: Int
  package let inputChannels: Int
  package let outputChannels: Int
  package let geometry: ConvolutionGeometry

  /// Multiplications and additions; saturates where the number is beyond all measure.
  package var flops: Int {
    let terms = Double(batch) * Double(groups) * Double(outputChannels) * Double(inputChannels)
    return Int(min(2 * terms * Double(geometry.kernelSize) * Double(geometry.outputSize), 1e18))
  }

  package var isDepthwise: Bool { inputChannels == 1 && groups > 1 }
}
