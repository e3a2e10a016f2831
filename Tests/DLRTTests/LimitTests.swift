import DLRTGraph
import DLRTTestSupport
import Testing

@testable import DLRT

/// Memory limits, cancellation and deadlines.
@Suite struct LimitTests {
  private func large() throws -> GraphBuilder {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [.symbol("N")])
    let column = builder.node("Reshape", [x, builder.constant(try Tensor(int64: [-1, 1]))])
    let square = builder.node("Add", [column, x], name: "square")
    builder.output(builder.node("ReduceSum", [builder.node("Transpose", [square])]))
    return builder
  }

  @Test func aRunBeyondTheLimitIsRefusedBeforeMemoryIsTaken() throws {
    let session = try large().session(SessionOptions(threads: 1, memoryLimit: 1 << 20))
    #expect(try session.run([floats([1, 2])])[0].floats() == [12])
    let long = try floats([Float](repeating: 1, count: 30_000))
    expectError(.limitExceeded, "square", "Add", "1048576") { _ = try session.run([long]) }
    #expect(session.core.arenas.byteCounts.allSatisfy { $0 <= 1 << 20 })
    expectError(.limitExceeded, "square") { _ = try session.plan(shapes: [[30_000]]) }
    #expect(try session.run([floats([1, 2])])[0].floats() == [12])
  }

  @Test func theLimitCountsAllBuffersOfAPlan() throws {
    // Each buffer fits, both together do not.
    let session = try large().session(SessionOptions(threads: 1, memoryLimit: 300 * 300 * 4 * 3 / 2))
    expectError(.limitExceeded, "expected at most") { _ = try session.run([floats([Float](repeating: 1, count: 300))]) }
    #expect(try session.run([floats([Float](repeating: 1, count: 200))])[0].floats() == [80_000])
  }

  @Test func theLimitCountsOutputsUnlessTheyAreGiven() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [.symbol("N")])
    builder.output(builder.node("Neg", [x]), builder.node("Abs", [x]))
    let session = try builder.session(SessionOptions(threads: 1, memoryLimit: 6000))
    let input = try floats([Float](repeating: 1, count: 1000))
    expectError(.limitExceeded) { _ = try session.run([input]) }
    var outputs: [Value?] = try (0..<2).map { _ in .tensor(try Tensor(zeros: [1000], type: .float32)) }
    try session.run([input], into: &outputs)
    #expect(try #require(outputs[0]).floats()[999] == -1)
  }

  @Test func memoryThatDataAskForIsLimited() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [.symbol("N")])
    builder.output(builder.node("NonZero", [x], name: "indices"))
    let session = try builder.session(SessionOptions(threads: 1, memoryLimit: 1 << 16))
    #expect(try session.run([floats([1, 0, 1])])[0].int64s() == [0, 2])
    expectError(.limitExceeded, "indices", "NonZero") {
      _ = try session.run([floats([Float](repeating: 1, count: 10_000))])
    }
    for _ in 0..<20 { #expect(try session.run([floats([1, 0, 1])])[0].int64s() == [0, 2]) }
  }

  @Test func cancelledRunsThrow() throws {
    let session = try large().session()
    let token = CancellationToken()
    let options = RunOptions(cancellation: token)
    #expect(try session.run([floats([1])], options: options)[0].floats() == [2])
    token.cancel()
    expectError(.cancelled, "cancelled") { _ = try session.run([floats([1])], options: options) }
    token.reset()
    #expect(try session.run([floats([1])], options: options)[0].floats() == [2])
  }

  @Test func deadlinesEndRuns() throws {
    let session = try large().session()
    expectError(.cancelled, "time") { _ = try session.run([floats([1])], options: RunOptions(timeoutNanoseconds: 0)) }
    for timeout in [UInt64.max, 1 << 62] {
      let options = RunOptions(timeoutNanoseconds: timeout)
      #expect(try session.run([floats([1])], options: options)[0].floats() == [2])
    }
  }

  @Test func anotherThreadEndsALoopWithoutEnd() async throws {
    let builder = try GraphBuilder.countingLoop()
    let session = try builder.session()
    let token = CancellationToken()
    async let run: Void = {
      expectError(.cancelled, "cancelled") {
        _ = try session.run([int64s([Int64.max], [])], options: RunOptions(cancellation: token))
      }
    }()
    token.cancel()
    await run
    expectError(.cancelled, "time") {
      _ = try session.run([int64s([Int64.max], [])], options: RunOptions(timeoutNanoseconds: 20_000_000))
    }
    #expect(try session.run([int64s([4], [])])[0].int64s() == [4])
  }
}
