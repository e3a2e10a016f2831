import Glibc

/// What classifiers and regressors of ai.onnx.ml do with a row of scores at the end.
enum PostTransform: String, CaseIterable, Sendable {
  case none = "NONE"
  case softmax = "SOFTMAX"
  case logistic = "LOGISTIC"
  case softmaxZero = "SOFTMAX_ZERO"
  case probit = "PROBIT"

  /// The form of TreeEnsemble's integer attribute.
  init?(code: Int) {
    switch code {
    case 0: self = .none
    case 1: self = .softmax
    case 2: self = .logistic
    case 3: self = .softmaxZero
    case 4: self = .probit
    default: return nil
    }
  }

  /// Transforms a row in place. A row of one score is changed by PROBIT alone, as in ONNX Runtime, on which the
  /// exporters of regressors rely.
  func apply(_ scores: UnsafeMutablePointer<Double>, _ count: Int) {
    switch self {
    case .none: break
    case .probit: for index in 0..<count { scores[index] = Self.probit(scores[index]) }
    case .logistic where count > 1: for index in 0..<count { scores[index] = Self.logistic(scores[index]) }
    case .softmax where count > 1: Self.softmax(scores, count, keepingZeros: false)
    case .softmaxZero where count > 1: Self.softmax(scores, count, keepingZeros: true)
    case .logistic, .softmax, .softmaxZero: break
    }
  }

  /// Turns the score of a two-class model's positive class into the scores of both classes.
  ///
  /// - Parameter isProbability: the negative class has the complement to 1 instead of the opposite.
  func pair(_ score: Double, isProbability: Bool) -> (negative: Double, positive: Double) {
    switch self {
    case .logistic: return (Self.logistic(-score), Self.logistic(score))
    case .probit:
      let negative = isProbability ? 1 - score : -score
      return (Self.probit(negative), Self.probit(score))
    case .none, .softmax, .softmaxZero: return (isProbability ? 1 - score : -score, score)
    }
  }

  static func logistic(_ value: Double) -> Double {
    let positive = 1 / (1 + exp(-abs(value)))
    return value < 0 ? 1 - positive : positive
  }

  private static func softmax(_ scores: UnsafeMutablePointer<Double>, _ count: Int, keepingZeros: Bool) {
    var greatest = -Double.infinity
    for index in 0..<count where scores[index] > greatest { greatest = scores[index] }
    var sum = 0.0
    for index in 0..<count {
      let isZero = keepingZeros && abs(scores[index]) <= 1e-7
      scores[index] = isZero ? scores[index] * exp(-greatest) : exp(scores[index] - greatest)
      sum += scores[index]
    }
    for index in 0..<count { scores[index] /= sum }
  }

  /// Winitzki's approximation of the normal distribution's quantile function, which the other runtimes use too.
  private static func probit(_ value: Double) -> Double {
    let x = 2 * value - 1
    let logarithm = log((1 - x) * (1 + x))
    let a = 0.147
    let b = 2 / (Double.pi * a) + 0.5 * logarithm
    let root = ((b * b - logarithm / a).squareRoot() - b).squareRoot()
    return 2.0.squareRoot() * (x < 0 ? -root : root)
  }
}
