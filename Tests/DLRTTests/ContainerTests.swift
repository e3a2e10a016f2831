import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

/// Strings, sequences and optionals as inputs, outputs and between.
@Suite struct ContainerTests {
  private func strings(_ values: [String], _ shape: [Int]? = nil) throws -> Value {
    .tensor(try Tensor(values, shape: shape ?? [values.count]))
  }

  @Test func stringsPassThroughMovesAndComputations() throws {
    var builder = GraphBuilder()
    let a = builder.input("a", .string, [.symbol("N")])
    let b = builder.input("b", .string, [.symbol("N")])
    let joined = builder.node("StringConcat", [a, b])
    let twice = builder.node("Concat", [joined, a], ["axis": .int(0)])
    builder.output(joined, twice, a, builder.node("Reshape", [joined, builder.constant(try Tensor(int64: [1, -1]))]))
    let results = try builder.runAll([strings(["x", "", "ü"]), strings(["1", "2", ""])])
    #expect(
      try results.map { try #require($0.tensor).strings() }
        == [["x1", "2", "ü"], ["x1", "2", "ü", "x", "", "ü"], ["x", "", "ü"], ["x1", "2", "ü"]])
  }

  @Test func stringsOutliveTheRunThatMadeThem() throws {
    var builder = GraphBuilder()
    let a = builder.input("a", .string, [.symbol("N")])
    builder.output(builder.node("StringConcat", [a, a]))
    let session = try builder.session()
    let first = try session.run([strings(["a long string that no small buffer holds"])])
    for round in 0..<50 { _ = try session.run([strings(["other \(round) " + String(repeating: "x", count: 50)])]) }
    #expect(try first[0].tensor?.strings() == [String(repeating: "a long string that no small buffer holds", count: 2)])
    var reused: [Value?] = first
    try session.run([strings(["z"])], into: &reused)
    #expect(try reused[0]?.tensor?.strings() == ["zz"])
  }

  @Test func sequencesAreInputsAndOutputs() throws {
    var builder = GraphBuilder()
    let list = builder.input("list", .sequence(.tensor(.float32)))
    let x = builder.input("x", .float32, [.symbol("N")])
    let longer = builder.node("SequenceInsert", [list, builder.node("Neg", [x])])
    builder.output(
      longer, builder.node("SequenceLength", [longer]),
      builder.node("ConcatFromSequence", [longer], ["axis": .int(0)]), list)
    let list1 = Value.sequence([try floats([1]), try floats([2, 3])], of: .tensor(.float32))
    let results = try builder.runAll([list1, floats([4, 5])])
    #expect(try results[1].int64s() == [3])
    #expect(try results[2].floats() == [1, 2, 3, -4, -5])
    #expect(try bits(results[3]) == bits(list1))
    guard case .sequence(let elements, _) = results[0] else { return #expect(Bool(false), "no sequence") }
    #expect(try elements.map { try $0.floats() } == [[1], [2, 3], [-4, -5]])
  }

  @Test func elementsOfSequencesDecideShapes() throws {
    var builder = GraphBuilder()
    let list = builder.input("list", .sequence(.tensor(.float32)))
    let index = builder.input("index", .int64, [])
    let element = builder.node("SequenceAt", [list, index], name: "element")
    builder.output(builder.node("Neg", [element]))
    let value = Value.sequence([try floats([1]), try floats([2, 3])], of: .tensor(.float32))
    let session = try builder.session()
    for _ in 0..<2 {
      #expect(try session.run([value, int64s([0], [])])[0].floats() == [-1])
      #expect(try session.run([value, int64s([-1], [])])[0].floats() == [-2, -3])
    }
    expectError(.invalidInput, "element", "SequenceAt") { _ = try session.run([value, int64s([2], [])]) }
  }

  @Test func optionalsMayBeEmpty() throws {
    var builder = GraphBuilder()
    let maybe = builder.input("maybe", .optional(.tensor(.float32)))
    builder.output(builder.node("OptionalHasElement", [maybe]), maybe)
    let full = Value.optional(try floats([1]), of: .tensor(.float32))
    let empty = Value.optional(nil, of: .tensor(.float32))
    for (value, expected) in [(full, true), (empty, false)] {
      let results = try builder.runAll([value])
      #expect(try results[0].tensor?.array(of: Bool.self) == [expected])
      #expect(try bits(results[1]) == bits(value))
    }
  }
}
