import DLRTGraph

/// ONNX LpNormalization (1, 22): the input divided by the 1- or 2-norm along an axis; zeros stay zeros.
/// float16, bfloat16, float, double.
package struct LpNormalization: Operator {
  package static let schema = OperatorSchema(
    "LpNormalization", versions: [1, 22], inputs: [("input", "T")], outputs: [("output", "T")], types: ["T": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let axis: Int
  private let p: Int

  package init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.int("axis", default: -1)
    p = try attributes.int("p", default: 2)
    guard p == 1 || p == 2 else {
      throw DLRTError(.invalidModel, "out of range", tensor: "p", expected: "1 or 2", got: "\(p)")
    }
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, try inference.type(0))
    _ = try inference.axis(axis, rank: try inference.rank(0))
    try inference.sameAsInput()
  }

  package var inPlaceInputs: [Int] { [0] }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let axis = axis < 0 ? axis + shape.count : axis
    return try planning.type(0).dispatch(
      Plan(
        outer: shape[..<axis].reduce(1) { $0 &* $1 }, count: shape[axis],
        inner: shape[(axis + 1)...].reduce(1) { $0 &* $1 },
        isEuclidean: p == 2))
  }

  private struct Plan: FloatTask {
    let outer: Int
    let count: Int
    let inner: Int
    let isEuclidean: Bool

    func run<T: RealElement>(_ type: T.Type) -> Step {
      let chunks = Chunks(outer &* inner, cost: Double(count) * 2)
      return Step(kernel: "norm") { io in
        let (x, y) = (io.input(0, as: T.self), io.output(0, as: T.self))
        io.parallel(chunks) { range in
          var line = range.lowerBound
          while line < range.upperBound {
            let column = line % inner
            let width = min(Self.widest, inner &- column, range.upperBound &- line)
            let start = line / inner &* count &* inner &+ column
            normalize(x + start, y + start, width)
            line = line &+ width
          }
        }
      }
    }

    /// Lines side by side, whose sums stay on the stack.
    private static var widest: Int { 64 }

    private func normalize<T: RealElement>(_ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>, _ width: Int) {
      withUnsafeTemporaryAllocation(of: Double.self, capacity: Self.widest) { memory in
        guard let sums = memory.baseAddress else { return }
        for line in 0..<width { sums[line] = 0 }
        if inner == 1 && isEuclidean {
          sums[0] = RowSums.wideSquares(x, count, 0)
        } else {
          for index in 0..<count {
            let row = x + index &* inner
            for line in 0..<width {
              let value = Double(row[line])
              sums[line] += isEuclidean ? value * value : value.magnitude
            }
          }
        }
        for line in 0..<width { sums[line] = isEuclidean ? sums[line].squareRoot() : sums[line] }
        for index in 0..<count {
          let (from, to) = (x + index &* inner, y + index &* inner)
          for line in 0..<width {
            let norm = T(sums[line])
            to[line] = norm == 0 ? 0 : from[line] / norm
          }
        }
      }
    }
  }
}
