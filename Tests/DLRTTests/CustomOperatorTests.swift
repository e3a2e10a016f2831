import DLRT
import DLRTGraph
import DLRTParallel
import DLRTTestSupport
import Testing

/// Operators of the user's own: y = alpha · x, and others that behave well or badly.
@Suite struct CustomOperatorTests {
  private struct Scale: CustomOperator {
    let factor: Float

    init(_ attributes: inout OperatorAttributes) throws {
      factor = try (attributes.float("alpha") ?? 1) * (attributes.version >= 2 ? 10 : 1)
    }

    func infer(_ inputs: [TensorDescription?]) throws -> [TensorDescription] {
      guard let x = inputs[0], x.type == .float32 else { throw DLRTError(.invalidInput, "only float32", tensor: "x") }
      return [TensorDescription(.float32, x.shape)]
    }

    func compute(_ run: borrowing OperatorCall) throws {
      guard let x = try run.input(0)?.elements(of: Float.self), let y = try run.output(0)?.elements(of: Float.self)
      else { return }
      let factor = factor
      run.parallel(x.count) { y[$0] = x[$0] * factor }
    }
  }

  private static let signature = OperatorSignature("Scale", domain: "test", inputs: 1...1)

  private func operators(
    _ name: String = "Op", inputs: ClosedRange<Int> = 1...1, outputs: ClosedRange<Int> = 1...1,
    isDeterministic: Bool = true,
    infer: @escaping @Sendable ([TensorDescription?]) throws -> [TensorDescription],
    compute: @escaping @Sendable (borrowing OperatorCall) throws -> Void
  ) throws -> CustomOperators {
    var operators = CustomOperators()
    let signature = OperatorSignature(
      name, domain: "test", inputs: inputs, outputs: outputs, isDeterministic: isDeterministic)
    try operators.add(signature, infer: infer, compute: compute)
    return operators
  }

  private func scales() throws -> CustomOperators {
    var operators = CustomOperators()
    try operators.add(Self.signature) { try Scale(&$0) }
    return operators
  }

  private func scaling(_ attributes: [String: Attribute], _ shape: Shape? = [.symbol("N")]) -> GraphBuilder {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, shape)
    let scaled = builder.node("Scale", domain: "test", [x], attributes, name: "scale")
    builder.output(builder.node("Neg", [scaled]))
    return builder
  }

  @Test func runsAmongOthers() throws {
    for shape in [[.symbol("N")], [3], nil] as [Shape?] {
      for optimizes in [true, false] {
        let model = try scaling(["alpha": .float(2)], shape).model(optimizes: optimizes, operators: scales())
        for threads in [1, 3] {
          let session = try Session(model, options: SessionOptions(threads: threads))
          #expect(try session.run([floats([1, 2, 3])])[0].floats() == [-2, -4, -6])
        }
      }
    }
  }

  @Test func survivesTheFile() throws {
    let builder = scaling(["alpha": .float(2)])
    let bytes = try builder.file(operators: scales())
    expectError(.unsupportedModel, "test::Scale", "not implemented") { _ = try Model(bytes: bytes) }
    let model = try Model(bytes: bytes, options: Model.Options(operators: scales()))
    #expect(try Session(model).run([floats([1, 2, 3])])[0].floats() == [-2, -4, -6])
  }

  @Test func attributesMustBeReadAndOfTheirKind() throws {
    expectError(.unsupportedModel, "test::Scale", "'scale'", "beta", "not known") {
      _ = try scaling(["beta": .int(1)]).model(operators: scales())
    }
    expectError(.invalidModel, "test::Scale", "'scale'", "alpha", "float") {
      _ = try scaling(["alpha": .int(1)]).model(operators: scales())
    }
  }

  @Test func versionsReachTheOperator() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [1])
    builder.output(builder.node("Scale", domain: "test", [x]))
    var bytes = try builder.file(operators: scales())
    // The import is the domain's name and, after it, the version.
    let domain = Array("test".utf8)
    let place = try #require(bytes.indices.last { bytes[$0...].starts(with: domain + [0x10]) })
    bytes[place + domain.count + 1] = 2
    let model = try Model(bytes: bytes, options: Model.Options(operators: scales()))
    #expect(try Session(model).run([floats([1])])[0].floats() == [10])

    var younger = CustomOperators()
    var signature = Self.signature
    signature.sinceVersion = 3
    try younger.add(signature) { try Scale(&$0) }
    expectError(.unsupportedModel, "version 2") {
      _ = try Model(bytes: bytes, options: Model.Options(operators: younger))
    }
  }

  @Test func constantsAreFoldedUnlessResultsDiffer() throws {
    for (isDeterministic, count) in [(true, 0), (false, 1)] {
      let twice = try operators(isDeterministic: isDeterministic) { inputs in
        [TensorDescription(.float32, inputs[0]?.shape)]
      } compute: { run in
        guard let x = try run.input(0)?.elements(of: Float.self), let y = try run.output(0)?.elements(of: Float.self)
        else { return }
        for index in x.indices { y[index] = x[index] * 2 }
      }
      var builder = GraphBuilder()
      let x = builder.input("x", .float32, [2])
      let c = builder.constant(try Tensor([1, 2] as [Float], shape: [2]))
      builder.output(builder.node("Add", [x, builder.node("Op", domain: "test", [c])]))
      let model = try builder.model(operators: twice)
      #expect(model.operatorCounts["test::Op"] ?? 0 == count)
      #expect(try Session(model).run([floats([1, 1])])[0].floats() == [3, 5])
    }
  }

  /// The positive elements of x, and how many; y may be followed by operators that need its shape.
  private func positives(partial: Shape?) throws -> CustomOperators {
    try operators(outputs: 1...2) { _ in
      [TensorDescription(.float32, partial), TensorDescription(.int64, [])]
    } compute: { run in
      guard let x = try run.input(0)?.elements(of: Float.self) else { return }
      let found = x.filter { $0 > 0 }
      if run.isOpen(0), let y = try run.allocate(0, shape: [found.count]) {
        _ = try y.elements(of: Float.self).update(from: found)
      }
      if let count = try run.output(1)?.elements(of: Int64.self) { count[0] = Int64(found.count) }
    }
  }

  @Test func dataMayDecideShapes() throws {
    for partial in [[.unknown], nil] as [Shape?] {
      var builder = GraphBuilder()
      let x = builder.input("x", .float32, [.symbol("N")])
      let outputs = builder.nodes("Op", domain: "test", [x], outputs: 2)
      builder.output(builder.node("Neg", [outputs[0]]), outputs[1])
      let session = try Session(builder.model(operators: positives(partial: partial)))
      for (input, expected) in [([1, -1, 2], [-1, -2]), ([-1], []), ([4, 5, 6], [-4, -5, -6])] as [([Float], [Float])] {
        let results = try session.run([floats(input)])
        #expect(try results[0].floats() == expected && results[1].int64s() == [Int64(expected.count)])
      }
    }
  }

  @Test func outputsThatNobodyReadsAreNotWanted() throws {
    let both = try operators(outputs: 1...2) { inputs in
      [TensorDescription(.float32, [1]), TensorDescription(.float32, [.unknown])]
    } compute: { run in
      #expect(!run.wants(1) && run.output(1) == nil)
      #expect(try run.allocate(1, shape: [1 << 50]) == nil)
      try run.output(0)?.elements(of: Float.self)[0] = 7
    }
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [1])
    builder.output(builder.nodes("Op", domain: "test", [x], outputs: 2)[0])
    #expect(try Session(builder.model(operators: both)).run([floats([1])])[0].floats() == [7])
  }

  @Test func stringsGoInAndOut() throws {
    let join = try operators { inputs in
      [TensorDescription(.string, inputs[0]?.shape)]
    } compute: { run in
      let texts = try run.input(0)?.strings() ?? []
      try run.setStrings(0, texts.map { $0 + "!" }, shape: [texts.count])
    }
    var builder = GraphBuilder()
    let x = builder.input("x", .string, [.symbol("N")])
    builder.output(builder.node("Op", domain: "test", [x]))
    let session = try Session(builder.model(operators: join))
    for _ in 0..<3 {
      let results = try session.run([.tensor(Tensor(["a", "", "longer than a word"], shape: [3]))])
      #expect(try results[0].tensor?.strings() == ["a!", "!", "longer than a word!"])
    }
  }

  @Test func registrationRefusesWhatCannotBe() throws {
    func add(_ change: (inout OperatorSignature) -> Void) throws {
      var operators = try scales()
      var signature = Self.signature
      signature.name = "Other"
      change(&signature)
      try operators.add(signature) { try Scale(&$0) }
    }
    try add { _ in }
    expectError(.invalidArgument, "no name") { try add { $0.name = "" } }
    expectError(.invalidArgument, "there already") { try add { $0.name = "Scale" } }
    expectError(.invalidArgument, "Relu", "dlrt has this operator itself") {
      try add {
        $0.name = "Relu"
        $0.domain = "ai.onnx"
      }
    }
    expectError(.invalidArgument, "dlrt's own") { try add { $0.domain = "ai.dlrt" } }
    expectError(.invalidArgument, "version") { try add { $0.sinceVersion = 0 } }
    expectError(.invalidArgument, "inputs") { try add { $0.inputs = -1...1 } }
    expectError(.invalidArgument, "inputs") { try add { $0.inputs = 0...1_000_000_000 } }
    expectError(.invalidArgument, "outputs") { try add { $0.outputs = 0...1 } }
  }

  @Test func numbersOfOperandsAreHeld() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [1])
    builder.output(builder.node("Scale", domain: "test", [x, x], name: "scale"))
    expectError(.invalidModel, "test::Scale", "'scale'", "too many inputs") {
      _ = try builder.model(operators: scales())
    }
    let pair = try operators(outputs: 2...2) { _ in
      []
    } compute: { _ in
    }
    var few = GraphBuilder()
    let y = few.input("y", .float32, [1])
    few.output(few.node("Op", domain: "test", [y]))
    expectError(.invalidModel, "test::Op", "too few outputs") { _ = try few.model(operators: pair) }
  }

  /// Runs an operator that behaves badly; nothing may be folded, so that it meets the run.
  private func run(
    infer: @escaping @Sendable ([TensorDescription?]) throws -> [TensorDescription],
    compute: @escaping @Sendable (borrowing OperatorCall) throws -> Void
  ) throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [2])
    builder.output(builder.node("Op", domain: "test", [x], name: "bad"))
    let model = try builder.model(operators: operators(infer: infer, compute: compute))
    _ = try Session(model, options: SessionOptions(memoryLimit: 1 << 20)).run([floats([1, 2])])
  }

  private struct Whim: Error {}

  @Test func badBehaviourIsAnErrorThatNamesTheNode() throws {
    let place = ["test::Op", "'bad'"]
    func expect(
      _ code: DLRTError.Code, _ word: String,
      infer: @escaping @Sendable ([TensorDescription?]) throws -> [TensorDescription] = { _ in
        [TensorDescription(.float32, [.unknown])]
      },
      compute: @escaping @Sendable (borrowing OperatorCall) throws -> Void = { _ in }
    ) {
      expectError(code, place[0], place[1], word) { try run(infer: infer, compute: compute) }
    }
    expect(.operatorFailed, "too few outputs", infer: { _ in [] })
    expect(.operatorFailed, "negative", infer: { _ in [TensorDescription(.float32, [-1])] })
    expect(.operatorFailed, "Whim", infer: { _ in throw Whim() })
    expect(.invalidModel, "no good", infer: { _ in throw DLRTError(.invalidModel, "no good") })
    expect(.limitExceeded, "memory", infer: { _ in [TensorDescription(.float32, [.known(1 << 40)])] })
    expect(.operatorFailed, "did not allocate")
    expect(.operatorFailed, "Whim", compute: { _ in throw Whim() })
    expect(.operatorFailed, "another shape", compute: { _ = try $0.allocate(0, shape: [1, 2]) })
    expect(.operatorFailed, "another shape", compute: { _ = try $0.allocate(0, shape: [-2]) })
    expect(.operatorFailed, "no such output", compute: { _ = try $0.allocate(1, shape: [2]) })
    expect(.limitExceeded, "", compute: { _ = try $0.allocate(0, shape: [1 << 30]) })
    expect(.limitExceeded, "", compute: { _ = try $0.allocate(0, shape: [1 << 62]) })
    expect(.invalidInput, "float32", compute: { _ = try $0.input(0)?.elements(of: Int8.self) })
    expect(
      .operatorFailed, "no bool", infer: { _ in [TensorDescription(.bool, [2])] },
      compute: { $0.output(0)?.bytes.copyBytes(from: [1, 2]) })
  }

  @Test func anInferenceThatWaversIsRefused() throws {
    let pairs: [(Shape, TensorDescription)] = [
      ([2], TensorDescription(.float32, [3])), ([2], TensorDescription(.int32, [2])),
      ([.unknown], TensorDescription(.float32, [])), ([], TensorDescription(.float32, [.unknown])),
    ]
    for (first, change) in pairs {
      let calls = Calls()
      expectError(.operatorFailed, "changes its mind") {
        try run(infer: { _ in calls.next() < 3 ? [TensorDescription(.float32, first)] : [change] }, compute: { _ in })
      }
    }
  }

  @Test func bodiesOfControlFlowMayUseThem() throws {
    var body = GraphBuilder()
    let inner = body.input("i", .float32, [.symbol("N")])
    body.output(body.node("Scale", domain: "test", [inner], ["alpha": .float(3)]))
    var builder = GraphBuilder()
    let c = builder.input("c", .bool, [])
    let x = builder.input("x", .float32, [.symbol("N")])
    builder.output(
      builder.node("If", [c, x], ["then_branch": .graph(body.graph), "else_branch": .graph(body.graph)], captures: 1))
    let session = try Session(builder.model(operators: scales()))
    #expect(try session.run([.tensor(Tensor(scalar: true)), floats([1, 2])])[0].floats() == [3, 6])
  }
}

/// Counts from several threads.
private final class Calls: Sendable {
  private let count = Locked(0)
  func next() -> Int {
    count.withLock { count in
      count += 1
      return count
    }
  }
}
