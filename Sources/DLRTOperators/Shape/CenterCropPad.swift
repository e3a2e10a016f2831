import DLRTGraph

/// ONNX CenterCropPad (18): crops or pads axes to the sizes in `shape`, around the centre; what is added is zero. For
/// every element type.
package struct CenterCropPad: Operator {
  package static let schema = OperatorSchema(
    "CenterCropPad", versions: [18], inputs: [("input_data", "T"), ("shape", "I")], outputs: [("output_data", "T")],
    types: ["T": .all, "I": .indices])

  private let axes: [Int]?

  package init(_ attributes: inout AttributeReader) throws {
    axes = try attributes.optionalInts("axes")
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    var shape = try inference.shape(0)
    let axes = try axes.map { try inference.axes($0, rank: shape.rank) } ?? Array(0..<shape.rank)
    let target = try inference.dims(1)
    guard target.count == axes.count, target.allSatisfy({ ($0.value ?? 0) >= 0 }) else {
      throw DLRTError(
        .invalidModel, "not a size for each axis", tensor: inference.name(1), expected: "\(axes.count) sizes",
        got: "\(Shape(target))")
    }
    for (axis, size) in zip(axes, target) { shape[axis] = size }
    inference.set(0, type, shape)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let output = planning.output(0).shape
    if output.product == 0 { return .nothing }
    // Of an odd difference, the end takes the larger half.
    let begins = zip(output, shape).map { ($0 - $1) / 2 }
    let ends = zip(zip(output, shape), begins).map { $0.0 - $0.1 - $1 }
    let type = planning.type(0)
    let copy = try PaddedCopy(type, shape: shape, begins: begins, ends: ends, mode: .constant)
    return Step(kernel: "padded") { io in
      copy.run(io.input(0), io.output(0), fill: ElementFill(zeroOf: type), io)
    }
  }
}
