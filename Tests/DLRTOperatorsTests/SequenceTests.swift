import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

@Suite struct SequenceTests {
  private func row(_ values: [Float]) throws -> Value { .tensor(try Tensor(values, shape: [values.count])) }

  private func sequence(_ rows: [Float]...) throws -> Value {
    .sequence(try rows.map(row), of: .tensor(.float32))
  }

  /// Runs one node over a sequence and a position.
  private func run(_ op: String, _ sequence: Value, _ rest: [Tensor], _ attributes: [String: Attribute] = [:]) throws
    -> Value
  {
    var builder = GraphBuilder()
    let first = builder.input("s", sequence.type)
    let others = rest.enumerated().map { builder.input("i\($0)", $1.type, Shape($1.shape)) }
    builder.output(builder.node(op, [first] + others, attributes))
    return try builder.run([sequence] + rest.map { .tensor($0) })[0]
  }

  private func position(_ index: Int) throws -> Tensor { try Tensor(int64: [index], shape: []) }

  private func rows(_ value: Value) throws -> [[Float]] {
    guard case .sequence(let elements, _) = value else { return [] }
    return try elements.compactMap { try $0.tensor?.array(of: Float.self) }
  }

  @Test func insertAndErase() throws {
    let pair = try sequence([1], [2, 3])
    let new = try Tensor([Float(9)], shape: [1])
    #expect(try rows(run("SequenceInsert", pair, [new])) == [[1], [2, 3], [9]])
    #expect(try rows(run("SequenceInsert", pair, [new, position(2)])) == [[1], [2, 3], [9]])
    #expect(try rows(run("SequenceInsert", pair, [new, position(-2)])) == [[9], [1], [2, 3]])
    #expect(try rows(run("SequenceErase", pair, [])) == [[1]])
    #expect(try rows(run("SequenceErase", pair, [position(-2)])) == [[2, 3]])
    #expect(try run("SequenceAt", pair, [position(-1)]).tensor?.array(of: Float.self) == [2, 3])
  }

  @Test(arguments: [2, -3, Int(Int64.max), Int(Int64.min)])
  func positionsOutOfRange(_ index: Int) throws {
    let pair = try sequence([1], [2])
    for op in ["SequenceAt", "SequenceErase"] {
      let error = #expect(throws: DLRTError.self) { try run(op, pair, [try position(index)]) }
      #expect(error?.code == .invalidInput)
    }
  }

  @Test func emptySequences() throws {
    let none = try sequence()
    #expect(try run("SequenceLength", none, []).tensor?.integers == [0])
    for (op, attributes) in [("SequenceErase", [:]), ("ConcatFromSequence", ["axis": Attribute.int(0)])] {
      let error = #expect(throws: DLRTError.self) { try run(op, none, [], attributes) }
      #expect(error?.code == .invalidInput)
    }
  }

  @Test func concatenation() throws {
    let pair = try sequence([1, 2], [3, 4])
    let joined = try run("ConcatFromSequence", pair, [], ["axis": .int(-1)]).tensor
    #expect(try joined?.array(of: Float.self) == [1, 2, 3, 4])
    let stacked = try run("ConcatFromSequence", pair, [], ["axis": .int(-1), "new_axis": .int(1)]).tensor
    #expect(stacked?.shape == [2, 2])
    #expect(try stacked?.array(of: Float.self) == [1, 3, 2, 4])
    #expect(throws: DLRTError.self) {
      try run("ConcatFromSequence", try sequence([1, 2], [3]), [], ["axis": .int(0), "new_axis": .int(1)])
    }
    #expect(throws: DLRTError.self) { try run("ConcatFromSequence", pair, [], ["axis": .int(1)]) }
  }

  @Test(arguments: [([2, 2], [1], true), ([3], [0], false), ([-1, 4], [1], true), ([2, Int.max], [1], true)])
  func splitsThatDoNotFit(_ split: [Int], _ expected: [Int], _ isList: Bool) throws {
    let data = try Tensor([Float](repeating: 0, count: 3), shape: [3])
    let sizes = try Tensor(int64: isList ? split : [0], shape: isList ? [split.count] : [])
    var builder = GraphBuilder()
    let inputs = [builder.input("x", .float32, [3]), builder.input("s", .int64, Shape(sizes.shape))]
    builder.output(builder.node("SplitToSequence", inputs))
    let error = #expect(throws: DLRTError.self) { try builder.run([.tensor(data), .tensor(sizes)]) }
    #expect(error?.code == .invalidInput)
  }

  @Test func stringsInSequencesOutliveTheRun() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .string, [3])
    builder.output(builder.node("SplitToSequence", [x]))
    let result = try builder.run([.tensor(try Tensor(["a", "", "long enough to live elsewhere"], shape: [3]))])[0]
    guard case .sequence(let elements, _) = result else { throw DLRTError(.internalError, "not a sequence") }
    #expect(try elements.map { try $0.tensor?.strings() } == [["a"], [""], ["long enough to live elsewhere"]])
  }

  @Test func optionals() throws {
    let type = ValueType.tensor(.float32)
    func has(_ value: Value) throws -> [Bool]? {
      try run("OptionalHasElement", value, []).tensor?.array(of: Bool.self)
    }
    #expect(try has(.optional(nil, of: type)) == [false])
    #expect(try has(.optional(try row([1]), of: type)) == [true])
    #expect(try has(try sequence()) == [true])
    let held = try run("OptionalGetElement", .optional(try row([5]), of: type), [])
    #expect(try held.tensor?.array(of: Float.self) == [5])
    let error = #expect(throws: DLRTError.self) { try run("OptionalGetElement", .optional(nil, of: type), []) }
    #expect(error?.code == .invalidInput)
  }
}
