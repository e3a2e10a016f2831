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
      var sum = 0.0
      elements.forEach { sum += Double(x[$0]) }
      let mean = sum / Double(elements.count)
      var squares = 0.0
      elements.forEach { squares += (Double(x[$0]) - mean) * (Double(x[$0]) - mean) }
      let deviation = (squares / Double(elements.count)).squareRoot() + 1e-9
      elements.forEach { y[$0] = T((Double(x[$0]) - mean) / deviation) }
    }
  }
}

/// The places of the elements that some axes of a tensor span.
private struct AxisWalk: Sendable {
  private let sizes: [Int]
  private let strides: [Int]
  let count: Int

  init(_ axes: [(size: Int, stride: Int)]) {
    sizes = axes.map(\.size)
    strides = axes.map(\.stride)
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

  /// Calls `body` with all places in order, innermost axis fastest.
  @inline(__always)
  func forEach(_ body: (Int) -> Void) {
    let inner = sizes.last ?? 1
    guard count > 0 else { return }
    let step = strides.last ?? 0
    for run in 0..<count / inner {
      let start = self[run &* inner]
      for index in 0..<inner { body(start &+ index &* step) }
    }
  }
}
