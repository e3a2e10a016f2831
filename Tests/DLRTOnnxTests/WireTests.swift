import DLRTGraph
import DLRTOnnx
import Testing

/// y = Relu(x + w), with enough around it to be worth damaging.
func smallModel() -> Proto {
  .model(
    .graph(
      [.node("Add", ["x", "w"], ["s"], name: "sum"), .node("Relu", ["s"], ["y"])],
      inputs: [.value("x", dims: [2, 3])], outputs: [.value("y", dims: [2, 3])],
      initializers: [.tensor("w", dims: [2, 3], raw: [UInt8](littleEndian: [1, 2, 3, 4, 5, 6] as [Float]))]
    ) { $0.message(13, .value("s", dims: [2, 3])) })
}

@Suite struct WireTests {
  @Test func loadsTheSmallModel() throws {
    let model = try load(smallModel())
    #expect(model.graph.nodes.map(\.op.name) == ["Add", "Relu"])
    #expect(model.inputs.map(\.name) == ["x"])
    #expect(model.outputs.map(\.name) == ["y"])
    #expect(model.outputs[0].shape == [2, 3])
    try GraphVerifier.verify(model.graph)
  }

  @Test func refusesAnEmptyFile() {
    #expect(failure { try load([]) }?.code == .invalidModel)
  }

  @Test func refusesEveryTruncation() {
    let whole = smallModel().bytes
    for length in 0..<whole.count {
      // A cut between two fields of the model leaves a valid message, which lacks the graph.
      #expect(failure { try load(Array(whole[..<length])) }?.code == .invalidModel, "cut at \(length)")
    }
  }

  @Test func refusesALengthBeyondTheEnd() {
    #expect(failure { try load([0x3A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0]) }?.code == .invalidModel)
    #expect(failure { try load([0x3A] + [UInt8](repeating: 0xFF, count: 9) + [0x01, 0]) }?.code == .invalidModel)
  }

  @Test func refusesALongVarint() {
    #expect(failure { try load([0x08] + [UInt8](repeating: 0x80, count: 10) + [0x01]) }?.code == .invalidModel)
  }

  @Test(arguments: [3, 4, 6, 7]) func refusesOtherWireTypes(wire: Int) {
    var model = smallModel()
    model.tag(60, wire)
    model.tag(60, 4)
    #expect(failure { try load(model) }?.code == .invalidModel)
  }

  @Test func refusesAMessageFieldThatIsANumber() {
    #expect(failure { try load(Proto { $0.int(7, 5) }) }?.code == .invalidModel)
  }

  @Test func readsTagsThatAreLongerThanNeeded() throws {
    let graph = Proto.graph([], inputs: [.value("x")], outputs: [.value("x")])
    var model = Proto.model(graph)
    let tail = Proto {
      $0.message(14) {
        $0.text(1, "k"); $0.text(2, "v")
      }
    }.bytes
    model.bytes += [tail[0] | 0x80, 0x00] + tail[1...]
    #expect(try load(model).information.metadata == ["k": "v"])
  }

  @Test func boundsNesting() {
    var body = Proto.graph([.node("Relu", ["x"], ["y"])], outputs: [.value("y")])
    for _ in 0..<400 {
      body = .graph(
        [.node("If", ["x"], ["y"], .attribute("then_branch", 5) { [body] in $0.message(6, body) })],
        outputs: [.value("y")])
    }
    #expect(failure { try load(.model(body)) }?.code == .limitExceeded)
  }

  @Test func boundsTheNumberOfMessages() {
    var graph = Proto()
    graph.bytes = [UInt8](repeating: 0, count: 10 << 20)
    for index in stride(from: 0, to: graph.bytes.count, by: 2) { graph.bytes[index] = 0x0A }
    #expect(failure { try load(.model(graph)) }?.code == .limitExceeded)
  }

  @Test(arguments: [[0x61, 0x00, 0x62], [0xFF, 0xFE]] as [[UInt8]]) func refusesNamesThatAreNotText(name: [UInt8]) {
    let node = Proto {
      $0.text(1, "x")
      $0.data(2, name)
      $0.text(4, "Relu")
    }
    #expect(failure { try load(.model(.graph([node], inputs: [.value("x")]))) }?.code == .invalidModel)
  }

  /// Neither truncation nor flipped bits may end the process; what loads must be sound.
  @Test func survivesDamage() throws {
    let samples = [smallModel().bytes, richModel().bytes]
    var random = SplitMix(state: 20_26)
    for round in 0..<20_000 {
      var bytes = samples[round % samples.count]
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= UInt8(1 << Int.random(in: 0..<8, using: &random))
      }
      if random.next() % 4 == 0 { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random)) }
      if let model = try? load(bytes) { try GraphVerifier.verify(model.graph) }
    }
  }
}

struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// A model with a function, a subgraph that captures, constants, sparse and typed data.
func richModel() -> Proto {
  let branch = { (constant: Float) in
    Proto.graph(
      [
        .node("Constant", [], ["c"], .attribute("value_float", 1) { $0.float(2, constant) }),
        .node("Add", ["s", "c"], ["r"]),
      ], outputs: [.value("r", dims: nil)])
  }
  return .model(
    .graph(
      [
        .node("Twice", ["x"], ["d"], domain: "local", name: "call", .attribute("k", 1) { $0.float(2, 4) }),
        .node("Add", ["d", "w"], ["s"]),
        .node(
          "If", ["b"], ["y"], .attribute("then_branch", 5) { $0.message(6, branch(1)) },
          .attribute("else_branch", 5) { $0.message(6, branch(2)) }),
      ], inputs: [.value("x", dims: [3]), .value("b", type: 9)], outputs: [.value("y", dims: [3])],
      initializers: [
        .tensor("w", dims: [3]) { $0.data(4, [UInt8](littleEndian: [1, 2, 3] as [Float])) },
        .tensor("unused", type: 22, dims: [3]) { $0.packed(5, [0x21, 0x0F]) },
      ]
    ) {
      $0.message(15) {
        $0.message(1, .tensor("sparse", dims: [1], raw: [UInt8](littleEndian: [7] as [Float])))
        $0.message(2, .tensor(type: 7, dims: [1], raw: [UInt8](littleEndian: [2] as [Int64])))
        $0.int(3, 3)
      }
    }, opsets: [("", 21), ("local", 1)],
    functions: [
      .function(
        "Twice", domain: "local", inputs: ["a"], outputs: ["o"], attributes: ["k"],
        [
          .node("Constant", [], ["n"], .attribute("value_float", 1) { $0.text(21, "k") }),
          .node("Add", ["a", "a"], ["t"]), .node("Add", ["t", "n"], ["o"]),
        ])
    ])
}
