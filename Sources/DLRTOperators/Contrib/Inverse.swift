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
    let shape = planning.shape(0)
    let size = shape[shape.count - 1]
    let task = GaussJordan(size: size, count: shape.product(0..<shape.count - 2))
    return Step(kernel: "inverse", workspace: 2 * size * size * 8, try planning.type(0).dispatch(task))
  }
}

/// Elimination with partial pivoting, in float64.
private struct GaussJordan: FloatTask {
  let size: Int
  let count: Int

  func run<T: RealElement>(_ type: T.Type) -> Step.Body {
    { io in
      let left = io.workspace.assumingMemoryBound(to: Double.self)
      let right = left + size &* size
      for index in 0..<count {
        let x = io.input(0, as: T.self) + index &* size &* size
        let y = io.output(0, as: T.self) + index &* size &* size
        for element in 0..<size &* size {
          left[element] = x[element].double
          right[element] = element / size == element % size ? 1 : 0
        }
        eliminate(left, right)
        for element in 0..<size &* size { y[element] = T(right[element]) }
      }
    }
  }

  private func eliminate(_ left: UnsafeMutablePointer<Double>, _ right: UnsafeMutablePointer<Double>) {
    for step in 0..<size {
      var pivot = step
      for row in step..<size where abs(left[row &* size &+ step]) > abs(left[pivot &* size &+ step]) { pivot = row }
      let inverse = 1 / left[pivot &* size &+ step]
      for matrix in [left, right] {
        let (from, to) = (matrix + pivot &* size, matrix + step &* size)
        for column in 0..<size {
          let held = from[column]
          from[column] = to[column]
          to[column] = held * inverse
        }
      }
      for row in 0..<size where row != step {
        let factor = left[row &* size &+ step]
        for matrix in [left, right] {
          let (from, to) = (matrix + step &* size, matrix + row &* size)
          for column in 0..<size { to[column] -= factor * from[column] }
        }
      }
    }
  }
}
