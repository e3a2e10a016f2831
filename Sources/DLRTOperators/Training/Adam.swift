import DLRTGraph

/// ai.onnx.preview.training Adam (1): gradient descent along a running average of gradients, with rates scaled by one of
/// squared gradients.
///
/// `R`: the learning rate, float or double; `T`: updates made so far, int64; then all parameters, all gradients, all
/// averages of gradients, all averages of squared gradients, float or double. Outputs: new parameters, new averages of
/// both kinds.
package struct Adam: Operator {
  package static let schema = Optimizer<Rule>.schema("Adam")

  struct Rule: OptimizerRule {
    static let stateCount = 2

    let alpha: Float
    let beta: Float
    let epsilon: Float
    let norm: Float
    let normAfter: Float

    func update<T: RealElement>(_ parameter: OptimizerParameter<T>, rate: T, time: T, _ range: Range<Int>) {
      let (alpha, beta, epsilon, norm) = (T(alpha), T(beta), T(epsilon), T(norm))
      let keep = 1 - T(normAfter)
      let rate = time > 0 ? rate * (1 - T.pow(beta, time)).squareRoot() / (1 - T.pow(alpha, time)) : rate
      for index in range {
        let x = parameter.x[index]
        let gradient = norm * x + parameter.gradient[index]
        let average = alpha * parameter.first[index] + (1 - alpha) * gradient
        let square = beta * parameter.second[index] + (1 - beta) * (gradient * gradient)
        parameter.newX[index] = keep * (x - rate * average / (square.squareRoot() + epsilon))
        parameter.newFirst[index] = average
        parameter.newSecond[index] = square
      }
    }
  }

  private let optimizer: Optimizer<Rule>

  package init(_ attributes: inout AttributeReader) throws {
    optimizer = Optimizer(
      rule: Rule(
        alpha: try attributes.float("alpha", default: 0.9), beta: try attributes.float("beta", default: 0.999),
        epsilon: try attributes.float("epsilon", default: 1e-6),
        norm: try attributes.float("norm_coefficient", default: 0),
        normAfter: try attributes.float("norm_coefficient_post", default: 0)))
  }

  package var inPlaceInputs: [Int] { [2] }

  package func infer(_ inference: inout Inference) throws { try optimizer.infer(&inference) }

  package func plan(_ planning: inout Planning) throws -> Step { optimizer.plan(planning) }
}
