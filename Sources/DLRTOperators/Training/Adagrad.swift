import DLRTGraph

/// ai.onnx.preview.training Adagrad (1): gradient descent with rates scaled by all squared gradients so far.
///
/// `R`: the learning rate, float or double; `T`: updates made so far, int64; then all parameters, all gradients, all sums
/// of squared gradients, float or double. Outputs: new parameters, new sums.
package struct Adagrad: Operator {
  package static let schema = Optimizer<Rule>.schema("Adagrad")

  struct Rule: OptimizerRule {
    static let stateCount = 1

    let decay: Float
    let epsilon: Float
    let norm: Float

    func update<T: RealElement>(_ parameter: OptimizerParameter<T>, rate: T, time: T, _ range: Range<Int>) {
      let rate = rate / (1 + time * T(decay))
      let (epsilon, norm) = (T(epsilon), T(norm))
      for index in range {
        let x = parameter.x[index]
        let gradient = norm * x + parameter.gradient[index]
        let sum = parameter.first[index] + gradient * gradient
        parameter.newX[index] = x - rate * gradient / (sum.squareRoot() + epsilon)
        parameter.newFirst[index] = sum
      }
    }
  }

  private let optimizer: Optimizer<Rule>

  package init(_ attributes: inout AttributeReader) throws {
    optimizer = Optimizer(
      rule: Rule(
        decay: try attributes.float("decay_factor", default: 0),
        epsilon: try attributes.float("epsilon", default: 1e-6),
        norm: try attributes.float("norm_coefficient", default: 0)))
  }

  package var inPlaceInputs: [Int] { [2] }

  package func infer(_ inference: inout Inference) throws { try optimizer.infer(&inference) }

  package func plan(_ planning: inout Planning) throws -> Step { optimizer.plan(planning) }
}
