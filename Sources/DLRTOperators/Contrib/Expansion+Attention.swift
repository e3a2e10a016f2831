import DLRTGraph

/// What an attention operator of ONNX Runtime says beside Q, K and V.
struct AttentionOptions {
  var heads: Int
  var keyHeads: Int
  var scale: Float?
  var isCausal = false
  var softcap: Float = 0
  var leftWindow: Int?
  var filter: Float = -10000

  /// The attributes that Attention and MultiHeadAttention share.
  init(_ x: inout Expansion) throws {
    heads = try x.positive("num_heads")
    keyHeads = heads
    scale = try Self.scale(&x)
    isCausal = try x.attributes.flag("unidirectional")
    filter = try x.attributes.float("mask_filter_value", default: -10000)
  }

  init(heads: Int, keyHeads: Int) {
    self.heads = heads
    self.keyHeads = keyHeads
  }

  /// 0 stands for 1 / √size as much as nothing does.
  static func scale(_ x: inout Expansion) throws -> Float? {
    let scale = try x.attributes.float("scale", default: 0)
    return scale == 0 ? nil : scale
  }

  var attributes: [String: Attribute] {
    var result: [String: Attribute] = [
      "q_num_heads": .int(heads), "kv_num_heads": .int(keyHeads), "is_causal": .int(isCausal ? 1 : 0),
      Attention.relaxed: .int(1),
    ]
    if let scale { result["scale"] = .float(scale) }
    if softcap != 0 { result["softcap"] = .float(softcap) }
    if let leftWindow { result["left_window_size"] = .int(leftWindow) }
    return result
  }
}

extension Expansion {
  /// The sum of a padding mask, in any of its forms, and a bias that is there already.
  ///
  /// - Parameters:
  ///   - keys: whatever has the keys' batch and number.
  mutating func scoreBias(
    mask: ValueID?, bias: ValueID?, keys: ValueID, past: ValueID?, filter: Float
  ) -> ValueID? {
    guard let mask else { return bias }
    let added = add(
      "PaddingMask", domain: OperatorName.internalDomain, [mask, keys, past], ["filter": .float(filter)])
    return bias.map { add("Add", [added, $0]) } ?? added
  }

  /// A cache [2, batch, heads, positions, size] as keys and values.
  mutating func splitPast(_ past: ValueID?) throws -> (key: ValueID?, value: ValueID?) {
    guard let past else { return (nil, nil) }
    let (first, second) = (constant(try Tensor(int64: [0], shape: [])), constant(try Tensor(int64: [1], shape: [])))
    return (add("Gather", [past, first]), add("Gather", [past, second]))
  }

  /// Adds the attention that makes output 0 and, where it is wanted, output 1 as [2, batch, heads, positions, size].
  mutating func attend(
    _ q: ValueID, _ k: ValueID, _ v: ValueID, bias: ValueID?, past: (key: ValueID?, value: ValueID?),
    _ options: AttentionOptions
  ) throws {
    let inputs: [ValueID?] = [q, k, v, bias, past.key, past.value]
    guard wants(1) else { return result("Attention", inputs, options.attributes) }
    let result = shared(0)
    let (key, value) = (graph.addValue(Graph.Value(name: "")), graph.addValue(Graph.Value(name: "")))
    append("Attention", inputs, options.attributes, [result, key, value])
    let axis = try ints([0])
    results([1], "Concat", [add("Unsqueeze", [key, axis]), add("Unsqueeze", [value, axis])], ["axis": .int(0)])
  }
}
