import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

@testable import DLRTFiles

@Suite struct InputReaderTests {
  private let folder: TemporaryFolder
  private let model: Model

  init() throws {
    folder = try TemporaryFolder()
    model = try DLRTFilesTests.model([
      ("a", .tensor(.float32), [.symbol("N")]), ("b=c", .tensor(.int64), [2]), ("t", .tensor(.string), [.unknown]),
    ])
  }

  private func reader() -> InputReader { InputReader(model: model, maker: InputMaker(seed: 1)) }

  @Test func filesAreForTheNextInputOrTheNamedOne() throws {
    let floats = try folder.write("f.npy", npy("<f4", "(2,)", bytes([1, 2])))
    let whole = try folder.write("i.npy", npy("<i8", "(2,)", bytes(Int64(5)) + bytes(Int64(6))))
    let text = try folder.write("t.json", Array(#"["x", "ü"]"#.utf8))
    var first = reader()
    try first.read(floats)
    try first.read(whole)
    try first.read("t=" + text)
    let (values, random) = try first.inputs()
    #expect(random.isEmpty)
    #expect(try values[0]?.tensor?.array(of: Float.self) == [1, 2])
    #expect(try values[1]?.tensor?.array(of: Int64.self) == [5, 6])
    #expect(try values[2]?.tensor?.strings() == ["x", "ü"])
    expectError(.invalidInput, "more files") { try first.read(floats) }
    expectError(.invalidInput, "'t'", "given twice") { try first.read("t=" + text) }
    var second = reader()
    try second.read("b=c=" + whole)
    try second.read(floats)
    #expect(try second.inputs().random == ["t"])
  }

  @Test func objectsAndArchivesNameTheirInputs() throws {
    var reader = reader()
    try reader.read(folder.write("o.json", Array(#"{"t": ["x"], "a": [1.5]}"#.utf8)))
    try reader.read(
      folder.write(
        "z.npz",
        ZipBuilder(members: [.init(name: "b=c.npy", contents: npy("<i8", "(1,)", bytes(Int64(3))))]).file()))
    #expect(try reader.inputs().random.isEmpty)
    expectError(.invalidInput, "'q'") { try reader.read(folder.write("q.json", Array(#"{"q": [1]}"#.utf8))) }
  }

  @Test func aNamedInputTakesTheMemberOfItsNameOrTheOnlyOne() throws {
    func archive(_ file: String, _ members: (String, Float)...) throws -> String {
      let arrays = members.map { ZipBuilder.Member(name: "\($0.0).npy", contents: npy("<f4", "(1,)", bytes([$0.1]))) }
      return "a=" + (try folder.write(file, ZipBuilder(members: arrays).file()))
    }
    func text(_ file: String, _ text: String) throws -> String { "a=" + (try folder.write(file, Array(text.utf8))) }
    for (file, expected) in [
      (try archive("one.npz", ("x", 7)), 7), (try archive("two.npz", ("a", 5), ("x", 6)), 5),
      (try text("one.json", #"{"x": [3]}"#), 3), (try text("two.json", #"{"t": ["q"], "a": [4]}"#), 4),
    ] as [(String, Float)] {
      var reader = reader()
      try reader.read(file)
      let (values, random) = try reader.inputs()
      #expect(try values[0]?.tensor?.array(of: Float.self) == [expected], "\(file)")
      #expect(random == ["b=c", "t"])
    }
    var reader = reader()
    for file in [try archive("none.npz", ("x", 1), ("y", 2)), try text("none.json", #"{"x": [1], "y": [2]}"#)] {
      expectError(.invalidInput, "none.", "'a'", "'x', 'y'") { try reader.read(file) }
    }
    expectError(.invalidInput, "empty.json", "got none") { try reader.read(text("empty.json", "{}")) }
  }

  @Test func wrongFilesAreRefused() throws {
    var reader = reader()
    expectError(.io, "cannot open") { try reader.read("\(folder.path)/none.npy") }
    expectError(.invalidInput, "kind") { try reader.read(folder.write("x.txt", [])) }
    expectError(.invalidInput, "no such input") { try reader.read("q=\(folder.path)/x.npy") }
    expectError(.io, "input_0.pb") { try reader.readFolder(folder.path) }
    expectError(.invalidInput, "kind") { try reader.read("a=\(folder.path)") }
  }

  @Test func randomInputsFollowTheSeed() throws {
    let shape: Shape = [.symbol("N"), 3]
    let model = try DLRTFilesTests.model([("x", .tensor(.float32), shape), ("ids", .tensor(.int64), shape)])
    func values(_ seed: UInt64, _ dims: [String: Int]) throws -> [Tensor] {
      var maker = InputMaker(seed: seed)
      maker.dims = dims
      return try maker.inputs(for: model).compactMap { $0?.tensor }
    }
    let first = try values(1, ["N": 2])
    #expect(first.map(\.shape) == [[2, 3], [2, 3]])
    #expect(try values(1, ["N": 2])[0].array(of: Float.self) == first[0].array(of: Float.self))
    #expect(try values(2, ["N": 2])[0].array(of: Float.self) != first[0].array(of: Float.self))
    #expect(try values(1, ["M": 2])[0].shape == [1, 3])
    expectError(.invalidArgument, "'x'") { _ = try values(1, ["N": 1 << 50]) }
  }

  @Test func randomIndicesStayWithinTheirTables() throws {
    var b = GraphBuilder()
    let table = b.input("table", .float32, [.symbol("N"), 7])
    let rows = try (3...6).map { b.constant(try Tensor(zeros: [$0 * 10, 2], type: .float32)) }
    let direct = b.input("direct", .int64, [400])
    for data in [rows[1], rows[0], rows[2]] { b.output(b.node("Gather", [data, direct])) }
    let mask = b.input("segment_mask", .int32, [2, 200])
    let cut = b.node("Slice", [mask, b.constant(try Tensor(int64: [0])), b.constant(try Tensor(int64: [9]))])
    b.output(b.node("Gather", [rows[3], b.node("Cast", [b.node("Flatten", [cut])], ["to": .int(7)])]))
    let byte = b.input("byte", .uint8, [400])
    let wide = b.node("Unsqueeze", [b.node("Cast", [byte], ["to": .int(6)]), b.constant(try Tensor(int64: [0]))])
    b.output(b.node("Gather", [table, wide], ["axis": .int(-1)]))
    let open = b.input("open", .int64, [400])
    b.output(b.node("Gather", [table, open]), b.node("Neg", [open]))
    for optimizes in [true, false] {
      let made = try InputMaker(seed: 3).inputs(for: b.model(optimizes: optimizes))
      let inputs = made.compactMap { $0?.tensor?.integers }
      let limits = [30, 60, 7, 9000]
      #expect(inputs.count == limits.count)
      for (numbers, limit) in zip(inputs, limits) {
        #expect(numbers.allSatisfy { 0 <= $0 && $0 < limit })
        #expect((numbers.max() ?? 0) > limit / 2 && Set(numbers).count > 5)
      }
    }
  }

  /// A table without rows has nothing that an index could name, and one of a model's words may be larger than any number.
  @Test func tablesOfAnySizeAreSurvived() throws {
    var b = GraphBuilder()
    for (name, size) in [("none", 0), ("vast", 1 << 62)] {
      let data = b.input("\(name)_table", .float32, [.known(size), 0])
      b.output(b.node("Gather", [data, b.input(name, .int32, [3])]))
    }
    let inputs = try InputMaker(seed: 3).inputs(for: b.model(optimizes: false))
    #expect(try inputs[1]?.tensor?.array(of: Int32.self) == [0, 0, 0])
    #expect(try inputs[3]?.tensor?.array(of: Int32.self).allSatisfy { $0 >= 0 } == true)
  }
}

@Suite struct JSONTensorTests {
  private func read(_ text: String, _ type: ValueType = .tensor(.float32)) throws -> Tensor {
    let document = try JSONDocument(Array(text.utf8), name: "a.json")
    return try JSONTensor.read(document.value, port: model([("x", type, nil)]).inputs[0])
  }

  @Test func nestedLists() throws {
    #expect(try read("[[1, 2.5], [3, -4e1]]").shape == [2, 2])
    #expect(try read("[[1, 2.5], [3, -4e1]]").array(of: Float.self) == [1, 2.5, 3, -40])
    #expect(try read("7").shape == [])
    #expect(try read("[]").shape == [0])
    #expect(try read("[[], []]").shape == [2, 0])
    #expect(try read("[true, 0]", .tensor(.bool)).array(of: Bool.self) == [true, false])
    #expect(try read("[-128, 127]", .tensor(.int8)).array(of: Int8.self) == [-128, 127])
    #expect(try read("[[\"a\"]]", .tensor(.string)).strings() == ["a"])
  }

  @Test(arguments: ["[[1], [2, 3]]", "[1, [2]]", "[[1], 2]", "[1, \"a\"]", "[null]", "[1, {}]", "{\"a\": 1}"])
  func wrongListsAreRefused(_ text: String) {
    expectError(.invalidInput, "'x'") { _ = try read(text) }
  }

  @Test func wrongElementsAreRefused() {
    expectError(.invalidInput, "'x'", "int8", "got 128") { _ = try read("[128]", .tensor(.int8)) }
    expectError(.invalidInput, "'x'", "element 1", "got 1.5") { _ = try read("[1, 1.5]", .tensor(.int64)) }
    expectError(.invalidInput, "'x'", "numbers, got a string") { _ = try read("[[1, \"a\"]]") }
    expectError(.invalidInput, "'x'", "a list of 1 as in the first, got a list of 2") { _ = try read("[[1], [2, 3]]") }
    expectError(.invalidInput, "'x'", "an element as in the first, got a list of 1") { _ = try read("[1, [2]]") }
    expectError(.invalidInput, "'x'") { _ = try read("[1]", .tensor(.bfloat16)) }
    expectError(.invalidInput, "'x'") { _ = try read("[1]", .sequence(.tensor(.float32))) }
    for text in ["", "[1", "[1,]", "nan", "[1e999]", String(repeating: "[", count: 100_000)] {
      #expect(throws: DLRTError.self) { try read(text) }
    }
  }
}

@Suite struct RankingTests {
  @Test func theBestComeFirst() {
    let ranking = Ranking.best(2, of: [0.1, 0.7, .nan, 0.7, 5, 1, 0, 2], rowLength: 4)
    #expect(ranking.map { $0.map(\.index) } == [[1, 3], [0, 3]])
    #expect(Ranking.best(9, of: [1, .nan], rowLength: 2)[0].map(\.index) == [0, 1])
    #expect(Ranking.best(1, of: [], rowLength: 0).isEmpty)
  }

  @Test func labelsAreLines() throws {
    let folder = try TemporaryFolder()
    let labels = try Labels(path: folder.write("l.txt", Array("cat\r\nbig dog\n\nü\n".utf8)))
    #expect((0..<5).map(labels.name) == ["cat", "big dog", "", "ü", nil])
    #expect(try Labels(path: folder.write("m.txt", Array("\u{feff}cat".utf8))).name(0) == "cat")
    #expect(try Labels(model([], properties: ["dlrt.labels": "a,b"]).metadata).count == 2)
  }
}
