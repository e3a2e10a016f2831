import DLRTGraph

/// ONNX MeanVarianceNormalization (9, 13): (X − mean) / (deviation + 1e-9), both taken over `axes` (0, 2 and 3 unless
/// given). float16, bfloat16, float, double.
package struct MeanVarianceNormalization: Operator {
  package static let schema = OperatorSchema(
    "MeanVarianceNormalization", versions: [9, 13], inputs: [("X", "T")], outputs: [("Y", "T")], types: ["T": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let axes: [Int]

  package init(_ attributes: inout AttributeReader) throws {
    axes = try attributes.optionalInts("axes") ?? [0, 2, 3]
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, try inference.type(0))
    _ = try inference.axes(axes, rank: try inference.rank(0))
    try inference.sameAsInput()
  }

  package var inPlaceInputs: [Int] { [0] }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let reduced = Set(axes.map { $0 < 0 ? $0 + shape.count : $0 })
    return try planning.type(0).dispatch(Plan(shape: shape, reduced: reduced))
  }

  private struct Plan: FloatTask {
    let shape: [Int]
    let reduced: Set<Int>

    func run<T: RealElement>(_ type: T.Type) -> Step {
      let strides = shape.rowMajorStrides
      let kept = AxisWalk(shape.indices.filter { !reduced.contains($0) }.map { (shape[$0], strides[$0]) })
      let within = AxisWalk(shape.indices.filter { reduced.contains($0) }.map { (shape[$0], strides[$0]) })
      let chunks = Chunks(kept.count, cost: Double(within.count) * 4)
      return Step(kernel: "moments") { io in
        let (x, y) = (io.input(0, as: T.self), io.output(0, as: T.self))
        io.parallel(chunks) { range in
          for group in range { normalize(x + kept[group], y + kept[group], within) }
        }
      }
    }

    private func normalize<T: RealElement>(
      _ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>, _ elements: AxisWalk
    ) {
      let total = Double(elements.count)
      var sum = 0.0
      elements.forEachRun { start, count, step in
        if step == 1 {
          sum += RowSums.wideSum(x + start, count)
        } else {
          for index in 0..<count { sum += Double(x[start &+ index &* step]) }
        }
      }
      let mean = sum / total
      var squares = 0.0
      elements.forEachRun { start, count, step in
        if step == 1 {
          squares += RowSums.wideSquares(x + start, count, mean)
        } else {
          for index in 0..<count {
            let distance = Double(x[start &+ index &* step]) - mean
            squares += distance * distance
          }
        }
      }
      let deviation = (squares / total).squareRoot() + 1e-9
      elements.forEachRun { start, count, step in
        Self.scale(x + start, y + start, count, step, mean, 1 / deviation)
      }
    }

    @_optimize(speed) @inline(never)
    private static func scale<T: RealElement>(
      _ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>, _ count: Int, _ step: Int, _ mean: Double, _ factor: Double
    ) {
      if step == 1 {
        for index in 0..<count { y[index] = T((Double(x[index]) - mean) * factor) }
      } else {
        for index in 0..<count { y[index &* step] = T((Double(x[index &* step]) - mean) * factor) }
      }
    }
  }
}

/// The places of the elements that some axes of a tensor span.
private struct AxisWalk: Sendable {
  private let sizes: [Int]
  private let strides: [Int]
  let count: Int

  /// Axes that can be walked as one are one.
  init(_ axes: [(size: Int, stride: Int)]) {
    var merged: [(size: Int, stride: Int)] = []
    for axis in axes {
      if let last = merged.last, last.stride == axis.size &* axis.stride {
        merged[merged.count - 1] = (last.size &* axis.size, axis.stride)
      } else {
        merged.append(axis)
      }
    }
    sizes = merged.map(\.size)
    strides = merged.map(\.stride)
    count = sizes.product
  }

  subscript(index: Int) -> Int {
    var rest = index
    var place = 0
    for axis in sizes.indices.reversed() {
      place = place &+ rest % sizes[axis] &* strides[axis]
      rest /= sizes[axis]
    }
    return place
  }

  /// Calls `body` with the first place, the length and the step of every run along the innermost axis.
  @inline(__always)
  func forEachRun(_ body: (Int, Int, Int) -> Void) {
    let inner = sizes.last ?? 1
    guard count > 0 else { return }
    for run in 0..<count / inner { body(self[run &* inner], inner, strides.last ?? 0) }
  }
}
