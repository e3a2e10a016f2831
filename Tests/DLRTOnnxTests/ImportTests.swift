import DLRTGraph
import DLRTOnnx
import DLRTOperators
import Testing

private func oneNode(_ node: Proto, ir: Int = 10, opsets: [(String, Int)] = [("", 21)]) -> Proto {
  .model(.graph([node], inputs: [.value("x")], outputs: [.value("y")]), ir: ir, opsets: opsets)
}

@Suite struct ImportTests {
  @Test func sortsNodes() throws {
    let model = try load(
      .model(
        .graph(
          [.node("Relu", ["b"], ["y"]), .node("Relu", ["a"], ["b"]), .node("Relu", ["x"], ["a"])],
          inputs: [.value("x")], outputs: [.value("y")])))
    #expect(model.graph.order.map { model.graph.label(of: $0) } == ["a", "b", "y"])
    try GraphVerifier.verify(model.graph)
  }

  /// An operator writes what it always makes, whatever names there are.
  @Test(arguments: [["y"], ["", "y"], ["", "", "y"]]) func outputsWithoutNamesAreMade(_ names: [String]) throws {
    let model = try load(
      .model(.graph([.node("Halves", ["x"], names)], inputs: [.value("x")], outputs: [.value("y")])))
    let outputs = model.graph[model.graph.order[0]].outputs
    #expect(outputs.count == max(2, names.count) && !outputs.contains(nil))
    #expect(outputs[names.count - 1] == model.graph.outputs[0])
  }

  @Test func refusesBadGraphs() {
    let x = Proto.value("x")
    let y = Proto.value("y")
    let bad: [(String, Proto)] = [
      ("cycle", .graph([.node("Relu", ["b"], ["a"]), .node("Relu", ["a"], ["b"])], outputs: [.value("a")])),
      ("undefined input", .graph([.node("Relu", ["nobody"], ["y"])], outputs: [y])),
      ("undefined output", .graph([.node("Relu", ["x"], ["y"])], inputs: [x], outputs: [.value("z")])),
      ("two producers", .graph([.node("Relu", ["x"], ["y"]), .node("Relu", ["x"], ["y"])], inputs: [x], outputs: [y])),
      ("output is an input", .graph([.node("Relu", ["x"], ["x"])], inputs: [x], outputs: [x])),
      ("input twice", .graph([.node("Relu", ["x"], ["y"])], inputs: [x, x], outputs: [y])),
      ("output twice", .graph([.node("Relu", ["x"], ["y"])], inputs: [x], outputs: [y, y])),
      ("no outputs", .graph([.node("Relu", ["x"], ["y"])], inputs: [x])),
      (
        "initializer twice",
        .graph(
          [.node("Relu", ["w"], ["y"])], outputs: [y],
          initializers: [.tensor("w", raw: [0, 0, 0, 0]), .tensor("w", raw: [0, 0, 0, 0])])
      ),
      (
        "initializer of another type",
        .graph(
          [.node("Relu", ["w"], ["y"])], inputs: [.value("w", type: 7)], outputs: [y],
          initializers: [.tensor("w", raw: [0, 0, 0, 0])])
      ),
      ("input without type", .graph([.node("Relu", ["x"], ["y"])], inputs: [Proto { $0.text(1, "x") }], outputs: [y])),
      (
        "attribute twice",
        .graph(
          [.node("Relu", ["x"], ["y"], .attribute("a", 2) { $0.int(3, 1) }, .attribute("a", 2) { $0.int(3, 1) })],
          inputs: [x], outputs: [y])
      ),
      (
        "attribute without type",
        .graph([.node("Relu", ["x"], ["y"], .attribute("a", 99) { $0.int(3, 1) })], inputs: [x], outputs: [y])
      ),
      (
        "reference outside a function",
        .graph([.node("Relu", ["x"], ["y"], .attribute("a", 2) { $0.text(21, "k") })], inputs: [x], outputs: [y])
      ),
    ]
    for (what, graph) in bad { #expect(failure { try load(.model(graph)) }?.code == .invalidModel, "\(what)") }
  }

  @Test func refusesBadOperatorSets() {
    let relu = Proto.node("Relu", ["x"], ["y"])
    #expect(failure { try load(oneNode(relu, opsets: [])) }?.code == .invalidModel)
    #expect(failure { try load(oneNode(relu, opsets: [("", 0)])) }?.code == .invalidModel)
    #expect(failure { try load(oneNode(relu, opsets: [("", 99999)])) }?.code == .unsupportedModel)
    #expect(failure { try load(oneNode(relu, opsets: [("", 13), ("ai.onnx", 14)])) }?.code == .invalidModel)
    // The operator is read from version 6 on.
    #expect(failure { try load(oneNode(relu, opsets: [("", 5)])) }?.causes.first?.operatorName == "Relu")
  }

  @Test func judgesAModelByItsOperatorsNotByItsStamp() throws {
    #expect(try load(oneNode(.node("Relu", ["x"], ["y"]), ir: 99_999)).information.irVersion == 99_999)
  }

  @Test func namesAllMissingOperatorsAtOnce() {
    let error = failure {
      try load(
        .model(
          .graph(
            [
              .node("Foo", ["x"], ["a"], name: "first"), .node("Foo", ["a"], ["b"]),
              .node("Bar", ["b"], ["y"], domain: "other"),
            ],
            inputs: [.value("x")], outputs: [.value("y")]), opsets: [("", 21), ("other", 2)]))
    }
    #expect(error?.code == .unsupportedModel)
    #expect(error?.causes.map(\.operatorName) == ["Foo", "other::Bar"])
    #expect(error?.causes.first?.node == "first")
  }

  @Test func initializersMayBeDefaultsOfInputs() throws {
    let graph = Proto.graph(
      [.node("Add", ["x", "w"], ["y"])], inputs: [.value("x"), .value("w")], outputs: [.value("y")],
      initializers: [.tensor("w", raw: [0, 0, 0x80, 0x3F])])
    let new = try load(.model(graph))
    #expect(new.inputs.map(\.isOptional) == [false, true])
    #expect(try new.graph.defaults[new.graph.inputs[1]]?.array(of: Float.self) == [1])
    // Before version 4 of the format, every initializer had to be listed.
    let old = try load(.model(graph, ir: 3))
    #expect(old.inputs.map(\.name) == ["x"])
  }

  @Test func constantsBecomeValues() throws {
    let model = try load(
      .model(
        .graph(
          [
            .node(
              "Constant", [], ["c"],
              .attribute("value_ints", 7) {
                $0.int(8, 3); $0.int(8, 4)
              }),
            .node("Add", ["x", "c"], ["y"]),
          ], inputs: [.value("x")], outputs: [.value("y"), .value("c", type: 7)])))
    #expect(model.graph.nodes.count == 1)
    #expect(model.graph.values.first { $0.name == "c" }?.constant?.integers == [3, 4])
  }

  @Test func bringsOldFormsToTheNewest() throws {
    let model = try load(oneNode(.node("Old", ["x"], ["y"], .attribute("axes", 7) { $0.int(8, 2) })))
    let node = try #require(model.graph.nodes.first)
    #expect(node.op.name == "Add" && node.inputs.count == 2)
    #expect(model.graph.constant(node.inputs[1])?.integers == [2])
  }

  @Test func subgraphsSayWhatTheyCapture() throws {
    let branch = { (op: Proto) in Proto.graph([op], outputs: [.value("r", dims: nil)]) }
    let inner = Proto.graph(
      [
        .node(
          "If", ["b"], ["r"], .attribute("then_branch", 5) { $0.message(6, branch(.node("Relu", ["p"], ["r"]))) },
          .attribute("else_branch", 5) { $0.message(6, branch(.node("Add", ["q", "w"], ["r"]))) })
      ], outputs: [.value("r", dims: nil)])
    let model = try load(
      .model(
        .graph(
          [
            // Before the producers of what it captures.
            .node(
              "If", ["b"], ["y"], .attribute("then_branch", 5) { $0.message(6, inner) },
              .attribute("else_branch", 5) { $0.message(6, branch(.node("Relu", ["x"], ["r"]))) }),
            .node("Relu", ["x"], ["p"]), .node("Relu", ["p"], ["q"]),
          ], inputs: [.value("x"), .value("b", type: 9)], outputs: [.value("y", dims: nil)],
          initializers: [.tensor("w", raw: [0, 0, 0, 0])])))
    try GraphVerifier.verify(model.graph)
    let node = try #require(model.graph.nodes.last)
    #expect(node.op.name == "If")
    // b, p and q for the inner branches, x for the other; the constant w is shared, not captured.
    #expect(node.captureCount == 4)
    for body in node.subgraphs { #expect(body.inputs.count == 4) }
    let captured = node.inputs.suffix(4).map { $0.map { model.graph[$0].name } }
    #expect(Set(captured) == ["b", "p", "q", "x"])
    for body in node.subgraphs { #expect(body.inputs.map { body[$0].name } == captured) }
  }

  @Test func bodiesMayHandOutValuesAround() throws {
    let body = Proto.graph([], outputs: [.value("x")])
    let model = try load(
      .model(
        .graph(
          [
            .node(
              "If", ["b"], ["y"], .attribute("then_branch", 5) { $0.message(6, body) },
              .attribute("else_branch", 5) { $0.message(6, body) })
          ], inputs: [.value("x"), .value("b", type: 9)], outputs: [.value("y")])))
    try GraphVerifier.verify(model.graph)
  }

  @Test func keepsWhatTheModelSaysOfItself() throws {
    let model = try load(
      .model(.graph([], inputs: [.value("x")], outputs: [.value("x")]), ir: 8, opsets: [("ai.onnx", 15), ("m", 2)]) {
        $0.text(2, "maker")
        $0.text(3, "1.2")
        $0.text(6, "words")
        $0.message(14) {
          $0.text(1, "labels"); $0.text(2, "a,b")
        }
        $0.message(20) { $0.message(1, .graph([.node("Gradient", [], [])])) }
      })
    #expect(model.information.opsets == ["": 15, "m": 2])
    #expect(model.information.producerName == "maker")
    #expect(model.information.metadata == ["labels": "a,b"])
    #expect(model.information.description == "words")
  }
}

@Suite struct FunctionTests {
  @Test func expandsFunctions() throws {
    let model = try load(richModel())
    try GraphVerifier.verify(model.graph)
    #expect(model.graph.nodes.map(\.op.name) == ["Add", "Add", "Add", "If"])
    #expect(model.graph.order.prefix(2).map { model.graph.label(of: $0) } == ["call/t", "d"])
    #expect(try model.graph.constant(model.graph.nodes[1].inputs[1])?.array(of: Float.self) == [4])
  }

  private func call(
    _ functions: [Proto], inputs: [String] = ["x"], outputs: [String] = ["y"], _ attributes: Proto...
  ) -> Proto {
    var node = Proto.node("F", inputs, outputs, domain: "d")
    for attribute in attributes { node.message(5, attribute) }
    return .model(
      .graph([node], inputs: [.value("x")], outputs: [.value("y")]), opsets: [("", 21), ("d", 1)], functions: functions)
  }

  @Test func fillsInDefaultsOfAttributes() throws {
    let function = Proto.function(
      "F", domain: "d", inputs: ["a"], outputs: ["o"],
      [
        .node("Constant", [], ["n"], .attribute("value_float", 1) { $0.text(21, "alpha") }),
        .node("Add", ["a", "n"], ["o"]),
      ]
    ) { $0.message(11, .attribute("alpha", 1) { $0.float(2, 0.5) }) }
    func alpha(_ model: OnnxModel) throws -> [Float]? {
      try model.graph.constant(model.graph.nodes[0].inputs[1])?.array(of: Float.self)
    }
    #expect(try alpha(load(call([function]))) == [0.5])
    #expect(try alpha(load(call([function], .attribute("alpha", 1) { $0.float(2, 2) }))) == [2])
    #expect(failure { try load(call([function], .attribute("beta", 1) { $0.float(2, 2) })) }?.tensor == "beta")
  }

  @Test func choosesTheOverload() throws {
    func function(_ overload: String, _ op: String) -> Proto {
      .function("F", domain: "d", inputs: ["a"], outputs: ["o"], [.node(op, ["a", "a"], ["o"])]) {
        $0.text(13, overload)
      }
    }
    var node = Proto.node("F", ["x"], ["y"], domain: "d")
    node.text(8, "two")
    let model = try load(
      .model(
        .graph([node], inputs: [.value("x")], outputs: [.value("y")]), opsets: [("", 21), ("d", 1)],
        functions: [function("one", "Relu"), function("two", "Add")]))
    #expect(model.graph.nodes.map(\.op.name) == ["Add"])
  }

  @Test func handsInputsThrough() throws {
    let model = try load(call([.function("F", domain: "d", inputs: ["a"], outputs: ["a"], [])]))
    #expect(model.graph.nodes.map(\.op.name) == ["Identity"])
    try GraphVerifier.verify(model.graph)
  }

  @Test func leavesOutWhatTheCallLeavesOut() throws {
    let model = try load(
      call([.function("F", domain: "d", inputs: ["a", "b"], outputs: ["o", "p"], [.node("Add", ["a", "b"], ["o"])])]))
    #expect(model.graph.nodes[0].inputs.count == 1)
  }

  @Test func refusesRecursion() {
    let function = Proto.function(
      "F", domain: "d", inputs: ["a"], outputs: ["o"], opsets: [("d", 1)],
      [
        .node("F", ["a"], ["o"], domain: "d")
      ])
    #expect(failure { try load(call([function])) }?.code == .limitExceeded)
  }

  @Test func boundsExpansion() {
    // Each calls the next twice: 2^24 nodes of 25 functions.
    let functions = (0..<25).map { level in
      let name = level == 0 ? "F" : "F\(level)"
      let next = level == 24 ? ("Relu", "") : ("F\(level + 1)", "d")
      return Proto.function(
        name, domain: "d", inputs: ["a"], outputs: ["o"], opsets: [("", 21), ("d", 1)],
        [.node(next.0, ["a"], ["t"], domain: next.1), .node(next.0, ["t"], ["o"], domain: next.1)])
    }
    #expect(failure { try load(call(functions)) }?.code == .limitExceeded)
  }

  /// Functions that each call the next within graphs within graphs.
  private func nested(_ functions: Int, _ graphs: Int) -> Proto {
    call(
      (0..<functions).map { level in
        let isLast = level == functions - 1
        var node = Proto.node(isLast ? "Relu" : "F\(level + 1)", ["a"], ["o"], domain: isLast ? "" : "d")
        for _ in 0..<graphs {
          let body = Proto.graph([node], outputs: [.value("o")])
          node = .node("If", ["a"], ["o"], .attribute("then_branch", 5) { $0.message(6, body) })
        }
        let name = level == 0 ? "F" : "F\(level)"
        return .function(name, domain: "d", inputs: ["a"], outputs: ["o"], opsets: [("", 21), ("d", 1)], [node])
      })
  }

  @Test func boundsGraphsAndCallsTogether() {
    #expect(failure { try load(nested(4, 10)) } == nil)
    #expect(failure { try load(nested(8, 12)) }?.code == .limitExceeded)
  }

  @Test func boundsWhatCallsMakeAnew() {
    // A name of a megabyte before that of each of 600 nodes and of their outputs.
    let nodes = (0..<600).map { Proto.node("Relu", [$0 == 0 ? "a" : "v\($0)"], [$0 == 599 ? "o" : "v\($0 + 1)"]) }
    let function = Proto.function("F", domain: "d", inputs: ["a"], outputs: ["o"], nodes)
    let name = String(repeating: "y", count: 1 << 20)
    #expect(failure { try load(call([function], outputs: [name])) }?.code == .limitExceeded)
    #expect(failure { try load(call([function])) } == nil)
  }

  @Test func refusesCallsThatDoNotFit() {
    let function = Proto.function("F", domain: "d", inputs: ["a"], outputs: ["o"], [.node("Relu", ["a"], ["o"])])
    #expect(failure { try load(call([function], inputs: ["x", "x"])) }?.code == .invalidModel)
    #expect(failure { try load(call([function], outputs: ["y", "z"])) }?.code == .invalidModel)
    #expect(failure { try load(call([function, function])) }?.code == .invalidModel)
    let hollow = Proto.function("F", domain: "d", inputs: ["a"], outputs: ["o"], [])
    #expect(failure { try load(call([hollow])) }?.code == .invalidModel)
  }
}
