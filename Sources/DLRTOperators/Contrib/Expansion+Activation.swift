import DLRTGraph

extension Expansion {
  /// Applies the function that a fused operator names.
  ///
  /// - Parameter parameters: in the order of the function's own attributes; missing ones have its defaults.
  mutating func activate(_ value: ValueID, _ name: String?, _ parameters: [Float]) throws {
    func named(_ names: String...) -> [String: Attribute] {
      Dictionary(uniqueKeysWithValues: zip(names, parameters.map(Attribute.float)))
    }
    switch name {
    case nil, "": hand(value, to: 0)
    case "Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "HardSwish", "Gelu", "Mish": result(name ?? "", [value])
    case "LeakyRelu", "Elu", "ThresholdedRelu", "Celu", "Swish": result(name ?? "", [value], named("alpha"))
    case "HardSigmoid": result("HardSigmoid", [value], named("alpha", "beta"))
    case "Selu": result("Selu", [value], named("alpha", "gamma"))
    case "Silu", "SiLU": result("Swish", [value])
    case "Clip":
      let bounds = try parameters.prefix(2).map { try number($0, like: value) }
      result("Clip", [value] + bounds)
    case let other?:
      throw DLRTError(.unsupportedModel, "no such activation", tensor: "activation", got: "'\(other)'")
    }
  }
}
