import COnnx
import DLRTGraph

/// A node's attributes, with subgraphs whose captures are not settled yet.
struct ReadAttributes {
  fileprivate(set) var values: [String: Attribute] = [:]
  fileprivate var bodies: [(name: String, graphs: [GraphBuilder], isList: Bool)] = []

  /// Gives all subgraphs the same captured values as last inputs, appends them to the node's and returns their number.
  mutating func shareCaptures(with inputs: inout [ValueID?], _ outer: Graph) -> Int {
    var shared: [ValueID] = []
    var seen: Set<ValueID> = []
    for builder in bodies.flatMap(\.graphs) {
      for capture in builder.captures where seen.insert(capture.outer).inserted { shared.append(capture.outer) }
    }
    for body in bodies {
      let graphs = body.graphs.map { $0.finish(captures: shared, of: outer) }
      values[body.name] = body.isList ? .graphs(graphs) : graphs.first.map(Attribute.graph)
    }
    inputs += shared.map(Optional.some)
    return shared.count
  }

  /// True when an attribute is a graph.
  var hasBodies: Bool { !bodies.isEmpty }
}

extension Attribute {
  /// What the value takes beside the file.
  fileprivate var ownBytes: Int {
    switch self {
    case .tensor(let tensor): tensor.isOwned ? tensor.byteCount : 0
    case .tensors(let tensors): tensors.reduce(0) { $0 + ($1.isOwned ? $1.byteCount : 0) }
    case .ints(let values): values.count * MemoryLayout<Int>.size
    case .floats(let values): values.count * MemoryLayout<Float>.size
    case .string(let text): text.utf8.count
    case .strings(let texts): texts.reduce(0) { $0 + $1.utf8.count }
    default: 0
    }
  }
}

extension Importer {
  func attributes(of source: SourceNode, _ scope: Scope) throws -> ReadAttributes {
    var result = ReadAttributes()
    var seen: Set<String> = []
    for attribute in source.view.attributes.all {
      let name = try attribute.name.name(of: "an attribute")
      guard !name.isEmpty, source.view.attributes.count == 1 || seen.insert(name).inserted else {
        throw DLRTError(.invalidModel, "an attribute has no name of its own", tensor: name)
      }
      if attribute.reference.count > 0 {
        // An attribute that the call leaves out is left out here, too.
        result.values[name] = try referenced(attribute, scope)
      } else if attribute.kind == COnnxAttributeGraph || attribute.kind == COnnxAttributeGraphs {
        let graphs = try attribute.graphs.all.map { try build($0, frame: scope.frame, outer: scope) }
        let isList = attribute.kind == COnnxAttributeGraphs
        guard isList || graphs.count == 1 else { throw Self.empty(name) }
        result.bodies.append((name, graphs, isList))
      } else {
        let read = try value(attribute, name)
        try charge(read.ownBytes, scope)
        result.values[name] = read
      }
    }
    return result
  }

  /// The function call's attribute that a node within the function refers to.
  private func referenced(_ attribute: COnnxAttribute, _ scope: Scope) throws -> Attribute? {
    let name = try attribute.reference.name(of: "an attribute")
    guard let call = scope.frame.attributes else {
      throw DLRTError(.invalidModel, "refers to a function's attribute outside a function", tensor: name)
    }
    return call[name]
  }

  func value(_ attribute: COnnxAttribute, _ name: String) throws -> Attribute {
    switch attribute.kind {
    case COnnxAttributeFloat: return .float(attribute.f)
    case COnnxAttributeInt: return .int(Int(attribute.i))
    case COnnxAttributeString: return .string(try Self.text(attribute.s, name))
    case COnnxAttributeFloats:
      return .floats(Array(UnsafeBufferPointer(start: attribute.floats.values, count: attribute.floats.count)))
    case COnnxAttributeInts: return .ints(attribute.ints.ints)
    case COnnxAttributeStrings: return .strings(try attribute.strings.all.map { try Self.text($0, name) })
    case COnnxAttributeTensor:
      guard let tensor = attribute.tensors.first else { throw Self.empty(name) }
      return .tensor(try decoder.decode(tensor, name: name))
    case COnnxAttributeTensors:
      return .tensors(try attribute.tensors.all.map { try decoder.decode($0, name: name) })
    case COnnxAttributeSparseTensor:
      guard let tensor = attribute.sparse_tensors.first else { throw Self.empty(name) }
      return .tensor(try decoder.decode(tensor, name: name))
    case COnnxAttributeSparseTensors:
      return .tensors(try attribute.sparse_tensors.all.map { try decoder.decode($0, name: name) })
    case COnnxAttributeType:
      guard let type = attribute.types.first else { throw Self.empty(name) }
      return .type(try Self.type(type, name))
    case COnnxAttributeTypes: return .types(try attribute.types.all.map { try Self.type($0, name) })
    case COnnxAttributeGraph, COnnxAttributeGraphs:
      throw DLRTError(.unsupportedModel, "graphs cannot be attributes of functions", tensor: name)
    default: throw DLRTError(.invalidModel, "the attribute has no type", tensor: name)
    }
  }

  private static func text(_ text: COnnxText, _ name: String) throws(DLRTError) -> String {
    guard let value = text.exact else {
      throw DLRTError(.invalidModel, "the attribute is not UTF-8", tensor: name, got: "'\(text.prose)'")
    }
    return value
  }

  private static func type(_ source: COnnxType, _ name: String) throws(DLRTError) -> ValueType {
    guard let type = try DeclaredType(source, name: name).type else { throw empty(name) }
    return type
  }

  private static func empty(_ name: String) -> DLRTError {
    DLRTError(.invalidModel, "the attribute has no value", tensor: name)
  }
}
