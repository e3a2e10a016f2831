import COnnx
import DLRTGraph
import DLRTOperators

/// A model as its file has it, with the graph in the one form that the engine knows.
package struct OnnxModel: Sendable {
  /// An input or output as the model declares it.
  package struct Port: Sendable {
    package let name: String
    package let type: ValueType?
    package let shape: Shape?
    /// True for an input that has a default.
    package let isOptional: Bool

    package init(name: String, type: ValueType?, shape: Shape?, isOptional: Bool = false) {
      self.name = name
      self.type = type
      self.shape = shape
      self.isOptional = isOptional
    }
  }

  package var graph: Graph
  /// In the order of `graph.inputs`.
  package var inputs: [Port]
  /// In the order of `graph.outputs`, whose values passes may exchange for others.
  package var outputs: [Port]
  package var information: Information

  /// What a model says about itself.
  package struct Information: Sendable {
    package var irVersion = 0
    package var modelVersion = 0
    /// The operator sets by domain; ONNX's own is the empty string.
    package var opsets: [String: Int] = [:]
    package var producerName = ""
    package var producerVersion = ""
    package var domain = ""
    package var description = ""
    package var graphName = ""
    package var metadata: [String: String] = [:]

    package init() {}
  }

  package init(graph: Graph, inputs: [Port], outputs: [Port], information: Information) {
    self.graph = graph
    self.inputs = inputs
    self.outputs = outputs
    self.information = information
  }

  /// The newest version of ONNX's operator set whose changes are known.
  package static let newestOpset = 28
}

extension OnnxModel {
  /// Loads a file; its weights stay in the mapped file.
  ///
  /// - Throws: `DLRTError` with `io`, `invalidModel`, `unsupportedModel` (naming every operator that is missing) or
  ///   `limitExceeded`.
  package init(path: String, registry: OperatorRegistry = .standard) throws {
    let file = try MappedFile(path: path)
    let external = ExternalData(modelPath: path)
    try self.init(bytes: file.bytes, owner: file, external: external, registry: registry)
    // Looking at each tensor's header left whatever lies around it resident, as much as megabytes.
    file.release(file.bytes)
    external.releasePages()
  }

  /// Loads from memory that `owner` keeps unchanged; the weights stay in it. External data is refused.
  package init(
    bytes: UnsafeRawBufferPointer, owner: AnyObject, registry: OperatorRegistry = .standard
  ) throws {
    try self.init(bytes: bytes, owner: owner, external: nil, registry: registry)
  }

  private init(
    bytes: UnsafeRawBufferPointer, owner: AnyObject, external: ExternalData?, registry: OperatorRegistry
  ) throws {
    let document = try Document(COnnxKindModel, bytes: bytes, owner: owner)
    let decoder = TensorDecoder(owner: owner, external: external)
    self = try withExtendedLifetime(document) {
      try Importer(connx_model(document.pointer), decoder: decoder, registry: registry).model()
    }
  }
}
