import DLRTGraph

/// ONNX Tile (6–13): the input repeated `repeats[i]` times along axis `i`. For every element type.
package struct Tile: Operator {
  package static let schema = OperatorSchema(
    "Tile", versions: [6, 13], inputs: [("input", "T"), ("repeats", "R")], outputs: [("output", "T")],
    types: ["T": .all, "R": .int64])

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    guard version >= 6 else {
      throw DLRTError(.unsupportedModel, "version is not supported", expected: "opset 6 or newer", got: "\(version)")
    }
  }

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let shape = try inference.shape(0)
    inference.set(0, type, Shape([Dim](repeating: .unknown, count: shape.rank)))
    let repeats = try inference.dims(1)
    guard repeats.count == shape.rank, repeats.allSatisfy({ ($0.value ?? 0) >= 0 }) else {
      throw DLRTError(
        .invalidModel, "not a number of repeats for each axis", tensor: inference.name(1),
        expected: "\(shape.rank) numbers from 0 on", got: "\(Shape(repeats))")
    }
    inference.set(0, type, Shape(zip(shape.dims, repeats).map { $0 * $1 }))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let output = planning.output(0).shape
    if output.product == 0 { return .nothing }
    // Each axis becomes two: repeats, over which the source stays, and elements.
    let sizes = zip(output, shape).flatMap { [$0 / $1, $1] }
    let strides = shape.rowMajorStrides.flatMap { [0, $0] }
    let copy = try StridedCopy(planning.type(0), sizes: sizes, source: strides, target: sizes.rowMajorStrides)
    return Step(kernel: "strided") { io in copy.run(io.input(0), io.output(0), io) }
  }
}
