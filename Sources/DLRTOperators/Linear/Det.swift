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
    let shape = planning.shape(0)
    let size = shape[shape.count - 1]
    let task = Elimination(size: size, count: shape.dropLast(2).reduce(1, &*))
    return Step(
      kernel: "det", workspace: size * size * planning.type(0).size, try planning.type(0).dispatch(task))
  }
}

/// Gaussian elimination with partial pivoting on a copy of each matrix.
private struct Elimination: FloatTask {
  let size: Int
  let count: Int

  func run<T: RealElement>(_ type: T.Type) -> Step.Body {
    { io in
      let x = io.input(0, as: T.self)
      let y = io.output(0, as: T.self)
      let matrix = io.workspace.assumingMemoryBound(to: T.self)
      for index in 0..<count {
        matrix.update(from: x + index &* size &* size, count: size &* size)
        y[index] = determinant(matrix)
      }
    }
  }

  private func determinant<T: RealElement>(_ matrix: UnsafeMutablePointer<T>) -> T {
    var result: T = 1
    for step in 0..<size {
      var pivot = step
      for row in step..<size where abs(matrix[row &* size &+ step]) > abs(matrix[pivot &* size &+ step]) { pivot = row }
      let value = matrix[pivot &* size &+ step]
      if value == 0 { return 0 }
      if pivot != step {
        for column in step..<size {
          let held = matrix[pivot &* size &+ column]
          matrix[pivot &* size &+ column] = matrix[step &* size &+ column]
          matrix[step &* size &+ column] = held
        }
        result = -result
      }
      result *= value
      for row in step &+ 1..<max(size, step &+ 1) {
        let factor = matrix[row &* size &+ step] / value
        for column in step..<size { matrix[row &* size &+ column] -= factor * matrix[step &* size &+ column] }
      }
    }
    return result
  }
}
