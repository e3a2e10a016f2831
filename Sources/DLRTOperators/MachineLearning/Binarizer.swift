import DLRTGraph

/// ai.onnx.ml Binarizer (1): 1 for elements greater than the threshold, 0 for the others.
///
/// `X` and `Y`: one shape and type of float, double, int64, int32.
package struct Binarizer: Operator {
  package static let schema = OperatorSchema(
    "Binarizer", domain: OperatorName.machineLearningDomain, versions: [1], inputs: [("X", "T")],
    outputs: [("Y", "T")], types: ["T": Features.types])

  private let threshold: Double

  package init(_ attributes: inout AttributeReader) throws {
    threshold = Double(try attributes.float("threshold", default: 0))
  }

  package func infer(_ inference: inout Inference) throws { try inference.sameAsInput() }

  package var inPlaceInputs: [Int] { [0] }

  package func plan(_ planning: inout Planning) throws -> Step {
    let chunks = Chunks(planning.input(0).count, cost: 0.5)
    let compare = try Features.dispatch(planning.type(0), Compare(threshold: threshold))
    return Step(kernel: "compare") { io in
      let (x, y) = (io.input(0), io.output(0))
      io.parallel(chunks) { compare(x, y, $0) }
    }
  }

  private struct Compare: NumericTask {
    let threshold: Double

    func run<T: NumericElement>(_ type: T.Type)
      -> @Sendable (UnsafeRawPointer, UnsafeMutableRawPointer, Range<Int>) -> Void
    {
      { [threshold] x, y, range in
        let source = x.assumingMemoryBound(to: T.self)
        let target = y.assumingMemoryBound(to: T.self)
        for index in range { target[index] = source[index].double > threshold ? 1 : 0 }
      }
    }
  }
}
