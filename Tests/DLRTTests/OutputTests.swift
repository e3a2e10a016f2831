import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

/// Outputs of every origin, in the session's memory and in the caller's.
@Suite struct OutputTests {
  @Test func inputsConstantsDuplicatesAndViewsMayBeOutputs() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [2, 2])
    let c = builder.constant(try Tensor([7, 8] as [Float], shape: [2]), name: "c")
    let y = builder.node("Neg", [x])
    let view = builder.node("Reshape", [y, builder.constant(try Tensor(int64: [4]))])
    let inputView = builder.node("Reshape", [x, builder.constant(try Tensor(int64: [4]))])
    builder.output(x, c, y, y, view, inputView, x)
    let results = try builder.runAll([floats([1, 2, 3, 4], [2, 2])])
    #expect(
      try results.map { try $0.floats() }
        == [
          [1, 2, 3, 4], [7, 8], [-1, -2, -3, -4], [-1, -2, -3, -4], [-1, -2, -3, -4], [1, 2, 3, 4], [1, 2, 3, 4],
        ])
    #expect(try results.map { try $0.shape() } == [[2, 2], [2], [2, 2], [2, 2], [4], [4], [2, 2]])
  }

  private func pair() throws -> GraphBuilder {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [.symbol("N")])
    let y = builder.node("Neg", [x])
    builder.output(y, builder.node("Reshape", [y, builder.constant(try Tensor(int64: [1, -1]))]), x)
    return builder
  }

  @Test func outputsNeverShareMemoryWithInputsOrEachOther() throws {
    let input = try floats([1, 2, 3])
    let results = try pair().session().run([input])
    let addresses = try ([input] + results).map { try #require($0.tensor).pointer }
    #expect(Set(addresses).count == 4)
  }

  @Test func resultsOutliveTheSessionAndLaterRuns() throws {
    let builder = try pair()
    var session: Session? = try builder.session()
    let first = try #require(try session?.run([floats([1, 2])]))
    _ = try session?.run([floats([5, 6])])
    session = nil
    #expect(try first[0].floats() == [-1, -2])
    #expect(try first[1].floats() == [-1, -2])
  }

  @Test func givenTensorsReceiveTheElementsWhereTheyAre() throws {
    let session = try pair().session()
    var outputs: [Value?] = [
      .tensor(try Tensor(zeros: [2], type: .float32)), .tensor(try Tensor(zeros: [1, 2], type: .float32)), nil,
    ]
    let before = outputs.map { $0?.tensor?.pointer }
    for round in 1...3 {
      try session.run([floats([Float(round), 5])], into: &outputs)
      #expect(outputs[0]?.tensor?.pointer == before[0] && outputs[1]?.tensor?.pointer == before[1])
      #expect(
        try outputs.map { try #require($0).floats() } == [
          [-Float(round), -5], [-Float(round), -5], [Float(round), 5],
        ])
    }
  }

  @Test func givenTensorsOfAnotherKindAreReplaced() throws {
    let session = try pair().session()
    var outputs: [Value?] = [
      .tensor(try Tensor(zeros: [3], type: .float32)), .tensor(try Tensor(zeros: [1, 2], type: .int32)),
      .sequence([], of: .tensor(.float32)),
    ]
    try session.run([floats([1, 5])], into: &outputs)
    #expect(try outputs.map { try #require($0).floats() } == [[-1, -5], [-1, -5], [1, 5]])
    #expect(throws: DLRTError.self) {
      var short: [Value?] = [nil]
      try session.run([floats([1, 5])], into: &short)
    }
  }

  @Test func tensorsThatAreSharedKeepTheirValue() throws {
    let session = try pair().session()
    let mine = try floats([0, 0])
    let input = try floats([1, 5])
    var outputs: [Value?] = [mine, nil, input]
    try session.run([input], into: &outputs)
    #expect(try mine.floats() == [0, 0])
    #expect(try input.floats() == [1, 5])
    #expect(try outputs.map { try #require($0).floats() } == [[-1, -5], [-1, -5], [1, 5]])
  }

  @Test func memoryOfTheCallerThatOverlapsAnInputIsNotWrittenTo() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [4])
    builder.output(builder.node("Concat", [builder.node("Neg", [x]), x], ["axis": .int(0)]))
    let session = try builder.session()
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: 8)
    defer { memory.deallocate() }
    memory.initialize(repeating: 3, count: 8)
    let input = Tensor(.float32, [4], TensorStorage(borrowing: memory + 2, byteCount: 16, owner: nil))
    let target = Tensor(.float32, [8], TensorStorage(borrowing: memory, byteCount: 32, owner: nil))
    var outputs: [Value?] = [.tensor(target)]
    try session.run([.tensor(input)], into: &outputs)
    #expect(try #require(outputs[0]).floats() == [-3, -3, -3, -3, 3, 3, 3, 3])
    let results = try session.run([.tensor(input)], options: RunOptions()) { _, _, _ in target }
    #expect(try results[0].floats() == [-3, -3, -3, -3, 3, 3, 3, 3])
  }

  @Test func changingAResultChangesNothingElse() throws {
    let session = try pair().session()
    let input = try floats([1, 2])
    let results = try session.run([input])
    for result in results {
      var tensor = try #require(result.tensor)
      try tensor.withUnsafeMutableBytes { bytes in for index in bytes.indices { bytes[index] = 0xff } }
    }
    #expect(try bits(session.run([input])) == bits(results))
    #expect(try input.floats() == [1, 2])
  }

  @Test func outputsByName() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [2])
    builder.output(builder.node("Neg", [x]))
    let model = try builder.model()
    let results = try Session(model).run(["x": Tensor([1, 2] as [Float], shape: [2])])
    #expect(try results[model.outputs[0].name]?.array(of: Float.self) == [-1, -2])
    #expect(model.outputs[0].shape == [2])
    #expect(model.outputs[0].type == .tensor(.float32))
  }
}
