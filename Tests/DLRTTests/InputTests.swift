import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

/// What a run accepts as inputs, and how it says what is wrong.
@Suite struct InputTests {
  /// a: float [N, 3], b: int64 [N], c: optional float [2] of value [5, 6].
  private func model() throws -> Session {
    var builder = GraphBuilder()
    let a = builder.input("a", .float32, [.symbol("N"), 3])
    let b = builder.input("b", .int64, [.symbol("N")])
    let c = builder.inputWithDefault("c", try Tensor([5, 6] as [Float], shape: [2]))
    builder.output(builder.node("Neg", [a]), builder.node("Neg", [b]), builder.node("Neg", [c]))
    return try builder.session()
  }

  @Test func optionalInputsHaveDefaults() throws {
    let session = try model()
    #expect(session.model.inputs.map(\.isOptional) == [false, false, true])
    let a = try floats([1, 2, 3], [1, 3])
    #expect(try session.run([a, int64s([1]), nil])[2].floats() == [-5, -6])
    #expect(try session.run([a, int64s([1]), floats([1, 2])])[2].floats() == [-1, -2])
    #expect(try session.plan(shapes: [[1, 3], [1], nil]).steps.last?.outputs == [[2]])
  }

  @Test func wrongInputsAreNamed() throws {
    let session = try model()
    let a = try floats([1, 2, 3], [1, 3])
    let b = try int64s([1])
    expectError(.invalidInput, "number of inputs", "expected 3", "got 1") { _ = try session.run([a]) }
    expectError(.invalidInput, "missing", "'b'") { _ = try session.run([a, nil, nil]) }
    expectError(.invalidInput, "type", "'b'", "tensor(int64)", "tensor(float)") { _ = try session.run([a, a, nil]) }
    expectError(.invalidInput, "type", "'a'", "seq(tensor(float))") {
      _ = try session.run([.sequence([], of: .tensor(.float32)), b, nil])
    }
    expectError(.invalidInput, "rank", "'a'", "[N, 3]", "[3]") { _ = try session.run([floats([1, 2, 3]), b, nil]) }
    expectError(.invalidInput, "shape", "'a'", "[N, 3]", "[1, 2]") {
      _ = try session.run([floats([1, 2], [1, 2]), b, nil])
    }
    expectError(.invalidInput, "'N'", "'b'", "1 as in 'a'", "got 2") { _ = try session.run([a, int64s([1, 2]), nil]) }
  }

  @Test func unknownNamesAreRefused() throws {
    let session = try model()
    let one = try Tensor([1, 2, 3] as [Float], shape: [1, 3])
    expectError(.invalidInput, "'x'", "'a', 'b', 'c'") {
      _ = try session.run(["a": one, "b": Tensor([1] as [Int64], shape: [1]), "x": one])
    }
  }

  @Test func aRefusedRunLeavesTheSessionUsable() throws {
    let session = try model()
    #expect(throws: DLRTError.self) { try session.run([nil, nil, nil]) }
    #expect(try session.run([floats([1, 2, 3], [1, 3]), int64s([4]), nil])[1].int64s() == [-4])
  }

  @Test func memoryOfAnyAlignmentIsRead() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [.symbol("N")])
    builder.output(builder.node("Neg", [x]), x)
    let session = try builder.session()
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 16)
    defer { memory.deallocate() }
    for offset in 0..<5 {
      for index in 0..<6 { (memory + offset + index * 4).storeBytes(of: Float(index), as: Float.self) }
      let tensor = Tensor(.float32, [6], TensorStorage(borrowing: memory + offset, byteCount: 24, owner: nil))
      #expect(
        try session.run([.tensor(tensor)]).map { try $0.floats() } == [[0, -1, -2, -3, -4, -5], [0, 1, 2, 3, 4, 5]])
    }
  }

  @Test func optionsAreChecked() throws {
    let model = try model().model
    expectError(.invalidArgument, "threads", "0") { _ = try Session(model, options: SessionOptions(threads: 0)) }
    expectError(.invalidArgument, "threads") { _ = try Session(model, options: SessionOptions(threads: 100_000)) }
    expectError(.invalidArgument, "memory limit") { _ = try Session(model, options: SessionOptions(memoryLimit: -1)) }
    #expect(try Session(model, options: SessionOptions(threads: 3)).threads == 3)
    #expect(try Session(model, options: SessionOptions(planCapacity: -5)).threads >= 1)
  }
}
