import DLRTGraph
import DLRTTestSupport
import Testing

@testable import DLRT

/// The first runs of a model, whose weights come and go until all have their final place.
@Suite struct NewModelTests {
  /// Products and convolutions whose packed weights fill several blocks of memory each.
  private func network() throws -> GraphBuilder {
    var random = SeededRandom(11)
    var builder = GraphBuilder()
    func weight(_ shape: [Int]) throws -> ValueID {
      try builder.constant(Tensor(random.floats(shape.product).map { $0 * 0.05 }, shape: shape))
    }
    let x = builder.input("x", .float32, [.symbol("N"), 128, 12, 12])
    var value = x
    for kernel in [3, 1, 3] {
      let node = try builder.node(
        "Conv", [value, weight([128, 128, kernel, kernel])],
        ["pads": .ints([Int](repeating: kernel / 2, count: 4)), "kernel_shape": .ints([kernel, kernel])])
      value = builder.node("Relu", [node])
    }
    let rows = builder.node("Reshape", [value, builder.constant(try Tensor(int64: [-1, 18, 1024]))])
    var product = rows
    for _ in 0..<4 { product = try builder.node("Tanh", [builder.node("MatMul", [product, weight([1024, 1024])])]) }
    let hidden = try builder.node(
      "LSTM",
      [
        builder.node("Transpose", [product], ["perm": .ints([1, 0, 2])]), weight([1, 2048, 1024]),
        weight([1, 2048, 512]),
      ],
      ["hidden_size": .int(512)])
    builder.output(hidden)
    return builder
  }

  private func input(_ batch: Int) throws -> Value {
    var random = SeededRandom(UInt64(batch))
    return try floats(random.floats(batch * 128 * 144), [batch, 128, 12, 12])
  }

  private func isSettled(_ session: Session) -> Bool {
    session.executor.preparedStages.allSatisfy { $0.stage.weights?.isSettled ?? true }
  }

  @Test func everyRunGivesTheSameUntilAllIsInPlace() throws {
    let model = try network().model()
    let session = try Session(model, options: SessionOptions(threads: 2))
    let first = try bits(session.run([input(1)]))
    #expect(!isSettled(session))
    var runs = 1
    while !isSettled(session), runs < 20 {
      #expect(try bits(session.run([input(1)])) == first)
      runs += 1
    }
    #expect((3...8).contains(runs), "\(runs) runs")
    #expect(try bits(session.run([input(1)])) == first)
  }

  /// As many plans as runs, which share their weights.
  @Test func shapesThatNeverComeBackSettleToo() throws {
    let session = try network().session()
    for batch in 1...7 { _ = try session.run([input(batch)]) }
    let last = try #require(session.executor.preparedStages.first)
    #expect(last.stage.weights?.isSettled == true)
  }

  @Test func settlingEndsIt() throws {
    let session = try network().session()
    let first = try bits(session.run([input(2)]))
    try session.settle()
    #expect(isSettled(session))
    #expect(try bits(session.run([input(2)])) == first)
  }

  @Test func manySessionsMayBegin() async throws {
    let reference = try network().session()
    let expected = try (0..<3).map { try bits(reference.run([input($0 + 1)])) }
    for threads in [1, 2] {
      let model = try network().model()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for task in 0..<6 {
          let session = try Session(model, options: SessionOptions(threads: threads))
          group.addTask {
            for round in 0..<4 {
              let batch = (task + round) % 3 + 1
              #expect(try bits(session.run([self.input(batch)])) == expected[batch - 1])
              if task == 5, round == 1 { try session.settle() }
            }
          }
        }
        try await group.waitForAll()
      }
    }
  }

  /// Two convolutions whose transformed weights are never in memory as a whole while the model is new.
  private func largeConvolutions(_ random: inout SeededRandom) throws -> GraphBuilder {
    var builder = GraphBuilder()
    var value = builder.input("x", .float32, [.symbol("N"), 256, .symbol("H"), 14])
    for channels in [256, 300] {
      let weight = try Tensor(random.floats(channels * 256 * 9).map { $0 * 0.03 }, shape: [channels, 256, 3, 3])
      let bias = try Tensor(random.floats(channels), shape: [channels])
      value = builder.node(
        "Relu",
        [
          builder.node(
            "Conv", [value, builder.constant(weight), builder.constant(bias)],
            ["pads": .ints([1, 1, 1, 1]), "kernel_shape": .ints([3, 3])])
        ])
    }
    builder.output(value)
    return builder
  }

  @Test(arguments: [1, 2]) func largeWeightsOfConvolutionsComeInParts(_ threads: Int) throws {
    var random = SeededRandom(3)
    let builder = try largeConvolutions(&random)
    let model = try builder.model()
    for (batch, height) in [(1, 14), (3, 40)] {
      let session = try Session(model, options: SessionOptions(threads: threads))
      let settled = try Session(builder.model(), options: SessionOptions(threads: 1))
      let input = try floats(random.floats(batch * 256 * height * 14), [batch, 256, height, 14])
      _ = try settled.run([input])
      try settled.settle()
      let expected = try bits(settled.run([input]))
      while !isSettled(session) { #expect(try bits(session.run([input])) == expected) }
      #expect(try bits(session.run([input])) == expected)
    }
  }

  @Test func largeWeightsComeInPartsToManySessions() async throws {
    var random = SeededRandom(4)
    let builder = try largeConvolutions(&random)
    let inputs = try [2, 1, 3].map { try floats(random.floats($0 * 256 * 196), [$0, 256, 14, 14]) }
    let settled = try Session(builder.model(), options: SessionOptions(threads: 1))
    _ = try settled.run([inputs[0]])
    try settled.settle()
    let expected = try inputs.map { try bits(settled.run([$0])) }
    let model = try builder.model()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for task in 0..<4 {
        let session = try Session(model, options: SessionOptions(threads: task % 2 + 1))
        group.addTask {
          for round in 0..<4 {
            let place = (task + round) % 3
            #expect(try bits(session.run([inputs[place]])) == expected[place])
            if task == 3, round == 1 { try session.settle() }
          }
        }
      }
      try await group.waitForAll()
    }
  }

  @Test func bodiesSettleToo() throws {
    var random = SeededRandom(5)
    let weight = try Tensor(random.floats(1024 * 1024).map { $0 * 0.03 }, shape: [1024, 1024])
    var body = GraphBuilder("body")
    let state = body.input("state", .float32, [4, 1024])
    let element = body.input("element", .float32, [1])
    let next = body.node("Tanh", [body.node("MatMul", [body.node("Add", [state, element]), body.constant(weight)])])
    body.output(next, body.node("ReduceMean", [next]))
    var builder = GraphBuilder()
    let start = builder.input("start", .float32, [4, 1024])
    let steps = builder.input("steps", .float32, [6, 1])
    let results = builder.nodes(
      "Scan", [start, steps], ["body": .graph(body.graph), "num_scan_inputs": .int(1)], outputs: 2)
    builder.output(results[0], results[1])
    let session = try builder.session()
    let inputs = [try floats(random.floats(4096), [4, 1024]), try floats(random.floats(6), [6, 1])]
    let first = try bits(session.run(inputs))
    try session.settle()
    #expect(try bits(session.run(inputs)) == first)
  }
}
