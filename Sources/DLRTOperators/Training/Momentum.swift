import DLRTGraph

/// ai.onnx.preview.training Momentum (1): gradient descent with momentum, in the standard or Nesterov's form.
///
/// `R`: the learning rate, float or double; `T`: updates made so far, int64; then all parameters, all gradients, all
/// momenta, float or double. Outputs: new parameters, new momenta.
package struct Momentum: Operator {
  package static let schema = Optimizer<Rule>.schema("Momentum")

  struct Rule: OptimizerRule {
    enum Mode: String, CaseIterable, Sendable {
      case standard
      case nesterov
    }

    static let stateCount = 1

    let alpha: Float
    let beta: Float
    let norm: Float
    let mode: Mode

    func update<T: RealElement>(_ parameter: OptimizerParameter<T>, rate: T, time: T, _ range: Range<Int>) {
      let (alpha, norm) = (T(alpha), T(norm))
      // The first gradient counts in full.
      let beta = time > 0 ? T(beta) : 1
      for index in range {
        let x = parameter.x[index]
        let gradient = norm * x + parameter.gradient[index]
        let momentum = alpha * parameter.first[index] + beta * gradient
        parameter.newX[index] = x - rate * (mode == .nesterov ? gradient + alpha * momentum : momentum)
        parameter.newFirst[index] = momentum
      }
    }
  }

  private let optimizer: Optimizer<Rule>

  package init(_ attributes: inout AttributeReader) throws {
    for name in ["alpha", "beta", "norm_coefficient", "mode"] where !attributes.has(name) {
      throw DLRTError(.invalidModel, "a required attribute is missing", tensor: name)
    }
    optimizer = Optimizer(
      rule: Rule(
        alpha: try attributes.float("alpha", default: 0), beta: try attributes.float("beta", default: 0),
        norm: try attributes.float("norm_coefficient", default: 0),
        mode: try attributes.choice("mode", default: .standard)))
  }

  package var inPlaceInputs: [Int] { [2] }

  package func infer(_ inference: inout Inference) throws { try optimizer.infer(&inference) }

  package func plan(_ planning: inout Planning) throws -> Step { optimizer.plan(planning) }
}
