import DLRTCompiler
import DLRTGraph
import DLRTOnnx
import DLRTOperators

@_exported import struct DLRTGraph.DLRTError
@_exported import enum DLRTGraph.DataType
@_exported import enum DLRTGraph.Dim
@_exported import struct DLRTGraph.Shape
@_exported import struct DLRTGraph.Tensor
@_exported import protocol DLRTGraph.TensorElement
@_exported import enum DLRTGraph.Value
@_exported import enum DLRTGraph.ValueType
@_exported import protocol DLRTOperators.CustomOperator
@_exported import struct DLRTOperators.CustomOperators
@_exported import struct DLRTOperators.MutableTensorView
@_exported import struct DLRTOperators.OperatorAttributes
@_exported import struct DLRTOperators.OperatorCall
@_exported import struct DLRTOperators.OperatorSignature
@_exported import struct DLRTOperators.TensorDescription
@_exported import struct DLRTOperators.TensorView

/// A loaded ONNX model: optimised, immutable, shared by any number of sessions and threads.
public final class Model: Sendable {
  /// Choices made when a model is loaded.
  public struct Options: Sendable {
    /// Whether to rewrite the graph into a faster one; off, every node runs as the file has it.
    public var optimizes: Bool
    /// Operators of the user's own that the model may use beside dlrt's.
    public var operators: CustomOperators

    public init(optimizes: Bool = true, operators: CustomOperators = CustomOperators()) {
      self.optimizes = optimizes
      self.operators = operators
    }
  }

  /// An input or output as the model declares it.
  public struct Port: Sendable {
    public let name: String
    public let type: ValueType
    /// nil when the model says nothing, not even the rank.
    public let shape: Shape?
    /// True for an input that has a default in the model and may be left out.
    public let isOptional: Bool
    /// True for an output that comes from random numbers, so that no two runs need to agree.
    public let isRandom: Bool
  }

  /// What the model says about itself.
  public struct Metadata: Sendable {
    public let irVersion: Int
    public let modelVersion: Int
    /// Operator-set versions by domain; ONNX's own is the empty string.
    public let opsets: [String: Int]
    public let producerName: String
    public let producerVersion: String
    public let domain: String
    public let description: String
    public let graphName: String
    /// The model's own key-value pairs.
    public let properties: [String: String]
  }

  public let inputs: [Port]
  public let outputs: [Port]
  public let metadata: Metadata
  let program: Program
  let weights = WeightStore()

  /// Loads a file. Its weights stay in the mapped file as far as kernels can use them there.
  ///
  /// - Throws: `DLRTError` with `io`, `invalidModel`, or `unsupportedModel`, which names all operators that are missing.
  public convenience init(contentsOf path: String, options: Options = Options()) throws {
    try self.init(OnnxModel(path: path, registry: options.operators.registry), options: options)
  }

  /// Loads from memory, which is copied.
  public convenience init(bytes: [UInt8], options: Options = Options()) throws {
    let storage = try TensorStorage(byteCount: bytes.count)
    bytes.withUnsafeBytes { source in
      if let start = source.baseAddress { storage.base.copyMemory(from: start, byteCount: source.count) }
    }
    let view = UnsafeRawBufferPointer(start: storage.base, count: bytes.count)
    try self.init(bytes: view, owner: storage, options: options)
  }

  /// Loads from memory that `owner` keeps alive and unchanged as long as the model lives; nothing is copied.
  public convenience init(bytes: UnsafeRawBufferPointer, owner: AnyObject, options: Options = Options()) throws {
    try self.init(OnnxModel(bytes: bytes, owner: owner, registry: options.operators.registry), options: options)
  }

  package init(_ source: OnnxModel, options: Options, verifies: Bool = false) throws {
    inputs = source.inputs.map { port in
      Port(
        name: port.name, type: port.type ?? .tensor(.float32), shape: port.shape, isOptional: port.isOptional,
        isRandom: false)
    }
    let information = source.information
    metadata = Metadata(
      irVersion: information.irVersion, modelVersion: information.modelVersion, opsets: information.opsets,
      producerName: information.producerName, producerVersion: information.producerVersion,
      domain: information.domain, description: information.description, graphName: information.graphName,
      properties: information.metadata)
    let compiler = ModelCompiler(
      optimizes: options.optimizes, registry: options.operators.registry, weights: weights, verifies: verifies)
    program = try compiler.compile(source.graph)
    let random = program.randomValues()
    outputs = zip(source.outputs, program.graph.outputs).map { [program] port, value in
      let fact = program.fact(value)
      return Port(
        name: port.name, type: port.type ?? fact?.type ?? .tensor(.float32),
        shape: Self.named(fact?.shape) ?? port.shape,
        isOptional: false, isRandom: random.contains(value))
    }
  }
}

extension Model {
  private static func named(_ shape: Shape?) -> Shape? {
    shape.map { Shape($0.dims.map { $0.isNamed ? $0 : .unknown }) }
  }

  /// The optimised graph as text.
  public var graphDescription: String { program.dump }

  /// How many elements the model's constants have in all.
  public var parameterCount: Int {
    program.graph.values.reduce(0) { $0 &+ ($1.constant?.count ?? 0) }
  }

  /// How often each operator stands in the graph, by name.
  public var operatorCounts: [String: Int] {
    program.graph.nodes.reduce(into: [:]) { $0[$1.op.description, default: 0] += 1 }
  }
}
