import DLRTGraph

/// ONNX Einsum (12–28): sums of products over named axes. Equations may have an ellipsis, repeated labels within an
/// operand (a diagonal) and no right-hand side; axes of size 1 broadcast. Integers wrap around.
package struct Einsum: Operator {
  package static let schema = OperatorSchema(
    "Einsum", versions: [12, 28], inputs: [("Inputs...", "T")], outputs: [("Output", "T")], types: ["T": .numeric])
  package static let promotedTypes = TypeSet.halfFloats
  let equation: EinsumEquation

  package init(_ attributes: inout AttributeReader) throws {
    guard let text = try attributes.optionalString("equation") else {
      throw DLRTError(.invalidModel, "a required attribute is missing", tensor: "equation")
    }
    equation = try EinsumEquation(text)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    var shapes: [Shape] = []
    for index in 0..<inference.inputCount { shapes.append(try inference.shape(index)) }
    let labels = try equation.labels(ranks: shapes.map(\.rank))
    var sizes: [EinsumEquation.Label: Dim] = [:]
    for (index, shape) in shapes.enumerated() {
      for (axis, label) in labels.operands[index].enumerated() {
        let joint = try inference.broadcast([sizes[label] ?? 1], [shape[axis]], inference.name(index))
        sizes[label] = joint[0]
      }
    }
    inference.set(0, type, Shape(labels.result.map { sizes[$0] ?? 1 }))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shapes = planning.inputs.indices.map { planning.shape($0) }
    let labels = try equation.labels(ranks: shapes.map(\.count))
    let program = EinsumProgram(shapes: shapes, labels: labels.operands, result: labels.result)
    let type = planning.type(0)
    if type == .float32 { return try floats(program, planning) }
    guard type.size >= 4 else { return narrow(program, type) }
    return try ProductTask(body: Body(program: program, size: type.size)).dispatch(type)
  }

  private func floats(_ program: EinsumProgram, _ planning: Planning) throws -> Step {
    let products = try program.floatProducts(planning)
    let most = products.reduce(0) { max($0, $1?.workspace ?? 0) }
    return Step(kernel: "einsum", flops: program.flops, workspace: program.workspaceCount * 4 + most) { io in
      program.run(
        io, Float.self, scratch: io.workspace, output: io.output(0, as: Float.self), products: products
      ) { io.input($0, as: Float.self) }
    }
  }

  private struct Body: ProductBody {
    let program: EinsumProgram
    let size: Int

    func run<T: NumericElement>(_ type: T.Type) -> Step {
      Step(kernel: "einsum", flops: program.flops, workspace: program.totalWorkspace * size) { io in
        program.run(
          io, type, scratch: io.workspace, output: io.output(0, as: T.self)
        ) { io.input($0, as: T.self) }
      }
    }
  }

  /// Integers below 32 bits are widened first; the low bits of a wrapping product do not depend on the high ones.
  private func narrow(_ program: EinsumProgram, _ type: DataType) -> Step {
    let places = program.operandCounts.reduce(into: [program.totalWorkspace]) { $0.append($0[$0.count - 1] + $1) }
    let result = places[places.count - 1]
    return Step(kernel: "einsum", flops: program.flops, workspace: (result + program.outputCount) * 4) { io in
      let wide = io.workspace.assumingMemoryBound(to: Int32.self)
      for (index, count) in program.operandCounts.enumerated() {
        let target = wide + places[index]
        if type.size == 1 {
          let source = io.input(index, as: Int8.self)
          for element in 0..<count { target[element] = Int32(source[element]) }
        } else {
          let source = io.input(index, as: Int16.self)
          for element in 0..<count { target[element] = Int32(source[element]) }
        }
      }
      program.run(io, Int32.self, scratch: io.workspace, output: wide + result) { UnsafePointer(wide + places[$0]) }
      if type.size == 1 {
        let target = io.output(0, as: Int8.self)
        for element in 0..<program.outputCount { target[element] = Int8(truncatingIfNeeded: wide[result + element]) }
      } else {
        let target = io.output(0, as: Int16.self)
        for element in 0..<program.outputCount { target[element] = Int16(truncatingIfNeeded: wide[result + element]) }
      }
    }
  }
}
