import DLRTGraph

/// The coefficients of linear models: one row of features and an intercept for each score.
struct LinearWeights: Sendable {
  private let coefficients: [Double]
  private let intercepts: [Double]
  /// The number of scores where the attributes tell it without knowing the number of features.
  private let declared: Int?

  init(_ attributes: inout AttributeReader, scores: Int?) throws {
    guard let coefficients = try attributes.optionalFloats("coefficients"), !coefficients.isEmpty else {
      throw DLRTError(.invalidModel, "a required attribute is missing", tensor: "coefficients")
    }
    let intercepts = try attributes.optionalFloats("intercepts") ?? []
    self.coefficients = coefficients.map(Double.init)
    self.intercepts = intercepts.map(Double.init)
    declared = scores ?? (intercepts.isEmpty ? nil : intercepts.count)
    if let declared {
      guard declared > 0, coefficients.count % declared == 0 else {
        throw DLRTError(
          .invalidModel, "coefficients do not divide among the scores", tensor: "coefficients",
          expected: "a multiple of \(declared)", got: "\(coefficients.count)")
      }
      guard intercepts.isEmpty || intercepts.count == declared else {
        throw DLRTError(
          .invalidModel, "wrong number of intercepts", tensor: "intercepts", expected: "\(declared)",
          got: "\(intercepts.count)")
      }
    }
  }

  /// The number of scores for rows of the given width.
  func scores(_ inference: Inference, columns: Dim) throws -> Int {
    if let declared {
      try inference.checkFeatures(columns, coefficients.count / declared, "coefficients")
      return declared
    }
    guard let width = columns.value else { throw Unresolved.shape(input: 0) }
    guard width > 0, coefficients.count % width == 0 else {
      throw DLRTError(
        .invalidModel, "coefficients do not divide among the features", tensor: "coefficients",
        expected: "a multiple of \(width)", got: "\(coefficients.count)")
    }
    return coefficients.count / width
  }

  /// The number of scores, once inference has found that the attributes fit.
  func scores(columns: Int) -> Int { declared ?? coefficients.count / max(columns, 1) }

  @inline(__always)
  func evaluate(_ row: UnsafePointer<Double>, columns: Int, into scores: UnsafeMutablePointer<Double>, _ count: Int) {
    coefficients.withUnsafeBufferPointer { weights in
      intercepts.withUnsafeBufferPointer { bias in
        guard let start = weights.baseAddress else { return }
        for index in 0..<count {
          scores[index] = (start + index &* columns).dot(row, columns) + (bias.isEmpty ? 0 : bias[index])
        }
      }
    }
  }
}
