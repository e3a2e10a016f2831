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

  package var viewableInputs: [Int] { [] }

  package func reads(_ view: StridedView, input index: Int, _ planning: Planning) -> Bool { true }

  package func writes(_ view: StridedView, _ planning: Planning) -> Bool { true }

  /// The axis, counted from the first one.
  package func axis(rank: Int) -> Int { axis < 0 ? axis + rank : axis }

  package func plan(_ planning: inout Planning) throws -> Step {
    let output = planning.output(0).shape
    let axis = axis(rank: output.count)
    let target = planning.output(0).view ?? StridedView(whole: output)
    var start = target.offset
    var copies: [(copy: StridedCopy, index: Int, isPlace: Bool)] = []
    for index in planning.inputs.indices {
      let shape = planning.shape(index)
      let source = planning.input(index).view ?? StridedView(whole: shape)
      let part = StridedView(offset: start, strides: target.strides)
      start = start &+ shape[axis] &* target.strides[axis]
      if shape.product == 0 { continue }
      let copy = try StridedCopy(
        planning.outputType(0), sizes: shape, source: source.strides, target: part.strides,
        sourceStart: source.offset, targetStart: part.offset)
      copies.append((copy, index, source == part))
    }
    return Step(kernel: "strided") { [copies] io in
      for (copy, index, isPlace) in copies where !isPlace || io.input(index) != UnsafeRawPointer(io.output(0)) {
        copy.run(io.input(index), io.output(0), io)
      }
    }
  }
}
