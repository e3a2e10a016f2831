import CKernelSupport
import DLRTGraph

/// ONNX PRelu (1–16): x, or slope · x below 0; the slope broadcasts to x.
package struct PRelu: NumericBinaryOperator {
  package static let schema = OperatorSchema.binary(
    "PRelu", versions: [1, 6, 7, 9, 16], types: [.floats, TypeSet(.int32, .int64, .uint32, .uint64)],
    inputs: ("X", "slope"), output: "Y")

  package let alignment: OperandAlignment

  package init(_ attributes: inout AttributeReader) throws { alignment = try OperandAlignment(&attributes) }

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    try OperandAlignment.modernize(&node, version: version)
    // The slope was a number for each channel, or one for all.
    if version < 7 { node.attributes["axis"] = .int(1) }
  }

  package var inPlaceInputs: [Int] { [0] }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    try inference.binary(type, alignment, combine)
    let shape = try inference.shape(0)
    guard let result = inference.outputs[0]?.shape, result.rank == shape.rank,
      zip(result.dims, shape.dims).allSatisfy({ !$0.provablyDiffers($1) })
    else {
      throw DLRTError(
        .invalidModel, "does not broadcast to the input", tensor: "slope", expected: "\(shape)",
        got: "\(try inference.shape(1))")
    }
    inference.set(0, type, shape)
  }

  package var kernel: dlk_binary? { DLK_BINARY_PRELU }

  package static func apply<T: NumericElement>(_ a: T, _ b: T) -> T { a < 0 ? T.multiply(a, b) : a }
}
