import DLRTGraph

/// ai.onnx.ml Scaler (1): `(X − offset) · scale`.
///
/// `X`: `[…, C]` of float, double, int64, int32; `Y`: the same shape, of float. Offset and scale have one element for
/// all columns or one for each.
package struct Scaler: Operator {
  package static let schema = OperatorSchema(
    "Scaler", domain: OperatorName.machineLearningDomain, versions: [1], inputs: [("X", "T")],
    outputs: [("Y", "tensor(float)")], types: ["T": Features.types])

  private let offsets: [Double]
  private let scales: [Double]

  package init(_ attributes: inout AttributeReader) throws {
    offsets = (try attributes.optionalFloats("offset") ?? [0]).map(Double.init)
    scales = (try attributes.optionalFloats("scale") ?? [1]).map(Double.init)
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .float32)
    let shape = try inference.shape(0)
    let columns = shape.dims.last ?? 1
    for (name, list) in [("offset", offsets), ("scale", scales)] {
      guard list.count == 1 || !columns.provablyDiffers(.known(list.count)) else {
        throw DLRTError(
          .invalidModel, "wrong number of elements", tensor: name, expected: "1 or \(columns)", got: "\(list.count)")
      }
    }
    inference.set(0, .float32, shape)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let columns = shape.last ?? 1
    let offsets = offsets.count == 1 ? Array(repeating: offsets[0], count: columns) : offsets
    let scales = scales.count == 1 ? Array(repeating: scales[0], count: columns) : scales
    let chunks = Chunks(shape.dropLast().reduce(1, &*), cost: Double(columns))
    let scale = try Features.dispatch(planning.type(0), Scale(offsets: offsets, scales: scales))
    return Step(kernel: "scale") { io in
      let (x, y) = (io.input(0), io.output(0, as: Float.self))
      io.parallel(chunks) { scale(x, y, $0) }
    }
  }

  private struct Scale: NumericTask {
    let offsets: [Double]
    let scales: [Double]

    func run<T: NumericElement>(
      _ type: T.Type
    ) -> @Sendable (UnsafeRawPointer, UnsafeMutablePointer<Float>, Range<Int>) -> Void {
      { [offsets, scales] x, y, rows in
        let columns = offsets.count
        offsets.withUnsafeBufferPointer { offsets in
          scales.withUnsafeBufferPointer { scales in
            for row in rows {
              let source = x.assumingMemoryBound(to: T.self) + row &* columns
              let target = y + row &* columns
              for column in 0..<columns {
                target[column] = Float((source[column].double - offsets[column]) * scales[column])
              }
            }
          }
        }
      }
    }
  }
}
