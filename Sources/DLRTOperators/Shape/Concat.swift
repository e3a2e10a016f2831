import DLRTGraph

/// ONNX Concat (1–13): joins tensors along `axis`; all other sizes agree. For every element type.
package struct Concat: Operator {
  package static let schema = OperatorSchema(
    "Concat", versions: [1, 4, 11, 13], inputs: [("inputs...", "T")], outputs: [("concat_result", "T")],
    types: ["T": .all])

  package let axis: Int

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    if version < 4, node.attributes["axis"] == nil { node.attributes["axis"] = .int(1) }
  }

  package init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.int("axis")
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    var shape = try inference.shape(0)
    let axis = try inference.axis(axis, rank: shape.rank)
    for index in 1..<max(inference.inputCount, 1) {
      let other = try inference.shape(index, rank: shape.rank)
      for dim in shape.dims.indices {
        if dim == axis {
          shape[dim] = shape[dim] + other[dim]
        } else if shape[dim].provablyDiffers(other[dim]) {
          throw DLRTError(
            .invalidModel, "shapes do not join along axis \(axis)", tensor: "input \(index)",
            expected: "\(shape)", got: "\(other)")
        } else if shape[dim].value == nil, other[dim].value != nil || shape[dim] == .unknown {
          shape[dim] = other[dim]
        }
      }
    }
    var elements: [Dim]?
    if shape.rank == 1 {
      let parts = inference.inputs.compactMap { $0?.elements }
      let joined = parts.flatMap { $0 }
      if parts.count == inference.inputCount, joined.count <= Fact.mostElements { elements = joined }
    }
    inference.set(0, type, shape, elements: elements)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let output = planning.output(0).shape
    let axis = axis < 0 ? axis + output.count : axis
    let strides = output.rowMajorStrides
    var start = 0
    var copies: [StridedCopy?] = []
    for index in planning.inputs.indices {
      let shape = planning.shape(index)
      let copy = try StridedCopy(
        planning.outputType(0), sizes: shape, source: shape.rowMajorStrides, target: strides,
        targetStart: start &* strides[axis])
      copies.append(shape.product == 0 ? nil : copy)
      start = start &+ shape[axis]
    }
    return Step(kernel: "strided") { [copies] io in
      for (index, copy) in copies.enumerated() { copy?.run(io.input(index), io.output(0), io) }
    }
  }
}
