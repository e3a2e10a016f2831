import DLRTGraph
import DLRTTestSupport
import Testing

@testable import DLRT

/// Concurrent runs, and runs on several threads.
@Suite struct ThreadTests {
  /// Convolution, products, reductions and normalisation, large enough to be shared among threads.
  private func network() throws -> GraphBuilder {
    var random = SeededRandom(3)
    var builder = GraphBuilder()
    func weight(_ shape: [Int]) throws -> ValueID {
      try builder.constant(Tensor(random.floats(shape.product), shape: shape))
    }
    let x = builder.input("x", .float32, [.symbol("N"), 8, 24, 24])
    let conv = try builder.node(
      "Conv", [x, weight([16, 8, 3, 3]), weight([16])], ["pads": .ints([1, 1, 1, 1]), "kernel_shape": .ints([3, 3])])
    let active = builder.node("Tanh", [conv])
    let pooled = builder.node("MaxPool", [active], ["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2])])
    let flat = builder.node("Reshape", [pooled, builder.constant(try Tensor(int64: [0, 16, 144]))])
    let product = try builder.node("MatMul", [flat, weight([144, 144])])
    let normal = try builder.node("LayerNormalization", [product, weight([144]), weight([144])])
    builder.output(
      builder.node("Softmax", [normal]), builder.node("ReduceSum", [normal, builder.constant(try Tensor(int64: [1]))]),
      builder.node("ReduceMean", [normal]))
    return builder
  }

  private func input(_ batch: Int, seed: UInt64) throws -> Value {
    var random = SeededRandom(seed)
    return try floats(random.floats(batch * 8 * 24 * 24), [batch, 8, 24, 24])
  }

  @Test func theNumberOfThreadsDoesNotChangeBits() throws {
    let model = try network().model()
    for batch in [1, 3] {
      let expected = try bits(Session(model, options: SessionOptions(threads: 1)).run([input(batch, seed: 1)]))
      for threads in [2, 3, 5] {
        let session = try Session(model, options: SessionOptions(threads: threads))
        for _ in 0..<3 { #expect(try bits(session.run([input(batch, seed: 1)])) == expected) }
      }
    }
  }

  /// Two parts of a fused chain, whose scratch any of the threads may use.
  @Test func scratchIsThereForEveryThread() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [14_000])
    let sum = builder.node("Add", [builder.node("Tanh", [x]), builder.node("Exp", [builder.node("Neg", [x])])])
    builder.output(builder.node("Mul", [sum, builder.node("Sigmoid", [x])]))
    let model = try builder.model()
    func session(_ threads: Int) throws -> Session { try Session(model, options: SessionOptions(threads: threads)) }
    func workspace(_ threads: Int) throws -> Int {
      try session(threads).plan(shapes: [[14_000]]).steps.map(\.workspace).reduce(0, +)
    }
    #expect(try workspace(8) == 4 * workspace(2))
    var random = SeededRandom(9)
    let input = try floats(random.floats(14_000), [14_000])
    let expected = try bits(session(1).run([input]))
    let wide = try session(8)
    for _ in 0..<20 { #expect(try bits(wide.run([input])) == expected) }
  }

  @Test func manyThreadsMayUseOneSession() async throws {
    let model = try network().model()
    let serial = try Session(model, options: SessionOptions(threads: 1))
    let expected = try (0..<4).map { try bits(serial.run([input(1 + Int($0) % 3, seed: $0)])) }
    for threads in [1, 2] {
      let session = try Session(model, options: SessionOptions(threads: threads))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for task in 0..<16 {
          group.addTask {
            for round in 0..<4 {
              let seed = UInt64((task + round) % 4)
              let results = try session.run([self.input(1 + Int(seed) % 3, seed: seed)])
              #expect(try bits(results) == expected[Int(seed)])
            }
          }
        }
        try await group.waitForAll()
      }
      // Threads that began together planned each shape once.
      #expect(session.executor.preparedStages.count == 3)
    }
  }

  @Test func sessionsShareTheModelsWeights() throws {
    let model = try network().model()
    _ = try Session(model, options: SessionOptions(threads: 1)).run([input(1, seed: 0)])
    let packed = model.weights.byteCount
    _ = try Session(model, options: SessionOptions(threads: 1)).run([input(2, seed: 0)])
    #expect(model.weights.byteCount == packed)
  }
}
