import CKernelSupport
import DLRTGraph

/// dlrt's transposed convolution with channels last: Y[N, spatial…, M] from X[N, spatial…, C], then an activation. The
/// constant W `[C, M / group, kernel…]`, the bias and the other attributes are as in ONNX's ConvTranspose.
///
/// Up to three spatial axes; float32, and smaller floats through it.
package struct ConvTransposeNHWC: Operator {
  package static let schema = OperatorSchema(
    "ConvTransposeNHWC", domain: OperatorName.internalDomain, versions: [1],
    inputs: [("X", "T"), ("W", "T"), ("B?", "T")], outputs: [("Y", "T")], types: ["T": [.halfFloats, .float32]])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let attributes: TransposedConvolutionAttributes
  package let activation: UnaryKernel

  package init(_ attributes: inout AttributeReader) throws {
    self.attributes = try TransposedConvolutionAttributes(&attributes)
    activation = try UnaryKernel(&attributes)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let output = try attributes.output(try inference.shape(0).channelsFirst, try inference.shape(1), inference)
    inference.set(0, type, output.channelsLast)
  }

  package func writes(_ view: StridedView, _ planning: Planning) -> Bool {
    view.hasPixels(planning.output(0))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let problem = try attributes.problem(x: planning.shape(0).channelsFirst, w: planning.shape(1))
    guard let weights = planning.constant(1) else {
      throw DLRTError(.internalError, "the weights are not constant", tensor: "W")
    }
    if planning.output(0).count == 0 { return .nothing }
    return try PhasedConvolution(problem, activation, planning).step(weights, planning)
  }
}
