import DLRTGraph
import DLRTOnnx
import Glibc
import Testing

@Suite struct ExportTests {
  /// What comes back from the bytes of a model.
  private func again(_ model: OnnxModel) throws -> OnnxModel { try load(try model.bytes(registry: .forTests)) }

  @Test func modelsComeBack() throws {
    for source in [smallModel(), richModel()] {
      let model = try load(source)
      let back = try again(model)
      try GraphVerifier.verify(back.graph)
      #expect(back.inputs.map(\.name) == model.inputs.map(\.name))
      #expect(back.inputs.map(\.type) == model.inputs.map(\.type))
      #expect(back.outputs.map(\.name) == model.outputs.map(\.name))
      #expect(back.graph.nodes.map(\.op) == model.graph.nodes.map(\.op))
      // Names are settled after the first time.
      #expect(try again(back).graph.dump() == back.graph.dump())
      #expect(try again(back).bytes(registry: .forTests) == back.bytes(registry: .forTests))
    }
    let model = try load(smallModel())
    #expect(try again(model).graph.dump() == model.graph.dump())
  }

  @Test func weightsComeBackBitForBit() throws {
    let values: [Float] = (0..<5000).map { Float($0) * 0.25 }
    let model = try load(
      .model(
        .graph(
          [.node("Add", ["x", "w"], ["y"])], inputs: [.value("x", dims: [5000])], outputs: [.value("y")],
          initializers: [
            .tensor("w", dims: [5000], raw: [UInt8](littleEndian: values)),
            .tensor("unused", dims: [5000], raw: [UInt8](littleEndian: values)),
          ])))
    let bytes = try model.bytes(registry: .forTests)
    #expect(bytes.count < 30_000)
    let weight = try load(bytes).graph.values.first { $0.name == "w" }?.constant
    #expect(try weight?.array(of: Float.self) == values)
  }

  @Test func keepsNamesOfOutputsThatShareAValue() throws {
    var graph = Graph(name: "g")
    let x = graph.addValue(Graph.Value(name: "x", type: .tensor(.float32), shape: [2]))
    graph.inputs = [x]
    let y = graph.addValue(Graph.Value(name: "", type: .tensor(.float32)))
    graph.addNode(Node(OperatorName("Relu"), inputs: [x], outputs: [y]))
    graph.outputs = [y, x, y]
    let port = { OnnxModel.Port(name: $0, type: .tensor(.float32), shape: nil) }
    let model = OnnxModel(
      graph: graph, inputs: [port("x")], outputs: [port("a"), port("x"), port("b")], information: .init())
    let back = try again(model)
    #expect(back.outputs.map(\.name) == ["a", "x", "b"])
    #expect(back.graph.nodes.map(\.op.name) == ["Relu", "Identity"])
  }

  @Test func makesNamesUnique() throws {
    var graph = Graph()
    let x = graph.addValue(Graph.Value(name: "x", type: .tensor(.float32)))
    graph.inputs = [x]
    var last = x
    for _ in 0..<3 {
      let next = graph.addValue(Graph.Value(name: "x"))
      graph.addNode(Node(OperatorName("Relu"), inputs: [last], outputs: [next]))
      last = next
    }
    graph.outputs = [last]
    let port = { OnnxModel.Port(name: $0, type: .tensor(.float32), shape: nil) }
    let back = try again(OnnxModel(graph: graph, inputs: [port("x")], outputs: [port("y")], information: .init()))
    #expect(back.graph.order.map { back.graph.label(of: $0) } == ["x_1", "x_2", "y"])
  }

  @Test func stampsTheOldestOperatorSetThatServes() throws {
    #expect(try again(load(smallModel())).information.opsets == ["": 18])
    #expect(try again(load(smallModel())).information.irVersion == 8)
    // Four-bit integers came with version 21.
    let model = try load(
      .model(
        .graph(
          [.node("Relu", ["w"], ["y"])], outputs: [.value("y", type: 22)],
          initializers: [.tensor("w", type: 22, dims: [2], raw: [0x21])])))
    #expect(try again(model).information.opsets == ["": 21])
  }

  @Test func refusesOperatorsOfItsOwn() throws {
    var model = try load(smallModel())
    let id = model.graph.order[0]
    model.graph[id].op = OperatorName("Fused", domain: OperatorName.internalDomain)
    let error = failure { try model.bytes(registry: .forTests) }
    #expect(error?.code == .unsupportedModel && error?.node == "sum")
  }

  @Test func keepsDefaultsAndWords() throws {
    var model = try load(
      .model(
        .graph(
          [.node("Add", ["x", "w"], ["y"])], inputs: [.value("x"), .value("w")], outputs: [.value("y")],
          initializers: [.tensor("w", raw: [0, 0, 0x80, 0x3F])])))
    model.information.metadata = ["labels": "a,b"]
    model.information.producerName = "tests"
    let back = try again(model)
    #expect(back.inputs.map(\.isOptional) == [false, true])
    #expect(back.information.metadata == ["labels": "a,b"])
    #expect(back.information.producerName == "tests")
  }

  @Test func aFileIsWholeOrNotThere() throws {
    let path = "/tmp/dlrt-export-\(getpid()).onnx"
    defer { unlink(path) }
    let model = try load(smallModel())
    try model.write(path: path, registry: .forTests)
    #expect(try OnnxModel(path: path, registry: .forTests).graph.nodes.count == 2)
    #expect(failure { try model.write(path: "/nowhere/x.onnx", registry: .forTests) }?.code == .io)
  }
}
