import DLRTGraph

/// ai.onnx.ml SVMRegressor (1): `Σ coefficients · kernel(X, support vectors) + rho`, or its sign for a one-class model.
///
/// `X`: `[N, C]` or `[C]` of float, double, int64, int32; `Y`: `[N, 1]` of float.
package struct SVMRegressor: Operator {
  package static let schema = OperatorSchema(
    "SVMRegressor", domain: OperatorName.machineLearningDomain, versions: [1], inputs: [("X", "T")],
    outputs: [("Y", "tensor(float)")], types: ["T": Features.types])

  private let machine: SupportVectors
  private let isOneClass: Bool
  private let transform: PostTransform

  package init(_ attributes: inout AttributeReader) throws {
    machine = try SupportVectors(&attributes, count: try attributes.int("n_supports", default: 0))
    isOneClass = try attributes.flag("one_class")
    transform = try attributes.choice("post_transform", default: .none)
    guard machine.count == 0 || machine.coefficients.count == machine.count else {
      throw DLRTError(
        .invalidModel, "wrong number of coefficients", tensor: "coefficients", expected: "\(machine.count)",
        got: "\(machine.coefficients.count)")
    }
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .float32)
    let (rows, columns) = try inference.features()
    try inference.checkFeatures(columns, machine.columns(scores: 1), "support_vectors")
    inference.set(0, .float32, [rows, 1])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let features = Features(planning.input(0))
    let terms = machine.coefficients.count
    let loop = RowLoop(
      rows: features.rows, cost: Double(features.columns * max(machine.count, 1)), scratch: features.columns + terms)
    return Step(kernel: "svm", workspace: loop.workspace) { io in
      let (x, y) = (io.input(0), io.output(0, as: Float.self))
      let bias = machine.rho[0]
      machine.coefficients.withUnsafeBufferPointer { coefficients in
        guard let weights = coefficients.baseAddress else { return }
        loop.run(io) { row, scratch in
          features.read(row, of: x, into: scratch)
          let values = machine.count > 0 ? scratch + features.columns : scratch
          machine.compare(scratch, features.columns, into: scratch + features.columns)
          var score = weights.dot(values, terms) + bias
          if isOneClass {
            score = score > 0 ? 1 : -1
          } else {
            transform.apply(&score, 1)
          }
          y[row] = Float(score)
        }
      }
    }
  }
}
