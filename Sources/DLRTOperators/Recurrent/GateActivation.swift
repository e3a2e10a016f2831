import CKernelSupport
import DLRTGraph

/// An activation function of a recurrent operator, with its parameters.
struct GateActivation: Sendable, Equatable {
  enum Function: String, CaseIterable, Sendable {
    case relu, tanh, sigmoid, affine, leakyrelu, thresholdedrelu, scaledtanh, hardsigmoid, elu, softsign, softplus
  }

  let function: Function
  let alpha: Float
  let beta: Float

  static let sigmoid = GateActivation(function: .sigmoid, alpha: 0, beta: 0)
  static let tanh = GateActivation(function: .tanh, alpha: 0, beta: 0)

  /// Defaults of the parameters that a function has.
  private static func parameters(_ function: Function) -> (alpha: Float?, beta: Float?) {
    switch function {
    case .relu, .tanh, .sigmoid, .softsign, .softplus: (nil, nil)
    case .affine: (1, 0)
    case .leakyrelu: (0.01, nil)
    case .thresholdedrelu, .elu: (1, nil)
    case .scaledtanh: (1, 1)
    case .hardsigmoid: (0.2, 0.5)
    }
  }

  /// Reads `activations`, whose parameters come from `activation_alpha` and `activation_beta` in the order of the
  /// functions that have them.
  ///
  /// - Parameters:
  ///   - defaults: the functions of one direction.
  ///   - directions: how many directions there are.
  static func read(
    _ attributes: inout AttributeReader, defaults: [GateActivation], directions: Int
  ) throws -> [GateActivation] {
    var alphas = try attributes.optionalFloats("activation_alpha") ?? []
    var betas = try attributes.optionalFloats("activation_beta") ?? []
    let all = Array(repeatElement(defaults, count: directions).joined())
    guard let names = try attributes.optionalStrings("activations"), !names.isEmpty else { return all }
    // The standard's own default for RNN names two functions, also for one direction.
    guard names.count == all.count || names.count == 2 * all.count else {
      throw DLRTError(
        .invalidModel, "wrong number of functions", tensor: "activations", expected: "\(all.count)",
        got: "\(names.count)")
    }
    var result: [GateActivation] = []
    for name in names.prefix(all.count) {
      guard let function = Function(rawValue: name.lowercased()) else {
        throw DLRTError(.unsupportedModel, "no such activation", tensor: "activations", got: "'\(name)'")
      }
      let (alpha, beta) = parameters(function)
      result.append(
        GateActivation(
          function: function, alpha: alpha.map { alphas.isEmpty ? $0 : alphas.removeFirst() } ?? 0,
          beta: beta.map { betas.isEmpty ? $0 : betas.removeFirst() } ?? 0))
    }
    return result
  }
}

extension GateActivation {
  /// Applies the function in place.
  ///
  /// - Parameter clip: bounds the function's input, unless nil.
  func apply<T: RealElement>(_ x: UnsafeMutablePointer<T>, _ count: Int, clip: Float?, _ kernels: KernelSet) {
    if let kernel, let x = x as? UnsafeMutablePointer<Float> {
      let unary = kernels.table.pointee.unary
      if let clip { unary(DLK_UNARY_CLIP, -clip, clip, x, x, Int64(count)) }
      return unary(kernel, alpha, beta, x, x, Int64(count))
    }
    if let clip {
      let bound = T(clip)
      for index in 0..<count { x[index] = x[index] > bound ? bound : x[index] < -bound ? -bound : x[index] }
    }
    let alpha = T(alpha)
    let beta = T(beta)
    switch function {
    case .relu: Self.map(x, count) { $0 < 0 ? 0 : $0 }
    case .tanh: Self.map(x, count) { T.tanh($0) }
    case .sigmoid: Self.map(x, count) { 1 / (1 + T.exp(-$0)) }
    case .affine: Self.map(x, count) { alpha * $0 + beta }
    case .leakyrelu: Self.map(x, count) { $0 < 0 ? alpha * $0 : $0 }
    case .thresholdedrelu: Self.map(x, count) { $0 >= alpha ? $0 : 0 }
    case .scaledtanh: Self.map(x, count) { alpha * T.tanh(beta * $0) }
    case .hardsigmoid: Self.map(x, count) { min(max(alpha * $0 + beta, 0), 1) }
    case .elu: Self.map(x, count) { $0 < 0 ? alpha * T.expm1($0) : $0 }
    case .softsign: Self.map(x, count) { $0 / (1 + abs($0)) }
    // The form that does not overflow for large arguments.
    case .softplus: Self.map(x, count) { max($0, 0) + T.log1p(T.exp(-abs($0))) }
    }
  }

  /// The kernel of the same arithmetic; nil where there is none.
  private var kernel: dlk_unary? {
    switch function {
    case .relu: DLK_UNARY_RELU
    case .tanh: DLK_UNARY_TANH
    case .sigmoid: DLK_UNARY_SIGMOID
    case .affine: DLK_UNARY_AFFINE
    case .leakyrelu: DLK_UNARY_LEAKY_RELU
    case .hardsigmoid: DLK_UNARY_HARD_SIGMOID
    case .elu: DLK_UNARY_ELU
    case .softsign: DLK_UNARY_SOFTSIGN
    case .softplus: DLK_UNARY_SOFTPLUS
    case .thresholdedrelu, .scaledtanh: nil
    }
  }

  @inline(__always)
  private static func map<T: RealElement>(_ x: UnsafeMutablePointer<T>, _ count: Int, _ function: (T) -> T) {
    for index in 0..<count { x[index] = function(x[index]) }
  }
}
