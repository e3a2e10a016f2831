import DLRTGraph

/// ai.onnx.ml Normalizer (1): divides each row by its greatest element (MAX), the sum of its magnitudes (L1) or its
/// Euclidean length (L2); a row for which that is zero stays as it is.
///
/// `X`: `[N, C]` or `[C]` of float, double, int64, int32; `Y`: the same shape, of float.
package struct Normalizer: Operator {
  package static let schema = OperatorSchema(
    "Normalizer", domain: OperatorName.machineLearningDomain, versions: [1], inputs: [("X", "T")],
    outputs: [("Y", "tensor(float)")], types: ["T": Features.types])

  private enum Norm: String, CaseIterable {
    case max = "MAX"
    case l1 = "L1"
    case l2 = "L2"
  }

  private let norm: Norm

  package init(_ attributes: inout AttributeReader) throws { norm = try attributes.choice("norm", default: .max) }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .float32)
    _ = try inference.features()
    inference.set(0, .float32, try inference.shape(0))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let features = Features(planning.input(0))
    let columns = features.columns
    let loop = RowLoop(rows: features.rows, cost: 2 * Double(columns), scratch: columns)
    return Step(kernel: "normalize", workspace: loop.workspace) { io in
      let (x, y) = (io.input(0), io.output(0, as: Float.self))
      loop.run(io) { row, values in
        features.read(row, of: x, into: values)
        let length = length(values, columns)
        let divisor = length == 0 ? 1 : length
        for column in 0..<columns { y[row &* columns &+ column] = Float(values[column] / divisor) }
      }
    }
  }

  private func length(_ values: UnsafeMutablePointer<Double>, _ count: Int) -> Double {
    switch norm {
    case .max: return count > 0 ? values[values.indexOfGreatest(count)] : 0
    case .l1:
      var sum = 0.0
      for index in 0..<count { sum += values[index].magnitude }
      return sum
    case .l2: return UnsafePointer(values).dot(values, count).squareRoot()
    }
  }
}
