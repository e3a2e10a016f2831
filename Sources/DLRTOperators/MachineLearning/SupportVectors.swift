import DLRTGraph
import Glibc

/// What SVMClassifier and SVMRegressor share: support vectors and the kernel that compares a row with them.
struct SupportVectors: Sendable {
  private enum Kernel: String, CaseIterable, Sendable {
    case linear = "LINEAR"
    case polynomial = "POLY"
    case radial = "RBF"
    case sigmoid = "SIGMOID"
  }

  let coefficients: [Double]
  let rho: [Double]
  /// The number of support vectors; 0 in a linear model, whose coefficients weigh the features themselves.
  let count: Int
  private let vectors: [Double]
  private let kernel: Kernel
  private let gamma: Double
  private let constant: Double
  private let degree: Double

  init(_ attributes: inout AttributeReader, count: Int) throws {
    self.count = count
    coefficients = (try attributes.optionalFloats("coefficients") ?? []).map(Double.init)
    rho = (try attributes.optionalFloats("rho") ?? []).map(Double.init)
    vectors = (try attributes.optionalFloats("support_vectors") ?? []).map(Double.init)
    kernel = try attributes.choice("kernel_type", default: .linear)
    let parameters = try attributes.optionalFloats("kernel_params") ?? []
    guard parameters.isEmpty || parameters.count == 3 else {
      throw DLRTError(
        .invalidModel, "wrong number of parameters", tensor: "kernel_params", expected: "gamma, coef0, degree",
        got: "\(parameters)")
    }
    gamma = Double(parameters.first ?? 0)
    constant = Double(parameters.dropFirst().first ?? 0)
    degree = Double(parameters.last ?? 0)
    guard !coefficients.isEmpty, !rho.isEmpty else {
      throw DLRTError(
        .invalidModel, "a required attribute is missing", tensor: coefficients.isEmpty ? "coefficients" : "rho")
    }
    guard count >= 0, count == 0 || vectors.count % count == 0 else {
      throw DLRTError(
        .invalidModel, "support vectors do not divide evenly", tensor: "support_vectors",
        expected: "a multiple of \(count)", got: "\(vectors.count)")
    }
  }

  /// The features that a row must have; a linear model has `scores` rows of coefficients.
  func columns(scores: Int) -> Int { count > 0 ? vectors.count / count : coefficients.count / max(scores, 1) }

  /// The kernel's value for each support vector.
  @inline(__always)
  func compare(_ row: UnsafePointer<Double>, _ columns: Int, into target: UnsafeMutablePointer<Double>) {
    vectors.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else {
        for index in 0..<count { target[index] = value(row, row, 0) }
        return
      }
      for index in 0..<count { target[index] = value(row, start + index &* columns, columns) }
    }
  }

  @inline(__always)
  private func value(_ row: UnsafePointer<Double>, _ vector: UnsafePointer<Double>, _ columns: Int) -> Double {
    switch kernel {
    case .linear: row.dot(vector, columns)
    case .polynomial: pow(gamma * row.dot(vector, columns) + constant, degree)
    case .radial: exp(-gamma * row.squaredDistance(vector, columns))
    case .sigmoid: tanh(gamma * row.dot(vector, columns) + constant)
    }
  }
}
