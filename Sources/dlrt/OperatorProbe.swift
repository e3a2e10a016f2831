import DLRT
import DLRTGraph
import DLRTKernels
import DLRTOnnx
import DLRTOperators

/// Finds out which kernels an operator runs, by planning models of one node. Nothing is run, and the answer is the same on
/// every machine: the kernels' names are those of the lowest instruction set, without its name.
struct OperatorProbe {
  struct Finding {
    /// What steps say of themselves, sorted; empty for an operator of which no small node can be made.
    var kernels: [String] = []
    /// Whether one of them is compiled for each instruction set.
    var isOptimized = false
  }

  private let prefix = ISA.baseline.name + "-"

  func find(_ kind: OperatorKind) -> Finding {
    var all: Set<String> = []
    for node in ProbeNode.nodes(of: kind.schema) {
      // Constant weights may have other kernels than weights that are given, and so may images in the layout that
      // convolutions like.
      for firstConstant in [1, Int.max] {
        for isAfterConvolution in [false, true] {
          let found = try? kernels(
            of: node, kind, constantsFrom: firstConstant, afterConvolution: isAfterConvolution)
          all.formUnion(found ?? [])
        }
      }
    }
    return Finding(
      kernels: Set(all.map { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : $0 }).sorted(),
      isOptimized: all.contains { $0.hasPrefix(prefix) })
  }

  private func kernels(
    of node: ProbeNode, _ kind: OperatorKind, constantsFrom firstConstant: Int,
    afterConvolution: Bool
  ) throws -> [String] {
    let schema = kind.schema
    var graph = Graph(name: "probe")
    var shapes: [[Int]?] = []
    var ports: [OnnxModel.Port] = []
    var inputs = try node.inputs.enumerated().map { index, operand -> ValueID? in
      guard let operand else { return nil }
      if let values = operand.values { return graph.addConstant(values, name: "c\(index)") }
      if index >= firstConstant {
        return graph.addConstant(try Tensor(zeros: operand.shape, type: operand.type), name: "c\(index)")
      }
      let shape = Shape(operand.shape)
      let id = graph.addValue(Graph.Value(name: "i\(index)", type: .tensor(operand.type), shape: shape))
      graph.inputs.append(id)
      shapes.append(operand.shape)
      ports.append(OnnxModel.Port(name: "i\(index)", type: .tensor(operand.type), shape: shape))
      return id
    }
    if afterConvolution {
      guard let first = node.inputs.first, let image = first, image.type == .float32, image.shape.count == 4 else {
        return []
      }
      let channels = image.shape[1]
      let weights = graph.addConstant(try Tensor(zeros: [channels, channels, 1, 1], type: .float32), name: "w")
      let features = graph.addValue(Graph.Value(name: "features"))
      graph.addNode(Node(OperatorName("Conv"), name: "before", inputs: [inputs[0], weights], outputs: [features]))
      inputs[0] = features
    }
    let outputs = (0..<max(1, schema.outputs.count { !$0.isOptional })).map { index in
      graph.addValue(Graph.Value(name: "o\(index)"))
    }
    // As import does it, so that operators that others make up are these.
    var made = Node(schema.op, name: "probe", attributes: node.attributes, inputs: inputs, outputs: outputs)
    try kind.modernize(&made, version: schema.versions.last ?? 1, in: &graph)
    graph.addNode(made)
    graph.outputs = outputs
    let source = OnnxModel(
      graph: graph, inputs: ports, outputs: outputs.map { OnnxModel.Port(name: graph[$0].name, type: nil, shape: nil) },
      information: OnnxModel.Information())
    let model = try Model(source, options: Model.Options())
    let session = try Session(model, options: SessionOptions(threads: 1), kernels: KernelSet(.baseline))
    // What passes put around the node to change layouts is not the operator's. A node that the convolution takes over
    // has no step of its own.
    let steps = try session.plan(shapes: shapes).steps
    return steps.filter { step in
      step.node != "before" && (step.operatorName != "Transpose" || schema.op.name == "Transpose")
    }.map(\.kernel)
  }
}

/// The operands and attributes of one node to try.
struct ProbeNode {
  struct Operand {
    let type: DataType
    let shape: [Int]
    var values: Tensor?
  }

  var inputs: [Operand?]
  var attributes: [String: Attribute] = [:]

  private init(_ inputs: [Operand?], _ attributes: [String: Attribute]) {
    self.inputs = inputs
    self.attributes = attributes
  }

  /// Nodes of an operator: those that its own shapes need, or else a few with inputs of one shape.
  static func nodes(of schema: OperatorSchema) -> [ProbeNode] {
    let own = shapes[schema.op.name] ?? []
    if !own.isEmpty {
      return own.flatMap { entry in
        firstTypes(schema).map { first in
          ProbeNode(entry.inputs.enumerated().map { input(schema, $0, $1, first) }, entry.attributes)
        }
      }
    }
    return [[16, 16], [2, 4, 8, 8], [16]].flatMap { shape in
      firstTypes(schema).flatMap { first in
        inputCounts(schema).map { count in
          ProbeNode((0..<count).map { operand(schema, $0, shape, first) }, [:])
        }
      }
    }
  }

  private static func input(_ schema: OperatorSchema, _ index: Int, _ input: Input, _ first: DataType) -> Operand? {
    switch input {
    case .absent: return nil
    case .shape(let shape): return operand(schema, index, shape, first)
    case .integers(let values):
      guard let tensor = try? Tensor(int64: values) else { return nil }
      return Operand(type: .int64, shape: tensor.shape, values: tensor)
    case .floats(let values):
      guard let tensor = try? Tensor(values, shape: [values.count]) else { return nil }
      return Operand(type: .float32, shape: tensor.shape, values: tensor)
    }
  }

  /// What the first input may be: kernels are for float32 and bytes.
  private static func firstTypes(_ schema: OperatorSchema) -> [DataType] {
    guard let formal = schema.input(0), let allowed = schema.types[formal.constraint] else { return [.float32] }
    let common = [DataType.float32, .uint8, .int8].filter(allowed.contains)
    return common.isEmpty ? Array(allowed.types.prefix(1)) : common
  }

  private static func inputCounts(_ schema: OperatorSchema) -> [Int] {
    let required = schema.inputs.count { !$0.isOptional && !$0.isVariadic }
    let isVariadic = schema.inputs.last?.isVariadic == true
    return isVariadic ? [required + 2] : Set([required, schema.inputs.count]).sorted()
  }

  private static func operand(
    _ schema: OperatorSchema, _ index: Int, _ shape: [Int], _ first: DataType
  ) -> Operand {
    guard let formal = schema.input(index), let allowed = schema.types[formal.constraint] else {
      return Operand(type: .float32, shape: shape)
    }
    if formal.constraint == schema.input(0)?.constraint { return Operand(type: first, shape: shape) }
    let order: [DataType] = [.float32, .int64, .int32, .bool, first]
    let type = order.first(where: allowed.contains) ?? allowed.types.first ?? .float32
    return Operand(type: type, shape: shape)
  }
}
