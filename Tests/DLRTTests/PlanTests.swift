import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

/// Memory of a plan: what is shared, overwritten and handed out must never show in results.
@Suite struct PlanTests {
  @Test(arguments: 0..<150 as Range<UInt64>) func randomGraphsAgreeWithPlainArithmetic(_ seed: UInt64) throws {
    let graph = try RandomGraph(seed: seed, nodes: 4 + Int(seed % 30))
    for optimizes in [true, false] {
      let session = try Session(graph.builder.model(optimizes: optimizes), options: SessionOptions(threads: 1))
      var reused: [Value?] = graph.outputs.map { _ in nil }
      for round in 1...3 as ClosedRange<UInt64> {
        let (inputs, expected) = try graph.example(seed << 8 | round)
        let before = try bits(inputs.compactMap { $0 })
        let results = try session.run(inputs).map(plain)
        try session.run(inputs, into: &reused)
        #expect(results == expected)
        #expect(try reused.map { try plain(#require($0)) } == expected)
        #expect(try bits(inputs.compactMap { $0 }) == before, "a run changed its inputs")
      }
    }
  }

  private func plain(_ value: Value) throws -> PlainArray { PlainArray(try value.shape(), try value.floats()) }

  /// x → Relu → … → Relu, of `count` nodes that passes cannot merge.
  private func chain(_ count: Int, of size: Int) throws -> GraphBuilder {
    var builder = GraphBuilder()
    var value = builder.input("x", .float32, [.known(size)])
    for index in 0..<count { value = builder.node(index % 2 == 0 ? "Sin" : "Cos", [value]) }
    builder.output(value)
    return builder
  }

  @Test func aChainOfElementwiseNodesTakesNoMemoryButItsOutput() throws {
    // Fused, the chain is one step with a little scratch.
    for (optimizes, most) in [(false, 1000), (true, 100_000)] {
      let model = try chain(10, of: 100_000).model(optimizes: optimizes)
      let plan = try Session(model, options: SessionOptions(threads: 1)).plan(shapes: [[100_000]])
      #expect(plan.arenaBytes < most)
      #expect(plan.waitingNodes == 0)
    }
  }

  @Test func aChainOfMovesNeedsTwoBuffers() throws {
    var builder = GraphBuilder()
    var value = builder.input("x", .float32, [40, 50])
    for _ in 0..<5 {
      value = builder.node("Transpose", [value], ["perm": .ints([1, 0])])
      value = builder.node("CumSum", [value, builder.constant(try Tensor(int64: [0], shape: []))])
    }
    builder.output(value)
    let plan = try builder.session().plan(shapes: [[40, 50]])
    #expect(plan.arenaBytes <= 2 * (40 * 50 * 4 + 64) + 4096)
  }

  @Test func viewsTakeNoSteps() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [2, 3])
    let flat = builder.node("Reshape", [x, builder.constant(try Tensor(int64: [6]))])
    let tall = builder.node("Unsqueeze", [flat, builder.constant(try Tensor(int64: [1]))])
    builder.output(builder.node("Neg", [tall]))
    #expect(try builder.session().plan(shapes: [[2, 3]]).steps.map(\.operatorName) == ["Neg"])
    #expect(try builder.runAll([floats([1, 2, 3, 4, 5, 6], [2, 3])])[0].shape() == [6, 1])
  }

  @Test func aValueReadLaterIsNotOverwritten() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [4])
    let a = builder.node("Sin", [x])
    let view = builder.node("Reshape", [a, builder.constant(try Tensor(int64: [2, 2]))])
    let b = builder.node("Neg", [a])
    builder.output(
      builder.node("Add", [builder.node("Reshape", [view, builder.constant(try Tensor(int64: [4]))]), b]))
    #expect(try builder.runAll([floats([1, 2, 3, 4])])[0].floats() == [0, 0, 0, 0])
  }

  @Test func aNodeMayReadOneValueTwice() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [3])
    let a = builder.node("Neg", [x])
    builder.output(builder.node("Mul", [a, a]))
    #expect(try builder.runAll([floats([1, 2, 3])])[0].floats() == [1, 4, 9])
  }

  @Test func nodesThatNobodyReadsAreNotRun() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [3])
    _ = builder.node("Sin", [x])
    builder.output(builder.node("Neg", [x]))
    #expect(try builder.session().plan(shapes: [[3]]).steps.count == 1)
  }

  @Test func emptyTensorsAndScalarsRun() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [.symbol("N"), 3])
    let s = builder.input("s", .float32, [])
    let sum = builder.node("Add", [builder.node("Neg", [x]), s])
    builder.output(sum, builder.node("Neg", [s]), builder.node("Transpose", [sum]))
    let results = try builder.runAll([floats([], [0, 3]), floats([2], [])])
    #expect(try results.map { try $0.shape() } == [[0, 3], [], [3, 0]])
    #expect(try results[1].floats() == [-2])
  }

  @Test func shapesThatDependOnInputSizesAreComputedWhilePlanning() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [.symbol("N"), .symbol("M")])
    let shape = builder.node("Shape", [x])
    let first = builder.node("Gather", [shape, builder.constant(try Tensor(int64: [1, 0]))])
    builder.output(builder.node("Reshape", [x, first]))
    let session = try builder.session()
    #expect(try session.plan(shapes: [[2, 3]]).waitingNodes == 0)
    #expect(try session.plan(shapes: [[2, 3]]).steps.isEmpty)
    #expect(try builder.runAll([floats([1, 2, 3, 4, 5, 6], [2, 3])])[0].shape() == [3, 2])
  }

  @Test func plansSayWhatTheyCost() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [.symbol("N"), 8])
    let w = builder.constant(try Tensor([Float](repeating: 1, count: 32), shape: [8, 4]))
    builder.output(builder.node("MatMul", [x, w], name: "product"))
    let plan = try builder.session().plan(shapes: [[5, 8]])
    let step = try #require(plan.steps.first)
    #expect(step.node == "product" && step.operatorName == "MatMul" && step.outputs == [[5, 4]])
    #expect(step.bytes == 4 * (5 * 8 + 32 + 5 * 4))
    #expect(step.flops == 2 * 5 * 8 * 4)
  }

  @Test func plansAreRefusedForWrongShapes() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [.symbol("N"), 8])
    let y = builder.input("y", .float32, [.symbol("N")])
    builder.output(builder.node("Neg", [x]), builder.node("Neg", [y]))
    let session = try builder.session()
    expectError(.invalidArgument, "shapes") { _ = try session.plan(shapes: [[2, 8]]) }
    expectError(.invalidInput, "'x'") { _ = try session.plan(shapes: [[2, 9], [2]]) }
    expectError(.invalidInput, "'y'", "'N'", "2 as in 'x'", "3") { _ = try session.plan(shapes: [[2, 8], [3]]) }
    expectError(.invalidInput, "'x'", "-1") { _ = try session.plan(shapes: [[-1, 8], [2]]) }
    expectError(.invalidInput, "missing", "'y'") { _ = try session.plan(shapes: [[2, 8], nil]) }
  }
}
