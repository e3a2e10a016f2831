import DLRTGraph
import Testing

@Suite struct GraphTests {
  private func chain() -> (graph: Graph, values: [ValueID], nodes: [NodeID]) {
    var graph = Graph()
    let values = ["a", "b", "c", "d"].map { graph.addValue(Graph.Value(name: $0)) }
    graph.inputs = [values[0]]
    graph.outputs = [values[3]]
    let nodes = (0..<3).map { index in
      graph.addNode(Node(OperatorName("Neg"), inputs: [values[index]], outputs: [values[index + 1]]))
    }
    return (graph, values, nodes)
  }

  @Test func sortPutsProducersFirst() throws {
    var (graph, values, _) = chain()
    let late = graph.addValue(Graph.Value(name: "late"))
    graph[graph.order[0]].inputs.append(late)
    graph.addNode(Node(OperatorName("Neg"), inputs: [values[0]], outputs: [late]))
    #expect(throws: DLRTError.self) { try GraphVerifier.verify(graph) }
    try graph.sort()
    try GraphVerifier.verify(graph)
  }

  @Test func cycleIsRefused() {
    var (graph, values, nodes) = chain()
    graph[nodes[0]].inputs = [values[2]]
    #expect { try graph.sort() } throws: { ($0 as? DLRTError)?.code == .invalidModel }
  }

  @Test func verifierFindsSecondProducer() {
    var (graph, values, _) = chain()
    graph.addNode(Node(OperatorName("Neg"), inputs: [values[0]], outputs: [values[1]]))
    #expect(throws: DLRTError.self) { try GraphVerifier.verify(graph) }
  }

  @Test func patchReplacesAndRemovesWhatIsDead() throws {
    var (graph, values, _) = chain()
    var patch = GraphPatch(graph)
    let new = patch.node(OperatorName("Abs"), inputs: [values[0]], output: Graph.Value(name: "new"))
    patch.replace(values[2], with: new)
    try patch.apply(to: &graph)
    try GraphVerifier.verify(graph)
    #expect(graph.nodes.map(\.op.name) == ["Abs", "Neg"])
    #expect(graph.outputs == [values[3]])
  }

  @Test func patchFollowsChainsOfReplacements() throws {
    var (graph, values, nodes) = chain()
    var patch = GraphPatch(graph)
    patch.replace(values[3], with: values[2])
    patch.replace(values[2], with: values[1])
    patch.remove(nodes[1])
    patch.remove(nodes[2])
    try patch.apply(to: &graph)
    try GraphVerifier.verify(graph)
    #expect(graph.outputs == [values[1]])
    #expect(graph.nodes.count == 1)
  }

  @Test func deadNodesLoseTheirData() throws {
    var (graph, values, _) = chain()
    let weight = graph.addConstant(try Tensor([1] as [Float], shape: [1]))
    let unused = graph.addValue(Graph.Value(name: "unused"))
    graph.addNode(Node(OperatorName("Add"), inputs: [values[0], weight], outputs: [unused]))
    graph.removeDeadNodes()
    #expect(graph.nodes.count == 3)
    #expect(graph[weight].constant == nil)
  }

  @Test func dumpNamesEverything() {
    let text = chain().graph.dump()
    #expect(text.contains("%b: ? = Neg(%a)"))
    #expect(text.contains("return %d"))
  }
}

@Suite struct DimTests {
  @Test func arithmeticKeepsSymbols() {
    let n = Dim.symbol("N")
    #expect(n * 1 == n)
    #expect(n + 0 == n)
    #expect(n - n == 0)
    #expect((n * 12).description == "N * 12")
    #expect((n * 12 + 1).description == "(N * 12) + 1")
    #expect(n * 0 == 0)
    #expect(n / n == 1)
    #expect(Dim.unknown + 1 == .unknown)
  }

  @Test(arguments: [(7, 2, 3), (-7, 2, -4), (7, -2, -4), (-8, 2, -4), (0, 5, 0)])
  func divisionFloors(_ a: Int, _ b: Int, _ quotient: Int) {
    #expect(Dim.known(a) / .known(b) == .known(quotient))
  }

  @Test func factorsVanish() {
    let (n, t) = (Dim.symbol("N"), Dim.symbol("T"))
    #expect((n * 12) / 12 == n)
    #expect((n * 12) / n == 12)
    #expect((n * 768).divided(exactlyBy: 12) == n * 64)
    #expect((n * 7).divided(exactlyBy: 2) == nil)
    #expect(((n + 1) * 12).divided(exactlyBy: 4) == (n + 1) * 3)
    #expect(((n * t) * 12).divided(exactlyBy: n * 6) == t * 2)
    #expect((n * 2 + 4).divided(exactlyBy: 2) == nil)
    #expect((n - t * 2).divided(exactlyBy: 2) == nil)
    #expect((n * 0).divided(exactlyBy: n) == nil)
    #expect((n * 2).divided(exactlyBy: 0) == nil)
    #expect(Dim.unknown.divided(exactlyBy: .unknown) == nil)
  }

  /// Models choose the names of sizes.
  @Test func namesThatLookLikeExpressions() {
    let n = Dim.symbol("N")
    for name in ["12", "-1", "(a", "a)", "a) * (b", "a + b", "()", " ", ""] {
      let odd = Dim.symbol(name)
      #expect((odd * n).divided(exactlyBy: n) ?? odd == odd, "\(name)")
      #expect((n * odd).divided(exactlyBy: odd) ?? n == n)
      #expect(odd.divided(exactlyBy: 12) == nil)
    }
    #expect(Dim.symbol("12") * n != 12 * n)
    _ = Dim.symbol(String(repeating: "(a * ", count: 100_000)).divided(exactlyBy: n)
  }

  @Test func overflowIsUnknown() {
    #expect(Dim.known(.max) + 1 == .unknown)
    #expect(Dim.known(.max) * 2 == .unknown)
    #expect(Dim.known(.min) / -1 == .unknown)
    #expect(Dim.known(1) / 0 == .unknown)
  }
}
