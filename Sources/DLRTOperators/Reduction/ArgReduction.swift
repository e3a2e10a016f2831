import DLRTGraph

/// What ArgMax and ArgMin share: the index along one axis of the extreme element, the first or the last one of equals.
/// NaN is more extreme than any number, as in NumPy.
struct ArgReduction: Sendable {
  let axis: Int
  let keepDims: Bool
  let selectsLast: Bool

  static func schema(_ name: String) -> OperatorSchema {
    OperatorSchema(
      name, versions: [1, 11, 12, 13], inputs: [("data", "T")], outputs: [("reduced", "I")],
      types: ["T": .numeric])
  }

  init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.int("axis", default: 0)
    keepDims = try attributes.flag("keepdims", default: true)
    selectsLast = try attributes.flag("select_last_index")
  }

  func infer(_ inference: inout Inference) throws {
    inference.setType(0, .int64)
    let shape = try inference.shape(0)
    let axis = try inference.axis(axis, rank: shape.rank)
    if shape[axis] == 0 {
      throw DLRTError(
        .invalidModel, "no element to choose from", tensor: inference.name(0), expected: "axis \(axis) not empty",
        got: "shape \(shape)")
    }
    var dims = shape.dims
    if keepDims { dims[axis] = 1 } else { dims.remove(at: axis) }
    inference.set(0, .int64, Shape(dims))
  }

  func plan(_ planning: inout Planning, ascending: Bool) throws -> Step {
    let shape = planning.shape(0)
    let axis = axis < 0 ? axis + shape.count : axis
    let loop = try planning.type(0).dispatch(
      ArgTask(
        size: shape[axis], inner: shape.product(axis + 1..<shape.count), outer: shape.product(0..<axis),
        ascending: ascending, last: selectsLast))
    return Step(kernel: "argreduce", loop)
  }
}

private struct ArgTask: NumericTask {
  let size: Int
  let inner: Int
  let outer: Int
  let ascending: Bool
  let last: Bool

  func run<T: NumericElement>(_ type: T.Type) -> Step.Body {
    { io in
      let x = io.input(0, as: T.self)
      let y = io.output(0, as: Int64.self)
      io.parallel(Chunks(outer * inner, cost: Double(size))) { range in
        var output = range.lowerBound
        while output < range.upperBound {
          let row = output / inner
          let column = output &- row &* inner
          let count = min(Self.widest, inner &- column, range.upperBound &- output)
          find(x + (row &* size &* inner &+ column), y + output, count)
          output = output &+ count
        }
      }
    }
  }

  /// Columns at a time, whose best elements stay on the stack.
  private static var widest: Int { 64 }

  private func find<T: NumericElement>(
    _ x: UnsafePointer<T>, _ found: UnsafeMutablePointer<Int64>, _ count: Int
  ) {
    withUnsafeTemporaryAllocation(of: T.self, capacity: Self.widest) { memory in
      guard let best = memory.baseAddress else { return }
      for column in 0..<count {
        best[column] = x[column]
        found[column] = 0
      }
      for index in 1..<max(size, 1) {
        let row = x + index &* inner
        for column in 0..<count {
          let (next, old) = (row[column], best[column])
          let isBetter = ascending ? next < old : next > old
          let isChosen = isBetter || (last && next == old) || (next.isNaN && (last || !old.isNaN))
          best[column] = isChosen ? next : old
          found[column] = isChosen ? Int64(index) : found[column]
        }
      }
    }
  }
}
