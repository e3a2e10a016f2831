import COnnx
import DLRTGraph
import DLRTOperators

/// Makes a graph of a parsed model. History ends here: functions are expanded, old forms of operators become the newest,
/// constants become values, subgraphs say what they capture.
final class Importer {
  let source: COnnxModel
  let decoder: TensorDecoder
  let registry: OperatorRegistry
  private(set) var functions: [FunctionKey: COnnxFunction] = [:]
  /// One failure for each operator that is missing.
  private var missing: [DLRTError] = []
  private var missingOperators: Set<String> = []
  private var nodeCount = 0

  /// A function of a few bytes may call others twice each, and so on: bounds on what it grows to.
  static let deepestCall = 32
  static let mostNodes = 1 << 18
  /// Graphs within graphs and calls within calls multiply, and whoever reads them recurses.
  static let deepestScope = 64
  /// What calls of functions may still make anew.
  private var callBytes = 1 << 30

  struct FunctionKey: Hashable {
    let op: OperatorName
    let overload: String
  }

  init(_ source: COnnxModel, decoder: TensorDecoder, registry: OperatorRegistry) {
    self.source = source
    self.decoder = decoder
    self.registry = registry
  }

  func model() throws -> OnnxModel {
    guard let graph = source.graph.first else { throw DLRTError(.invalidModel, "the model has no graph") }
    let information = try information(graph)
    for function in source.functions.all {
      let op = OperatorName(
        try function.name.name(of: "a function"), domain: try function.domain.name(of: "a function's domain"))
      let key = FunctionKey(op: op, overload: try function.overload.name(of: "a function's overload"))
      guard functions.updateValue(function, forKey: key) == nil else {
        throw DLRTError(.invalidModel, "a function is defined twice", operatorName: op.description)
      }
    }
    let builder = try build(graph, frame: Frame(opsets: information.opsets), outer: nil)
    guard missing.isEmpty else {
      throw DLRTError(
        .unsupportedModel, missing.count == 1 ? "an operator is missing" : "\(missing.count) operators are missing",
        causes: missing)
    }
    let made = builder.graph
    let inputs = made.inputs.map { id in
      OnnxModel.Port(
        name: made[id].name, type: made[id].type, shape: made[id].shape, isOptional: made.defaults[id] != nil)
    }
    for input in inputs where input.type == nil {
      throw DLRTError(.invalidModel, "the input has no type", tensor: input.name)
    }
    return OnnxModel(graph: made, inputs: inputs, outputs: try outputs(graph, made), information: information)
  }

  private func outputs(_ source: COnnxGraph, _ graph: Graph) throws -> [OnnxModel.Port] {
    guard !graph.outputs.isEmpty else { throw DLRTError(.invalidModel, "the graph has no outputs") }
    var seen: Set<String> = []
    return try graph.outputs.indices.prefix(source.outputs.count).map { index in
      let (output, id) = (source.outputs.at(index), graph.outputs[index])
      let name = try output.name.name(of: "an output")
      guard seen.insert(name).inserted else {
        throw DLRTError(.invalidModel, "two outputs have one name", tensor: name)
      }
      let declared = try output.type.first.map { try DeclaredType($0, name: name) }
      return OnnxModel.Port(
        name: name, type: declared?.type ?? graph[id].type, shape: declared?.shape ?? graph[id].shape)
    }
  }

  private func information(_ graph: COnnxGraph) throws -> OnnxModel.Information {
    var result = OnnxModel.Information()
    result.irVersion = Int(source.ir_version)
    result.modelVersion = Int(source.model_version)
    result.opsets = try opsets(source.opsets)
    // The first two versions of the format did not say.
    if result.opsets.isEmpty, result.irVersion < 3 { result.opsets[""] = 1 }
    result.producerName = source.producer_name.prose
    result.producerVersion = source.producer_version.prose
    result.domain = source.domain.prose
    result.description = source.doc.prose
    result.graphName = graph.name.prose
    for entry in source.metadata.all { result.metadata[entry.key.prose] = entry.value.prose }
    return result
  }

  func opsets(_ list: COnnxOpsetList) throws(DLRTError) -> [String: Int] {
    var result: [String: Int] = [:]
    for entry in list.all {
      let name = try entry.domain.name(of: "an operator set")
      let domain = OperatorName("", domain: name).domain
      let version = Int(entry.version)
      guard version > 0 else {
        throw DLRTError(.invalidModel, "operator set '\(domain)' has no valid version", got: "\(version)")
      }
      guard !domain.isEmpty || version <= OnnxModel.newestOpset else {
        throw DLRTError(
          .unsupportedModel, "the operator set is newer than this library",
          expected: "at most \(OnnxModel.newestOpset)", got: "\(version)")
      }
      if let other = result.updateValue(version, forKey: domain), other != version {
        throw DLRTError(
          .invalidModel, "operator set '\(domain)' is imported twice", expected: "\(other)", got: "\(version)")
      }
    }
    return result
  }

  /// Notes an operator that cannot be run, so that all of them are reported together.
  func report(_ op: OperatorName, version: Int, node: String, _ message: String) {
    guard missingOperators.insert("\(op) \(version)").inserted else { return }
    missing.append(DLRTError(.unsupportedModel, message, node: node, operatorName: op.description))
  }

  /// Counts names and values that a call of a function makes anew: a small file may call a large function often.
  func charge(_ bytes: Int, _ scope: Scope) throws(DLRTError) {
    guard scope.frame.depth > 0 else { return }
    callBytes -= bytes
    guard callBytes >= 0 else {
      throw DLRTError(.limitExceeded, "the model has more than 1 GiB of names and values when functions are expanded")
    }
  }

  func countNode() throws(DLRTError) {
    nodeCount += 1
    guard nodeCount <= Self.mostNodes else {
      throw DLRTError(.limitExceeded, "the model has more than \(Self.mostNodes) nodes when functions are expanded")
    }
  }
}
