import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

/// Bodies within runs: their memory, plans, errors and limits.
@Suite struct ControlFlowTests {
  /// condition ? x + x : −x
  private func branches() -> GraphBuilder {
    func body(_ op: String, _ count: Int) -> Graph {
      var builder = GraphBuilder(op)
      let x = builder.input("x", .float32, nil)
      builder.output(builder.node(op, Array(repeating: x, count: count), name: "inner"))
      return builder.graph
    }
    var builder = GraphBuilder()
    let condition = builder.input("condition", .bool, [])
    let x = builder.input("x", .float32, [.symbol("N")])
    let y = builder.node(
      "If", [condition, builder.node("Abs", [x])],
      ["then_branch": .graph(body("Add", 2)), "else_branch": .graph(body("Neg", 1))], captures: 1)
    builder.output(builder.node("Neg", [y]))
    return builder
  }

  @Test func branchesReadWhatTheyCapture() throws {
    let builder = branches()
    for (condition, expected) in [(true, [-2, -4]), (false, [1, 2])] as [(Bool, [Float])] {
      let inputs: [Value?] = [.tensor(try Tensor(scalar: condition)), try floats([-1, 2])]
      #expect(try builder.runAll(inputs)[0].floats() == expected)
    }
    let session = try builder.session()
    for size in 1..<40 {
      let inputs: [Value?] = [
        .tensor(try Tensor(scalar: size % 2 == 0)), try floats([Float](repeating: 1, count: size)),
      ]
      #expect(try session.run(inputs)[0].floats() == [Float](repeating: size % 2 == 0 ? -2 : 1, count: size))
    }
  }

  @Test func loopsCarryValuesAndStackOthers() throws {
    var body = GraphBuilder("body")
    _ = body.input("i", .int64, [])
    _ = body.input("go", .bool, [])
    let sum = body.input("sum", .float32, [2])
    let step = body.input("step", .float32, [2])
    let next = body.node("Add", [sum, step])
    body.output(body.constant(try Tensor(scalar: true)), next, body.node("Mul", [next, next]))
    var builder = GraphBuilder()
    let count = builder.input("count", .int64, [])
    let start = builder.input("start", .float32, [2])
    let step2 = builder.input("step", .float32, [2])
    let results = builder.nodes(
      "Loop", [count, nil, start, step2], ["body": .graph(body.graph)], outputs: 2, captures: 1)
    builder.output(results[0], results[1])
    let outputs = try builder.runAll([int64s([3], []), floats([0, 1]), floats([1, 2])])
    #expect(try outputs[0].floats() == [3, 7])
    #expect(try outputs[1].floats() == [1, 9, 4, 25, 9, 49])
    #expect(try builder.runAll([int64s([0], []), floats([0, 1]), floats([1, 2])])[1].shape() == [0, 2])
  }

  /// What a body captures is not taken for an input that the file leaves out.
  @Test func capturesBehindInputsThatAreAbsent() throws {
    var body = GraphBuilder("body")
    _ = body.input("i", .int64, [])
    _ = body.input("go", .bool, [])
    let step = body.input("step", .float32, [2])
    body.output(body.constant(try Tensor(scalar: true)), body.node("Neg", [step]))
    var builder = GraphBuilder()
    let (count, step2) = (builder.input("count", .int64, []), builder.input("step", .float32, [2]))
    builder.output(builder.node("Loop", [count, nil, step2], ["body": .graph(body.graph)], captures: 1))
    let model = try Model(bytes: builder.file())
    #expect(try Session(model).run([int64s([2], []), floats([1, 2])])[0].floats() == [-1, -2, -1, -2])
  }

  @Test func errorsInBodiesNameTheInnerNode() throws {
    var body = GraphBuilder("body")
    let x = body.input("x", .float32, nil)
    let shape = body.input("shape", .int64, nil)
    body.output(body.node("Reshape", [x, shape], name: "inner"))
    var builder = GraphBuilder()
    let condition = builder.input("condition", .bool, [])
    let x2 = builder.input("x", .float32, [6])
    let shape2 = builder.input("shape", .int64, [2])
    builder.output(
      builder.node(
        "If", [condition, x2, shape2], ["then_branch": .graph(body.graph), "else_branch": .graph(body.graph)],
        captures: 2))
    let inputs: [Value?] = [.tensor(try Tensor(scalar: true)), try floats([1, 2, 3, 4, 5, 6]), try int64s([4, 4])]
    #expect(throws: DLRTError.self) { try builder.session().run(inputs) }
    do { _ = try builder.session().run(inputs) } catch let error as DLRTError { #expect(error.node == "inner") }
  }

  @Test func aLoopThatGathersTooMuchIsRefused() throws {
    var body = GraphBuilder("body")
    _ = body.input("i", .int64, [])
    _ = body.input("go", .bool, [])
    let x = body.input("x", .float32, [1000])
    body.output(body.constant(try Tensor(scalar: true)), body.node("Neg", [x]))
    var builder = GraphBuilder()
    let count = builder.input("count", .int64, [])
    let x2 = builder.input("x", .float32, [1000])
    builder.output(
      builder.node("Loop", [count, nil, x2], ["body": .graph(body.graph)], captures: 1, name: "gather"))
    let session = try builder.session(SessionOptions(threads: 1, memoryLimit: 1 << 20))
    let values = try floats([Float](repeating: 1, count: 1000))
    #expect(try session.run([int64s([20], []), values])[0].shape() == [20, 1000])
    expectError(.limitExceeded, "gather") { _ = try session.run([int64s([1 << 40], []), values]) }
    #expect(try session.run([int64s([20], []), values])[0].shape() == [20, 1000])
  }
}

extension GraphBuilder {
  /// Counts to a number that is given.
  static func countingLoop() throws -> GraphBuilder {
    var body = GraphBuilder("body")
    _ = body.input("i", .int64, [])
    _ = body.input("go", .bool, [])
    let sum = body.input("sum", .int64, [])
    body.output(
      body.constant(try Tensor(scalar: true)), body.node("Add", [sum, body.constant(try Tensor(scalar: Int64(1)))]))
    var builder = GraphBuilder()
    let count = builder.input("count", .int64, [])
    let zero = builder.constant(try Tensor(scalar: Int64(0)))
    builder.output(builder.node("Loop", [count, nil, zero], ["body": .graph(body.graph)]))
    return builder
  }
}
