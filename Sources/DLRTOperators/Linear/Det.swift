import DLRTGraph

/// ONNX Det (11–22): the determinants of the square matrices in the last two axes.
package struct Det: Operator {
  package static let schema = OperatorSchema(
    "Det", versions: [11, 22], inputs: [("X", "T")], outputs: [("Y", "T")], types: ["T": .floats])
  package static let promotedTypes = TypeSet.halfFloats

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let shape = try inference.shape(0)
    guard shape.rank >= 2, !shape[shape.rank - 1].provablyDiffers(shape[shape.rank - 2]) else {
      throw DLRTError(.invalidModel, "not square matrices", tensor: "X", expected: "[…, M, M]", got: "\(shape)")
    }
    inference.set(0, type, Shape(Array(shape.dims.dropLast(2))))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    if planning.output(0).count == 0 { return .nothing }
    let shape = planning.shape(0)
    let size = shape[shape.count - 1]
    let matrices = MatrixLanes(
      size: size, count: shape.dropLast(2).product, bytes: (size + 1) * size * planning.type(0).size,
      planning)
    return Step(
      kernel: "det", workspace: matrices.workspace, try planning.type(0).dispatch(Determinants(matrices: matrices)))
  }
}

private struct Determinants: FloatTask {
  let matrices: MatrixLanes

  func run<T: RealElement>(_ type: T.Type) -> Step.Body {
    { io in
      let (x, y) = (io.input(0, as: T.self), io.output(0, as: T.self))
      let size = matrices.size
      matrices.forEach(io) { index, scratch in
        let matrix = scratch.assumingMemoryBound(to: T.self)
        matrix.update(from: x + index &* size &* size, count: size &* size)
        y[index] = Elimination.determinant(matrix, size, matrix + size &* size)
      }
    }
  }
}
