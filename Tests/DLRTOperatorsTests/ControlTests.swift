import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

@Suite struct ControlTests {
  private func number(_ value: Float) throws -> Value { .tensor(try Tensor(scalar: value)) }
  private func integer(_ value: Int) throws -> Value { .tensor(try Tensor(int64: [value], shape: [])) }
  private func condition(_ value: Bool) throws -> Value { .tensor(try Tensor([value], shape: [])) }

  private func floats(_ value: Value?) throws -> [Float]? { try value?.tensor?.array(of: Float.self) }

  private func body(_ build: (inout GraphBuilder) throws -> Void) rethrows -> Attribute {
    var builder = GraphBuilder("body")
    try build(&builder)
    return .graph(builder.graph)
  }

  // MARK: If

  /// Branches over captured `x`.
  private func choice(
    _ condition: Value, _ x: Value, then: (inout GraphBuilder, ValueID) throws -> ValueID,
    otherwise: (inout GraphBuilder, ValueID) throws -> ValueID
  ) throws -> Value {
    func branch(_ build: (inout GraphBuilder, ValueID) throws -> ValueID) rethrows -> Attribute {
      try body { builder in
        let captured = builder.input("x", x.type, nil)
        builder.output(try build(&builder, captured))
      }
    }
    var builder = GraphBuilder()
    let c = builder.input("c", condition.type, condition.tensor.map { Shape($0.shape) })
    let given = builder.input("x", x.type, x.tensor.map { Shape($0.shape) })
    builder.output(
      builder.node(
        "If", [c, given], ["then_branch": try branch(then), "else_branch": try branch(otherwise)], captures: 1))
    return try builder.run([condition, x])[0]
  }

  @Test(arguments: [true, false])
  func branchesOfDifferentShapes(_ holds: Bool) throws {
    let x = Value.tensor(try Tensor([Float(1), 2], shape: [2]))
    let result = try choice(condition(holds), x) { builder, x in
      builder.node("Concat", [x, x], ["axis": .int(0)])
    } otherwise: { builder, x in
      builder.node("Neg", [x])
    }
    #expect(try floats(result) == (holds ? [1, 2, 1, 2] : [-1, -2]))
  }

  @Test(arguments: [true, false])
  func branchesThatGiveWhatTheyCapture(_ holds: Bool) throws {
    let words = Value.tensor(try Tensor(["a", "a longer text that needs memory of its own"], shape: [2]))
    let result = try choice(condition(holds), words) { builder, x in
      builder.node("Identity", [x])
    } otherwise: { builder, x in
      builder.node("Reshape", [x, builder.constant(try Tensor(int64: [2, 1]))])
    }
    #expect(result.tensor?.shape == (holds ? [2] : [2, 1]))
    #expect(try result.tensor?.strings() == words.tensor?.strings())
  }

  @Test func conditionsThatAreNotOneBool() throws {
    let x = try number(1)
    for bad in [Value.tensor(try Tensor([true, false], shape: [2])), .tensor(try Tensor(zeros: [0], type: .bool)), x] {
      #expect(throws: DLRTError.self) {
        try choice(bad, x) {
          $0.node("Neg", [$1])
        } otherwise: {
          $0.node("Abs", [$1])
        }
      }
    }
  }

  @Test func branchesOfDifferentTypes() throws {
    let error = #expect(throws: DLRTError.self) {
      try choice(try condition(true), try number(1)) { builder, x in
        builder.node("Neg", [x])
      } otherwise: { builder, x in
        builder.node("Shape", [x])
      }
    }
    #expect(error?.code == .invalidModel)
  }

  // MARK: Loop

  /// A loop that adds `step` to a carried value, gives out what `slice` makes of it, and goes on below `bound`.
  private func count(
    limit: Int?, start: Bool?, bound: Float = .infinity, options: SessionOptions = SessionOptions(threads: 1),
    run: RunOptions = RunOptions(),
    slice: (inout GraphBuilder, _ iteration: ValueID, _ value: ValueID) throws -> ValueID = { $2 }
  ) throws -> [Value] {
    let attribute = try body { builder in
      let iteration = builder.input("i", .int64, [])
      _ = builder.input("c", .bool, [])
      let value = builder.input("v", .float32, nil)
      let step = builder.input("step", .float32, [])
      let sum = builder.node("Add", [value, step])
      let below = builder.node("Less", [sum, builder.constant(try Tensor(scalar: bound))])
      builder.output(below, sum, try slice(&builder, iteration, sum))
    }
    var builder = GraphBuilder()
    var given: [Value?] = []
    var inputs: [ValueID?] = [nil, nil]
    if let limit {
      inputs[0] = builder.input("m", .int64, [])
      given.append(try integer(limit))
    }
    if let start {
      inputs[1] = builder.input("c", .bool, [])
      given.append(try condition(start))
    }
    inputs.append(builder.input("v", .float32, []))
    inputs.append(builder.input("step", .float32, []))
    given += [try number(0), try number(1)]
    let results = builder.nodes("Loop", inputs, ["body": attribute], outputs: 2, captures: 1)
    builder.output(results[0], results[1])
    let session = try Session(builder.model(), options: options)
    return try session.run(given, options: run)
  }

  @Test(arguments: [
    (Int?.some(3), Bool?.none, Float.infinity, [Float(1), 2, 3]), (3, true, 2, [1, 2]), (nil, true, 4, [1, 2, 3, 4]),
    (nil, nil, 2, [1, 2]), (0, true, .infinity, []), (-5, nil, .infinity, []), (9, false, .infinity, []),
    (1, true, 0, [1]),
  ])
  func whenLoopsEnd(_ limit: Int?, _ start: Bool?, _ bound: Float, _ expected: [Float]) throws {
    let results = try count(limit: limit, start: start, bound: bound)
    #expect(try floats(results[0]) == [expected.last ?? 0])
    #expect(results[1].tensor?.shape == [expected.count])
    #expect(try floats(results[1]) == expected)
  }

  @Test func emptyStacksKeepTheirShape() throws {
    let results = try count(limit: 0, start: nil) { builder, _, value in
      builder.node("Expand", [value, builder.constant(try Tensor(int64: [2, 3]))])
    }
    #expect(results[1].tensor?.shape == [0, 2, 3])
  }

  @Test func stacksOfDifferentShapes() throws {
    let error = #expect(throws: DLRTError.self) {
      try count(limit: 3, start: nil) { builder, iteration, value in
        let size = builder.node("Unsqueeze", [iteration, builder.constant(try Tensor(int64: [0]))])
        return builder.node("Expand", [value, size])
      }
    }
    #expect(error?.code == .invalidInput)
    #expect(error?.operatorName == "Loop")
  }

  @Test func loopsThatNeverEndStop() throws {
    let deadline = #expect(throws: DLRTError.self) {
      try count(limit: nil, start: true, run: RunOptions(timeoutNanoseconds: 20_000_000))
    }
    #expect(deadline?.code == .cancelled)
    let memory = #expect(throws: DLRTError.self) {
      try count(limit: nil, start: true, options: SessionOptions(threads: 1, memoryLimit: 1 << 16))
    }
    #expect(memory?.code == .limitExceeded)
  }

  @Test func carriedShapesMayGrow() throws {
    let attribute = body { builder in
      _ = builder.input("i", .int64, [])
      let goesOn = builder.input("c", .bool, [])
      let value = builder.input("v", .string, nil)
      builder.output(
        builder.node("Identity", [goesOn]), builder.node("Concat", [value, value], ["axis": .int(0)]))
    }
    var builder = GraphBuilder()
    let limit = builder.input("m", .int64, [])
    let value = builder.input("v", .string, [1])
    builder.output(builder.node("Loop", [limit, nil, value], ["body": attribute]))
    let session = try Session(builder.model())
    for trips in [0, 3, 1] {
      let given = Value.tensor(try Tensor(["a text that is longer than a few bytes"], shape: [1]))
      let result = try session.run([integer(trips), given])[0].tensor
      #expect(result?.shape == [1 << trips])
      #expect(try result?.strings().allSatisfy { $0.hasPrefix("a text") } == true)
    }
  }

  // MARK: Scan

  /// Running sums along an axis of a 2 × 3 matrix.
  private func sums(_ attributes: [String: Attribute], shape: [Int] = [2, 3]) throws -> [Value] {
    var all = attributes
    all["num_scan_inputs"] = .int(1)
    all["body"] = body { builder in
      let state = builder.input("s", .float32, nil)
      let slice = builder.input("x", .float32, nil)
      let sum = builder.node("Add", [state, slice])
      builder.output(sum, builder.node("Identity", [sum]))
    }
    let x = try Tensor((0..<shape.reduce(1, *)).map { Float($0) }, shape: shape)
    var builder = GraphBuilder()
    let inputs = [builder.input("s", .float32, []), builder.input("x", .float32, Shape(shape))]
    let results = builder.nodes("Scan", inputs, all, outputs: 2)
    builder.output(results[0], results[1])
    return try builder.run([number(0), .tensor(x)])
  }

  @Test func axesAndDirections() throws {
    let rows = try sums([:])
    #expect(try floats(rows[0]) == [3, 5, 7])
    #expect(try floats(rows[1]) == [0, 1, 2, 3, 5, 7])
    let columns = try sums(["scan_input_axes": .ints([-1]), "scan_output_axes": .ints([-1])])
    #expect(columns[1].tensor?.shape == [2, 3])
    #expect(try floats(columns[1]) == [0, 1, 3, 3, 7, 12])
    let backwards = try sums(["scan_input_directions": .ints([1]), "scan_output_directions": .ints([1])])
    #expect(try floats(backwards[1]) == [3, 5, 7, 3, 4, 5])
    let none = try sums([:], shape: [0, 3])
    #expect(try floats(none[0]) == [0])
    #expect(none[1].tensor?.shape == [0, 3])
  }

  @Test(arguments: [
    ["scan_input_axes": Attribute.ints([2])], ["scan_input_axes": .ints([0, 1])], ["scan_output_axes": .ints([-3])],
    ["scan_input_directions": .ints([2])], ["num_scan_inputs": .int(3)],
    ["num_scan_inputs": .int(0)], ["num_scan_inputs": .int(Int.min)],
  ])
  func invalidScans(_ attributes: [String: Attribute]) throws {
    guard attributes["num_scan_inputs"] == nil else {
      var builder = GraphBuilder()
      let x = builder.input("x", .float32, [2])
      builder.output(builder.node("Scan", [x], attributes.merging(["body": body { _ in }]) { $1 }))
      #expect(throws: DLRTError.self) { try builder.model() }
      return
    }
    #expect(throws: DLRTError.self) { try sums(attributes) }
  }

  @Test(arguments: [([2, 0], [Float(1), 0], [Float(0), 1, 0, 0, 0, 0]), ([3, 1], [3, 3], [0, 1, 3, 3, 0, 0])])
  func batchesOfDifferentLengths(_ lengths: [Int], _ states: [Float], _ stacked: [Float]) throws {
    let attribute = body { builder in
      let state = builder.input("s", .float32, nil)
      let slice = builder.input("x", .float32, nil)
      let sum = builder.node("Add", [state, slice])
      builder.output(sum, builder.node("Identity", [sum]))
    }
    var builder = GraphBuilder()
    let inputs = [
      builder.input("n", .int64, [2]), builder.input("s", .float32, [2]), builder.input("x", .float32, [2, 3]),
    ]
    let results = try builder.imported(
      "Scan", version: 8, inputs, ["body": attribute, "num_scan_inputs": .int(1)], outputs: 2)
    builder.output(results[0], results[1])
    let model = try builder.model()
    func run(_ lengths: [Int]) throws -> [Value] {
      try Session(model).run([
        .tensor(Tensor(int64: lengths)), .tensor(Tensor([Float(0), 0], shape: [2])),
        .tensor(Tensor((0..<6).map { Float($0) }, shape: [2, 3])),
      ])
    }
    let values = try run(lengths)
    #expect(try floats(values[0]) == states)
    #expect(try floats(values[1]) == stacked)
    for bad in [[4, 1], [-1, 1]] {
      #expect(throws: DLRTError.self) { try run(bad) }
    }
  }

  // MARK: SequenceMap

  @Test func sequencesOfDifferentLengths() throws {
    let attribute = body { builder in
      let a = builder.input("a", .float32, nil)
      let b = builder.input("b", .float32, nil)
      builder.output(builder.node("Add", [a, b]))
    }
    let type = ValueType.sequence(.tensor(.float32))
    var builder = GraphBuilder()
    let inputs = [builder.input("a", type), builder.input("b", type)]
    builder.output(builder.node("SequenceMap", inputs, ["body": attribute]))
    func sequence(_ values: Float...) throws -> Value { .sequence(try values.map(number), of: .tensor(.float32)) }
    guard case .sequence(let sums, _) = try builder.run([sequence(1, 2), sequence(3, 4)])[0] else {
      Issue.record("not a sequence")
      return
    }
    #expect(try sums.map(floats) == [[4], [6]])
    let error = #expect(throws: DLRTError.self) { try builder.run([sequence(1, 2), sequence(3)]) }
    #expect(error?.code == .invalidInput)
    guard case .sequence(let none, let element) = try builder.run([sequence(), sequence()])[0] else {
      Issue.record("not a sequence")
      return
    }
    #expect(none.isEmpty && element == .tensor(.float32))
  }
}
