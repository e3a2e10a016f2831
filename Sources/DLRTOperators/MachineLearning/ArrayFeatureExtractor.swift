import DLRTGraph

/// ai.onnx.ml ArrayFeatureExtractor (1): the columns of `X` at the indices `Y`.
///
/// `X`: `[…, C]` of float, double, int64, int32 or string; `Y`: any shape, of int64; `Z`: `[…, count of Y]`, for `X` of
/// one dimension `[1, count of Y]`.
///
/// - Throws: `invalidInput` for an index outside `0..<C`.
package struct ArrayFeatureExtractor: Operator {
  package static let schema = OperatorSchema(
    "ArrayFeatureExtractor", domain: OperatorName.machineLearningDomain, versions: [1],
    inputs: [("X", "T"), ("Y", "I")], outputs: [("Z", "T")], types: ["T": [Features.types, .string], "I": .int64])

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let shape = try inference.shape(0)
    let count = try inference.shape(1).elementCount
    guard shape.rank > 0 else {
      throw DLRTError(.invalidModel, "wrong rank", tensor: "X", expected: "at least 1", got: "a scalar")
    }
    inference.set(0, type, shape.rank == 1 ? [1, count] : Shape(shape.dims.dropLast() + [count]))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let columns = shape.last ?? 0
    let rows = shape.dropLast().reduce(1, &*)
    let count = planning.input(1).count
    let chunks = Chunks(rows, cost: Double(count))
    let gather = try planning.type(0).dispatch(Gather())
    return Step(kernel: "gather") { io in
      let (x, y, z) = (io.input(0), io.input(1, as: Int64.self), io.output(0))
      for place in 0..<count {
        guard y[place] >= 0, y[place] < Int64(columns) else {
          throw DLRTError(
            .invalidInput, "index is out of range", tensor: "Y", expected: "0..<\(columns)", got: "\(y[place])")
        }
      }
      io.parallel(chunks) { gather(x, y, z, $0, columns, count) }
    }
  }

  private struct Gather: PlainTask {
    typealias Result =
      @Sendable (
        UnsafeRawPointer, UnsafePointer<Int64>, UnsafeMutableRawPointer, Range<Int>, Int, Int
      ) -> Void

    func run<T: BitwiseCopyable & Equatable & Sendable>(_ type: T.Type) -> Result {
      { x, y, z, rows, columns, count in
        for row in rows {
          let source = x.assumingMemoryBound(to: T.self) + row &* columns
          let target = z.assumingMemoryBound(to: T.self) + row &* count
          for place in 0..<count { target[place] = source[Int(y[place])] }
        }
      }
    }
  }
}
