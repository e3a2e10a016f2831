import DLRTGraph
import DLRTOperators
import DLRTTestSupport
import Testing

@testable import DLRTCompiler

/// What a program knows of its values, from its making and through patches.
@Suite struct ProgramTests {
  private func program(_ graph: Graph) throws -> Program {
    try Program(graph, registry: .standard) { _ in throw DLRTError(.internalError, "no bodies here") }
  }

  /// x [N, 4] → Neg → Transpose → Shape.
  private func chain() -> GraphBuilder {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [.symbol("N"), 4])
    builder.output(builder.node("Shape", [builder.node("Transpose", [builder.node("Neg", [x])])]))
    return builder
  }

  @Test func shapesAndSmallValuesKeepSymbols() throws {
    let program = try program(chain().graph)
    let output = try #require(program.fact(program.graph.outputs[0]))
    #expect(output.type == .tensor(.int64) && output.shape == [2])
    #expect(output.elements == [4, .symbol("N")])
  }

  @Test func patchesChangeWhatFollowsFromThem() throws {
    var program = try program(chain().graph)
    // Neg reads another constant of another shape now; all that follows changes with it.
    let negation = program.graph.order[0]
    var patch = GraphPatch(program.graph)
    let constant = patch.constant(try Tensor(zeros: [7, 4, 2], type: .float32))
    let made = patch.node(
      OperatorName("Abs"), inputs: [constant], output: Graph.Value(name: "abs", type: .tensor(.float32)))
    patch.replace(try #require(program.graph[negation].output(0)), with: made)
    try program.apply(patch)
    #expect(!program.graph.contains(negation), "nobody reads it any more")
    #expect(program.fact(program.graph.outputs[0])?.elements == [2, 4, 7])
    try GraphVerifier.verify(program.graph)
  }

  @Test func factsAfterPatchesAreThoseOfAFreshProgram() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [.symbol("N"), 6])
    var value = x
    for round in 0..<6 {
      let other = builder.node("Relu", [value])
      value = builder.node(round % 2 == 0 ? "Concat" : "Add", [other, value], round % 2 == 0 ? ["axis": .int(1)] : [:])
    }
    builder.output(value)
    var program = try program(builder.graph)
    while let id = program.graph.order.first(where: { program.graph[$0].op == OperatorName("Relu") }) {
      var patch = GraphPatch(program.graph)
      let node = program.graph[id]
      patch.replace(try #require(node.output(0)), with: try #require(node.input(0)))
      patch.remove(id)
      try program.apply(patch)
      let fresh = try self.program(program.graph)
      for index in program.graph.values.indices {
        let id = ValueID(index)
        guard program.graph.order.contains(where: { program.graph[$0].outputs.contains(id) }) else { continue }
        #expect(program.fact(id)?.shape == fresh.fact(id)?.shape)
      }
    }
  }

  @Test func dataThatNobodyReadsAnyMoreAreDropped() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [4])
    let sum = builder.node("Add", [x, builder.constant(try Tensor(zeros: [4], type: .float32))])
    builder.output(sum)
    var program = try program(builder.graph)
    var patch = GraphPatch(program.graph)
    patch.replace(sum, with: x)
    try program.apply(patch)
    #expect(program.graph.order.isEmpty)
    #expect(program.facts.allSatisfy { $0?.constant == nil } && program.constants.allSatisfy { $0 == nil })
  }

  @Test func allOperatorsThatAreMissingAreNamed() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [4])
    let a = builder.node("Nothing", [x], name: "first")
    builder.output(builder.node("Nowhere", domain: "far", [a], name: "second"))
    do {
      _ = try program(builder.graph)
      Issue.record("taken")
    } catch let error as DLRTError {
      #expect(error.code == .unsupportedModel && error.causes.count == 2)
      for word in ["Nothing", "'first'", "far::Nowhere", "'second'"] { #expect(error.description.contains(word)) }
    }
  }

  @Test func errorsOfInferenceNameTheNode() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [2, 3])
    builder.output(builder.node("MatMul", [x, x], name: "product"))
    do {
      _ = try program(builder.graph)
      Issue.record("taken")
    } catch let error as DLRTError {
      #expect(error.code == .invalidModel && error.node == "product" && error.operatorName == "MatMul")
    }
  }
}
