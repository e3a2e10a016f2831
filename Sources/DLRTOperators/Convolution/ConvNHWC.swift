import CKernelSupport
import DLRTGraph

/// dlrt's convolution with channels last: Y[N, spatial…, M] = f(X[N, spatial…, C] ⋆ W[M, C / group, kernel…] + B[M] + addend),
/// where the addend has Y's shape. W is laid out as in ONNX. With `channels_first` X alone is `[N, C, spatial…]`.
/// 1 × 1 convolutions without groups, strides and padding may multiply X by factors[N, 1…, C] first. What `makesPooled`
/// allows may also make pooled[N, ⌊H′ / 2⌋, ⌊W′ / 2⌋, M], the greatest of each 2 × 2 pixels of Y.
///
/// Up to three spatial axes; float32, and smaller floats through it.
package struct ConvNHWC: Operator {
  package static let schema = OperatorSchema(
    "ConvNHWC", domain: OperatorName.internalDomain, versions: [1],
    inputs: [("X", "T"), ("W", "T"), ("B?", "T"), ("addend?", "T"), ("factors?", "T")],
    outputs: [("Y?", "T"), ("pooled?", "T")], types: ["T": [.halfFloats, .float32]])
  package static var promotedTypes: TypeSet { .halfFloats }

  /// Up to this, the window's rows are too short to be worth an address each: the image is copied first, so that a row
  /// under a window is a single run of memory.
  package static let fewChannels = 8

  package let attributes: ConvolutionAttributes
  package let activation: UnaryKernel
  /// X is in ONNX's layout: the copy that a convolution of few channels makes anyway turns it.
  package let isInputChannelsFirst: Bool
  /// The activation comes before the addend.
  package let isAddendLast: Bool

  package init(_ attributes: inout AttributeReader) throws { try self.init(&attributes, prefix: "") }

  /// - Parameter prefix: of the attributes' names.
  init(_ attributes: inout AttributeReader, prefix: String) throws {
    self.attributes = try ConvolutionAttributes(&attributes, prefix: prefix)
    activation = try UnaryKernel(&attributes, prefix: prefix)
    isInputChannelsFirst = try attributes.flag(prefix + "channels_first")
    isAddendLast = try attributes.flag(prefix + "addend_last")
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    inference.setType(1, type)
    let given = try inference.shape(0)
    let input = isInputChannelsFirst ? given : given.channelsFirst
    let output = try attributes.output(input, try inference.shape(1), inference).channelsLast
    if inference.has(3) {
      let addend = try inference.shape(3, rank: output.rank)
      for (dim, wanted) in zip(addend.dims, output.dims) where dim.provablyDiffers(wanted) {
        throw DLRTError(
          .invalidModel, "wrong shape", tensor: inference.name(3), expected: "\(output)", got: "\(addend)")
      }
    }
    if inference.has(4) {
      let factors = try inference.shape(4, rank: given.rank)
      for (axis, dim) in factors.dims.enumerated() {
        let wanted = axis == 0 || axis == given.rank - 1 ? given[axis] : 1
        if dim.provablyDiffers(wanted) {
          throw DLRTError(
            .invalidModel, "wrong shape", tensor: inference.name(4), expected: "[N, 1…, C] for \(given)",
            got: "\(factors)")
        }
      }
    }
    inference.set(0, type, output)
    if inference.outputCount > 1 { inference.set(1, type, try pooledShape(output)) }
  }

  package func imageInputs(_ ranks: [Int]) -> [Int] { [0, 3, 4] }

  /// The addend is read where the result is written.
  package var inPlaceInputs: [Int] { [3] }

  package var viewableInputs: [Int] { [0] }

  /// An image that is copied first is read in memory of its own.
  package func reads(_ view: StridedView, input index: Int, _ planning: Planning) -> Bool {
    index == 0 && !isInputChannelsFirst && view.hasPixels(planning.input(0))
      && (planning.shape(0).last ?? 0) > Self.fewChannels
  }

  package func writes(_ view: StridedView, _ planning: Planning) -> Bool { view.hasPixels(planning.output(0)) }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let input = isInputChannelsFirst ? shape : shape.channelsFirst
    let problem = try attributes.problem(x: input, w: planning.shape(1))
    return try PixelConvolution(problem, self, planning).step(planning)
  }
}

extension [Int] {
  /// `[N, spatial…, C]` as `[N, C, spatial…]`.
  package var channelsFirst: [Int] { count < 2 ? self : [self[0], self[count - 1]] + self[1..<(count - 1)] }
}

extension Shape {
  /// `[N, spatial…, C]` as `[N, C, spatial…]`.
  package var channelsFirst: Shape {
    rank < 2 ? self : Shape([dims[0], dims[rank - 1]] + dims[1..<(rank - 1)])
  }

  /// `[N, C, spatial…]` as `[N, spatial…, C]`.
  package var channelsLast: Shape { rank < 2 ? self : Shape([dims[0]] + dims[2...] + [dims[1]]) }
}
