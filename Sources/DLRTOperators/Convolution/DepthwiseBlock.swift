import CKernelSupport
import DLRTGraph

/// dlrt's depthwise convolution over channels last with the 1 × 1 convolutions before and after it, as in MobileNetV2
/// (arXiv 1801.04381): Y = h(project · g(depthwise ⋆ f(expand · X + b₁) + b₂) + b₃ + addend). Either of the two outer
/// ones may be missing, not both.
///
/// X[N, H, W, C], expand[M, C, 1, 1], depthwise[M, 1, kernel…], project[K, M, 1, 1], the addend as Y[N, H′, W′, K];
/// float32, and smaller floats through it. What lies between the three is never in memory as a whole: a few rows at a
/// time are made and used.
///
/// In place of the 1 × 1 convolution before it there may be one of a larger window over few channels, as networks for
/// images begin; its attributes are ConvNHWC's with a prefix, among them `channels_first`: X is then [N, C, H, W].
package struct DepthwiseBlock: Operator {
  package static let schema = OperatorSchema(
    "DepthwiseBlock", domain: OperatorName.internalDomain, versions: [1],
    inputs: [
      ("X", "T"), ("depthwise", "T"), ("depthwise_bias?", "T"), ("expand?", "T"), ("expand_bias?", "T"),
      ("project?", "T"), ("project_bias?", "T"), ("addend?", "T"),
    ], outputs: [("Y", "T")], types: ["T": [.halfFloats, .float32]])
  package static var promotedTypes: TypeSet { .halfFloats }

  /// Where the operands of each convolution are.
  enum Input {
    static let depthwise = 1
    static let expand = 3
    static let project = 5
    static let addend = 7
  }

  /// Of the names of the attributes of the convolution before, and of those of the last activation.
  package static let expandPrefix = "expand_"
  package static let projectPrefix = "project_"

  /// Of the depthwise convolution.
  package let attributes: ConvolutionAttributes
  package let activation: UnaryKernel
  let expansion: ConvNHWC
  package let projectActivation: UnaryKernel
  package let isAddendLast: Bool

  package init(_ attributes: inout AttributeReader) throws {
    self.attributes = try ConvolutionAttributes(&attributes)
    activation = try UnaryKernel(&attributes)
    expansion = try ConvNHWC(&attributes, prefix: Self.expandPrefix)
    projectActivation = try UnaryKernel(&attributes, prefix: Self.projectPrefix)
    isAddendLast = try attributes.flag("addend_last")
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let given = try inference.shape(0, rank: 4)
    var image = expansion.isInputChannelsFirst ? given : given.channelsFirst
    if inference.has(Input.expand) { image = try output(expansion.attributes, image, Input.expand, inference) }
    image = try attributes.output(
      image, try inference.shape(Input.depthwise), inference, w: Input.depthwise, bias: Input.depthwise + 1)
    if inference.has(Input.project) { image = try output(.pointwise, image, Input.project, inference) }
    let output = image.channelsLast
    if inference.has(Input.addend) {
      let addend = try inference.shape(Input.addend, rank: output.rank)
      for (dim, wanted) in zip(addend.dims, output.dims) where dim.provablyDiffers(wanted) {
        throw DLRTError(
          .invalidModel, "wrong shape", tensor: inference.name(Input.addend), expected: "\(output)", got: "\(addend)")
      }
    }
    inference.set(0, type, output)
  }

  /// The output of a convolution over `[N, C, H, W]`.
  private func output(
    _ attributes: ConvolutionAttributes, _ image: Shape, _ input: Int, _ inference: borrowing Inference
  ) throws -> Shape {
    try attributes.output(image, try inference.shape(input), inference, w: input, bias: input + 1)
  }

  package func imageInputs(_ ranks: [Int]) -> [Int] { [0, Input.addend] }

  /// The addend is read where the result is written.
  package var inPlaceInputs: [Int] { [Input.addend] }

  package var viewableInputs: [Int] { [0] }

  package func reads(_ view: StridedView, input index: Int, _ planning: Planning) -> Bool {
    index == 0 && (try? hasStem(planning)) == false && view.hasPixels(planning.input(0))
  }

  /// What comes first is more than a product over the pixels.
  func hasStem(_ planning: Planning) throws -> Bool {
    guard planning.has(Input.expand) else { return false }
    if expansion.isInputChannelsFirst { return true }
    return try !expansion.attributes.problem(x: planning.shape(0).channelsFirst, w: planning.shape(Input.expand))
      .geometry.isPointwise
  }

  package func writes(_ view: StridedView, _ planning: Planning) -> Bool { view.hasPixels(planning.output(0)) }

  package func plan(_ planning: inout Planning) throws -> Step {
    if planning.output(0).count == 0 { return .nothing }
    let weights = planning.shape(Input.depthwise)
    guard weights[1] == 1, weights[0] == attributes.group, expansion.attributes.group == 1 else {
      throw DLRTError(
        .invalidModel, "only the convolution between is depthwise", tensor: "depthwise",
        expected: "[\(attributes.group), 1, …], and expand_group 1",
        got: "\(weights), \(expansion.attributes.group)")
    }
    return try DepthwiseBlockRun(self, planning).step()
  }
}

extension ConvolutionAttributes {
  /// A convolution without groups, strides or padding.
  static let pointwise = ConvolutionAttributes(window: .plain, group: 1)

  private init(window: WindowAttributes, group: Int) {
    self.window = window
    self.group = group
  }
}
