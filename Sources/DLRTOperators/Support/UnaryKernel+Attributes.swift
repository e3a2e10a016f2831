import CKernelSupport
import DLRTGraph

extension UnaryKernel {
  /// The function that leaves its argument as it is.
  package static let identity = UnaryKernel(DLK_UNARY_IDENTITY)

  package var isIdentity: Bool { function == DLK_UNARY_IDENTITY }

  /// Names of functions in the attributes of fused operators, which dumps show.
  private static let names: [(name: String, function: dlk_unary)] = [
    ("affine", DLK_UNARY_AFFINE), ("abs", DLK_UNARY_ABS), ("negate", DLK_UNARY_NEGATE), ("sign", DLK_UNARY_SIGN),
    ("square", DLK_UNARY_SQUARE), ("sqrt", DLK_UNARY_SQRT), ("reciprocal", DLK_UNARY_RECIPROCAL),
    ("rsqrt", DLK_UNARY_RSQRT), ("floor", DLK_UNARY_FLOOR), ("ceil", DLK_UNARY_CEIL), ("round", DLK_UNARY_ROUND),
    ("exp", DLK_UNARY_EXP), ("log", DLK_UNARY_LOG), ("sin", DLK_UNARY_SIN), ("cos", DLK_UNARY_COS),
    ("tanh", DLK_UNARY_TANH), ("erf", DLK_UNARY_ERF), ("sigmoid", DLK_UNARY_SIGMOID), ("relu", DLK_UNARY_RELU),
    ("clip", DLK_UNARY_CLIP), ("leaky_relu", DLK_UNARY_LEAKY_RELU),
    ("thresholded_relu", DLK_UNARY_THRESHOLDED_RELU), ("elu", DLK_UNARY_ELU), ("selu", DLK_UNARY_SELU),
    ("celu", DLK_UNARY_CELU), ("softplus", DLK_UNARY_SOFTPLUS), ("softsign", DLK_UNARY_SOFTSIGN),
    ("mish", DLK_UNARY_MISH), ("hard_sigmoid", DLK_UNARY_HARD_SIGMOID), ("hard_swish", DLK_UNARY_HARD_SWISH),
    ("silu", DLK_UNARY_SILU), ("gelu_erf", DLK_UNARY_GELU_ERF), ("gelu_tanh", DLK_UNARY_GELU_TANH),
  ]

  /// The attributes that make a fused operator apply this function.
  package var attributes: [String: Attribute] { attributes(prefix: "") }

  /// - Parameter prefix: tells the functions of an operator with several of them apart.
  package func attributes(prefix: String) -> [String: Attribute] {
    guard let name = Self.names.first(where: { $0.function == function })?.name else { return [:] }
    let key = prefix + "activation"
    return [key: .string(name), key + "_a": .float(a), key + "_b": .float(b)]
  }

  /// Reads the function that a fused operator applies to its result.
  package init(_ attributes: inout AttributeReader, prefix: String = "") throws {
    let key = prefix + "activation"
    let a = try attributes.float(key + "_a", default: 0)
    let b = try attributes.float(key + "_b", default: 0)
    guard let name = try attributes.optionalString(key) else {
      self = .identity
      return
    }
    guard let function = Self.names.first(where: { $0.name == name })?.function else {
      throw DLRTError(.invalidModel, "attribute has no such value", tensor: key, got: "'\(name)'")
    }
    self.init(function, a, b)
  }
}
