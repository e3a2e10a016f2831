import DLRTGraph
import DLRTOperators

/// The operator sets that an exported graph needs: as old as can be, so that as many readers as can be take the file.
struct OperatorSets {
  private(set) var versions: [String: Int]

  /// In this version, operators have the form that the graph knows, but for those in `younger`.
  private static let oldest = 18

  /// Attributes (or, without one, whole forms) that are younger than `oldest`.
  private static let younger: [(op: String, attribute: String?, version: Int)] = [
    ("AveragePool", "dilations", 19), ("Cast", "saturate", 19), ("Cast", "round_mode", 24),
    ("CastLike", "saturate", 19), ("CastLike", "round_mode", 24), ("DFT", nil, 20),
    ("DequantizeLinear", "block_size", 21), ("DequantizeLinear", "output_dtype", 23), ("GridSample", nil, 20),
    ("GroupNormalization", nil, 21), ("QuantizeLinear", "saturate", 19), ("QuantizeLinear", "block_size", 21),
    ("QuantizeLinear", "output_dtype", 21), ("QuantizeLinear", "precision", 23), ("Range", "stash_type", 27),
    ("SpaceToDepth", "mode", 28),
  ]

  /// The version of the format that came with an operator set.
  var irVersion: Int {
    switch versions[""] ?? Self.oldest {
    case ...18: 8
    case ...20: 9
    case ...22: 10
    case 23: 11
    case 24: 12
    case ...27: 13
    default: 14
    }
  }

  init(of graph: Graph, _ registry: OperatorRegistry) throws(DLRTError) {
    versions = ["": Self.oldest]
    try add(graph, registry)
  }

  private mutating func require(_ version: Int, domain: String = "") {
    versions[domain] = max(versions[domain] ?? 1, version)
  }

  private mutating func add(_ graph: Graph, _ registry: OperatorRegistry) throws(DLRTError) {
    var used = Set(graph.inputs + graph.outputs)
    for node in graph.nodes { used.formUnion((node.inputs + node.outputs).compactMap { $0 }) }
    for id in used {
      if let type = graph[id].type { require(Self.version(of: type)) }
    }
    for id in graph.order where graph.contains(id) {
      let node = graph[id]
      guard node.op.domain != OperatorName.internalDomain, let schema = registry[node.op]?.schema else {
        throw DLRTError(
          .unsupportedModel, "ONNX has no such operator", node: graph.label(of: id),
          operatorName: node.op.description)
      }
      if node.op.domain.isEmpty {
        require(schema.versions.first ?? 1)
        for entry in Self.younger where entry.op == node.op.name {
          if entry.attribute.map({ node.attributes[$0] != nil }) ?? true { require(entry.version) }
        }
      } else {
        require(node.version ?? schema.versions.last ?? 1, domain: node.op.domain)
      }
      for body in node.subgraphs { try add(body, registry) }
    }
  }

  /// The first operator set that knows a type.
  private static func version(of type: ValueType) -> Int {
    switch type {
    case .tensor(let type):
      switch type {
      case .float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz: 19
      case .int4, .uint4: 21
      case .float4e2m1: 23
      case .float8e8m0: 24
      case .int2, .uint2: 25
      case .float6e2m3, .float6e3m2: 28
      default: 1
      }
    case .sequence(let element), .optional(let element): version(of: element)
    case .map(_, let value): version(of: value)
    }
  }
}
