import DLRTGraph

/// com.microsoft Inverse (1): the inverses of the square matrices in the last two axes. A singular matrix has no numbers
/// as its inverse.
package struct Inverse: Operator {
  package static let schema = OperatorSchema.microsoft("Inverse", [("X", "T")], [("Y", "T")], ["T": .floats])
  package static let promotedTypes = TypeSet.halfFloats

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    try inference.sameAsInput()
    let shape = try inference.shape(0)
    guard shape.rank >= 2, !shape[shape.rank - 1].provablyDiffers(shape[shape.rank - 2]) else {
      throw DLRTError(.invalidModel, "not square matrices", tensor: "X", expected: "[…, M, M]", got: "\(shape)")
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    if planning.output(0).count == 0 { return .nothing }
    let shape = planning.shape(0)
    let size = shape[shape.count - 1]
    let matrices = MatrixLanes(
      size: size, count: shape.product(0..<shape.count - 2), bytes: (size + 2) * size * 8, planning)
    return Step(
      kernel: "inverse", workspace: matrices.workspace, try planning.type(0).dispatch(Inverses(matrices: matrices)))
  }
}

/// In float64, whatever the elements are.
private struct Inverses: FloatTask {
  let matrices: MatrixLanes

  func run<T: RealElement>(_ type: T.Type) -> Step.Body {
    { io in
      let (x, y) = (io.input(0, as: T.self), io.output(0, as: T.self))
      let size = matrices.size
      matrices.forEach(io) { index, scratch in
        let matrix = scratch.assumingMemoryBound(to: Double.self)
        let factors = matrix + size &* size
        let pivots = UnsafeMutableRawPointer(factors + size).assumingMemoryBound(to: Int.self)
        let (source, target) = (x + index &* size &* size, y + index &* size &* size)
        Elimination.convert(source, matrix, size &* size)
        Elimination.invert(matrix, size, pivots, factors)
        Elimination.convert(matrix, target, size &* size)
      }
    }
  }
}
