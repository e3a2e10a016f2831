import DLRT
import DLRTFiles
import DLRTGraph
import DLRTOnnx
import DLRTTestSupport
import Testing

@Suite struct CommandTests {
  private let folder: Folder

  init() throws { folder = try Folder() }

  private func dlrt(_ arguments: String..., output: String? = nil) throws -> Answer {
    try RunningCommand.call(arguments, output: output, in: folder)
  }

  private func parsed(_ text: String) throws -> JSONValue {
    try JSONDocument(Array(text.utf8), name: "output").value
  }

  @Test func helpHasExamples() throws {
    let overview = try dlrt("--help")
    #expect(overview.code == 0)
    for command in ["run", "test", "bench", "info", "profile", "operators"] {
      #expect(overview.output.contains("  \(command) "))
      for arguments in [[command, "--help"], [command, "-h"], ["help", command]] {
        let help = try RunningCommand.call(arguments, in: folder)
        #expect(help.code == 0 && help.output.contains("Examples:\n  dlrt \(command)"), "\(arguments)")
      }
    }
    #expect(try dlrt("--version").output == "dlrt \(Version.text)\n")
  }

  @Test func wrongUsageEndsWithTwo() throws {
    let model = try folder.negation()
    for arguments in [
      [], ["walk"], ["run"], ["run", model, model], ["run", model, "--nope"], ["run", model, "--threads"],
      ["run", model, "--threads", "0"], ["run", model, "--threads", "1", "--threads=2"], ["run", model, "--json=1"],
      ["run", model, "--shape", "x:3xa"], ["run", model, "--dim", "N"], ["run", model, "--shape", "q:1x3"],
      ["run", model, "--seed", "x"], ["run", model, "--timeout", "nan"], ["test"], ["test", "\(folder.path)/none"],
      ["bench", model, "--seconds", "-1"], ["help", "walk"], ["run", model, "--shape", "x:1xx3"],
      ["run", model, "--shape", "x:1x3x"], ["run", model, "--shape", "x:2x3", "--dim", "N=3"],
      ["operators", "--json", "--markdown"],
    ] {
      let answer = try RunningCommand.call(arguments, in: folder)
      #expect(answer.code == 2, "\(arguments): \(answer.errors)")
      #expect(answer.output.isEmpty && !answer.errors.isEmpty)
    }
  }

  @Test func optionsAreCheckedBeforeTheModel() throws {
    for command in ["run", "bench", "info", "profile"] {
      for slip in [["--threads", "0"], ["--shape", "x"], ["--dim", "N"]] {
        let answer = try RunningCommand.call([command, "\(folder.path)/none"] + slip, in: folder)
        #expect(answer.code == 2, "\(command) \(slip): \(answer.errors)")
      }
    }
    #expect(try dlrt("info", "\(folder.path)/none", "--graph", "--threads", "0").code == 2)
    #expect(try dlrt("info", folder.negation(), "--graph", "--shape", "q:1x3").code == 2)
  }

  @Test func argumentsThatAreNotTextAreRefused() throws {
    let answer = try RunningCommand.call(bytes: [Array("info".utf8), [0x2f, 0xff, 0x2e]], in: folder)
    #expect(answer.code == 2 && answer.errors.contains("argument 2 is not UTF-8"), "\(answer.errors)")
  }

  @Test func unknownInstructionSetsAreRefused() throws {
    let model = try folder.negation()
    for level in ["AVX2", "foo"] {
      let answer = try RunningCommand.call(["run", model], environment: ["DLRT_ISA=\(level)"], in: folder)
      #expect(answer.code == 2 && answer.errors.contains("avx512vnni, got '\(level)'"), "\(answer.errors)")
    }
    for level in ["", "baseline", "avx512vnni"] {
      #expect(try RunningCommand.call(["run", model], environment: ["DLRT_ISA=\(level)"], in: folder).code == 0)
    }
  }

  @Test func modelsThatAreRefusedEndWithThree() throws {
    let broken = try folder.write("broken.onnx", "no model")
    for (command, path) in [("run", broken), ("info", broken), ("bench", broken), ("profile", "\(folder.path)/none")] {
      let answer = try dlrt(command, path)
      #expect(answer.code == 3 && answer.errors.contains(path), "\(answer.errors)")
    }
  }

  @Test func inputsThatAreRefusedEndWithFour() throws {
    let model = try folder.negation()
    let wide = try folder.write("wide.json", "[[1, 2, 3, 4]]")
    for (file, word) in [
      ("x=\(wide)", "[N, 3]"), ("\(folder.path)/none.npy", "cannot open"), (try folder.write("a.npy", "x"), "a.npy"),
      ("y=\(wide)", "'x'"), (try folder.write("b.json", "[[1, 2"), "b.json"), (try folder.write("c.txt", ""), ".npy"),
    ] {
      let answer = try dlrt("run", model, "--input", file)
      #expect(answer.code == 4 && answer.errors.contains(word), "\(file): \(answer.errors)")
    }
    let notATensor = try dlrt("run", model, "--input", folder.write("e.pb", ""))
    #expect(notATensor.code == 4 && notATensor.errors.contains("e.pb"), "\(notATensor.errors)")
    #expect(try dlrt("run", model, "--inputs", folder.path).code == 4)
  }

  @Test func limitsEndWithFive() throws {
    let model = try folder.negation()
    let large = try dlrt("run", model, "--dim", "N=1000000", "--memory-limit", "4")
    #expect(large.code == 5 && large.errors.contains("negate"), "\(large.errors)")
    #expect(try dlrt("run", model, "--timeout", "0").code == 5)
    #expect(try dlrt("run", model, "--timeout", "1e300", "--memory-limit", "1").code == 0)
  }

  @Test func randomInputsAreAnnounced() throws {
    let model = try folder.negation()
    let first = try dlrt("run", model, "--seed", "7", "--dim", "N=2")
    #expect(
      first.code == 0 && first.errors.contains("random") && first.errors.contains("seed 7")
        && first.errors.contains("'x'"))
    #expect(first.lines[0].contains("[2, 3]"))
    #expect(try dlrt("run", model, "--dim", "N=1", "--dim", "N=2").lines[0].contains("[2, 3]"))
    #expect(try dlrt("run", model, "--seed", "7", "--dim", "N=2").output == first.output)
    #expect(try dlrt("run", model, "--seed", "8", "--dim", "N=2").output != first.output)
    let json = try parsed(dlrt("run", model, "--seed", "12", "--json").output)
    #expect(json["seed"]?.integer == 12 && json["random"]?.elements.map(\.string) == ["x"])
    #expect(try dlrt("run", model, "--seed", "18446744073709551615", "--json").output.contains("18446744073709551615"))
    let given = try dlrt("run", model, "--input", folder.write("x.json", "[[1, 2, 3]]"), "--json")
    #expect(given.errors.isEmpty)
    #expect(try parsed(given.output)["seed"] == nil)
  }

  @Test func slipsAreNamed() throws {
    let model = try folder.negation()
    #expect(try dlrt("run", model, "--thread", "2").errors.contains("did you mean '--threads'"))
    #expect(try dlrt("run", model, "--shape", "q:1x3").errors.contains("'x'"))
    for command in ["run", "info", "profile"] {
      let answer = try dlrt(command, model, "--dim", "n=2")
      #expect(answer.code == 0 && answer.errors.contains("no dimension 'n'; it has 'N'"), "\(answer.errors)")
    }
    let json = try dlrt("info", model, "--dim", "n=2", "--json")
    #expect(json.errors.contains("no dimension 'n'"))
    #expect(try parsed(json.output)["inputs"] != nil)
  }

  @Test func givenInputsSettleTheSizesOfOthers() throws {
    let model = try folder.model { builder in
      let x = builder.input("x", .float32, [.symbol("N"), 3])
      let y = builder.input("y", .float32, [3, .symbol("N")])
      builder.output(builder.node("MatMul", [x, y]))
    }
    let x = try folder.write("x.json", "[[1, 2, 3], [4, 5, 6]]")
    let answer = try dlrt("run", model, "--input", x)
    #expect(answer.code == 0 && answer.lines[0].hasSuffix("[2, 2]"), "\(answer.errors)")
  }

  @Test func sizesThatContradictAreNamed() throws {
    let model = try folder.negation()
    let shape = try dlrt("run", model, "--dim", "N=3", "--shape", "x:2x3")
    #expect(shape.code == 2 && shape.errors.contains("'x': the dimension 'N' has two sizes"), "\(shape.errors)")
    let input = try folder.write("x.json", "[[1, 2, 3], [4, 5, 6]]")
    let file = try dlrt("run", model, "--dim", "N=3", "--input", input)
    #expect(file.code == 4 && file.errors.contains("'x': the dimension 'N' has two sizes"), "\(file.errors)")
    #expect(try dlrt("run", model, "--dim", "N=2", "--shape", "x:2x3", "--input", input).code == 0)
    let both = try dlrt("run", model, "--shape", "x:4x3", "--input", input)
    #expect(both.code == 4 && both.errors.contains("'x': the input has another shape"), "\(both.errors)")
  }

  @Test func outputsAreShown() throws {
    let model = try folder.negation()
    let input = try folder.write("x.json", "[[1, -2, 0.5]]")
    #expect(try dlrt("run", model, "--input", input).output.hasSuffix(": float32 [1, 3]\n  -1.0, 2.0, -0.5\n"))
    let output = try #require(
      try parsed(dlrt("run", model, "--input", input, "--json").output)["outputs"]?.elements.first)
    #expect(output["type"]?.string == "float32")
    #expect(output["shape"]?.elements.compactMap(\.integer) == [1, 3])
    #expect(output["data"]?.elements.compactMap(\.number) == [-1, 2, -0.5])
    #expect(output["top"] == nil)
  }

  @Test func classesAreRanked() throws {
    let model = try folder.negation()
    let input = try folder.write("x.json", "[[1, -2, 0.5]]")
    let labels = try folder.write("labels.txt", "cat\nbig \"dog\"\nbird\n")
    let text = try dlrt("run", model, "--input", input, "--labels", labels, "--top", "2").lines
    #expect(text.count == 3 && text[1].hasSuffix("2.0000  big \"dog\"") && text[2].hasSuffix("-0.5000  bird"))
    let answer = try dlrt("run", model, "--input", input, "--labels", labels, "--json")
    let top = try #require(try parsed(answer.output)["outputs"]?.elements.first?["top"]?.elements)
    #expect(top.map { $0["label"]?.string } == ["big \"dog\"", "bird", "cat"])
    #expect(top.map { $0["index"]?.integer } == [1, 2, 0])
    #expect(try dlrt("run", model, "--input", input, "--top", "1").lines[1].hasSuffix("class 1"))
    #expect(try dlrt("run", model, "--labels", "\(folder.path)/none").code == 4)
  }

  @Test func everyKindOfElementIsValidJSON() throws {
    let model = try folder.model { builder in
      let x = builder.input("x\"\\\n\u{1}", .float32, [.symbol("N")])
      let wide = builder.constant(try Tensor([UInt64(Int64.max), 0], shape: [2]), name: "wide")
      let text = builder.constant(try Tensor(["a\"b", "\u{7}ü"], shape: [2]), name: "text")
      let flags = builder.constant(try Tensor([true, false], shape: [2]), name: "flags")
      let infinite = builder.node("Div", [x, builder.node("Sub", [x, x])])
      builder.output(infinite, builder.node("Identity", [wide]), builder.node("Identity", [text]), flags)
      builder.output(builder.node("SequenceConstruct", [x, infinite]))
    }
    let answer = try dlrt("run", model, "--json", "--shape", "x\"\\\n\u{1}:2")
    #expect(answer.code == 0, "\(answer.errors)")
    let outputs = try #require(try parsed(answer.output)["outputs"]?.elements)
    #expect(outputs.count == 5)
    #expect(outputs[1]["data"]?.elements.map(\.integer) == [Int64.max, 0])
    #expect(outputs[2]["data"]?.elements.map(\.string) == ["a\"b", "\u{7}ü"])
    #expect(outputs[4]["value"]?.elements.count == 2)
  }

  @Test func namesDoNotCommandTheTerminal() throws {
    let name = "x\u{1b}[2J\u{9b}2J\u{7f}\nmemory"
    let model = try folder.model { builder in
      builder.output(builder.node("Neg", [builder.input(name, .float32, [3])], name: name))
    }
    for arguments in [["info"], ["info", "--graph"], ["info", "--plan"], ["run"], ["run", "--shape", "q:1"]] {
      let answer = try RunningCommand.call([arguments[0], model] + arguments.dropFirst(), in: folder)
      let controls = (answer.output + answer.errors).unicodeScalars.filter { scalar in
        scalar != "\n" && (scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value))
      }
      #expect(controls.isEmpty, "\(arguments)")
    }
    #expect(try dlrt("info", model).lines.filter { $0.hasPrefix("memory") }.count == 1)
    let json = try dlrt("info", model, "--json").output
    #expect(!json.unicodeScalars.contains("\u{9b}") && !json.unicodeScalars.contains("\u{7f}"))
    #expect(try parsed(json)["inputs"]?.elements.first?["name"]?.string == name)
  }

  @Test func largeOutputsAreWhole() throws {
    let model = try folder.negation()
    let answer = try parsed(dlrt("run", model, "--dim", "N=20000", "--json").output)
    #expect(answer["outputs"]?.elements.first?["data"]?.elements.count == 60000)
    let lines = try dlrt("run", model, "--dim", "N=20000").lines
    #expect(lines.count == 2 && lines[1].hasSuffix(", … 60000 in all"))
    #expect(lines[1].split(separator: ",").count == 17)
  }

  @Test func wideFloatsAreShownWhole() throws {
    let model = try folder.model { builder in
      builder.output(builder.node("Neg", [builder.input("x", .float64, [.symbol("N")])]))
    }
    let input = try folder.write("x.json", "[1e300, -0.1]")
    #expect(try dlrt("run", model, "--input", input).output.hasSuffix("\n  -1e+300, 0.1\n"))
  }

  @Test func keysOfMapsAreNamesOfMembers() throws {
    let model = try folder.model { builder in
      let x = builder.input("x", .float32, [.symbol("N"), 2])
      for labels in [("classlabels_strings", .strings(["cat", "a\"b"])), ("classlabels_int64s", .ints([3, -4]))]
        as [(String, Attribute)]
      {
        builder.output(builder.node("ZipMap", domain: "ai.onnx.ml", [x], [labels.0: labels.1]))
      }
    }
    let answer = try dlrt("run", model, "--input", folder.write("x.json", "[[1, 2]]"), "--json")
    let outputs = try #require(try parsed(answer.output)["outputs"]?.elements, "\(answer.errors)")
    let keys = outputs.map { $0["value"]?.elements.first?.members.map { $0.key } ?? [] }
    #expect(keys == [["cat", "a\"b"], ["3", "-4"]], "\(answer.output)")
  }

  @Test func outputsAppearCompleteOrNotAtAll() throws {
    let model = try folder.negation()
    let results = "\(folder.path)/results"
    let input = try folder.write("x.json", "[[1, 2, 3]]")
    #expect(try dlrt("run", model, "--input", input, "--outputs", results).code == 0)
    #expect(WholeFile.names(in: results) == ["output_0.pb"])
    let value = try ValueFile.read(path: "\(results)/output_0.pb", type: .tensor(.float32)).value
    #expect(try value.tensor?.array(of: Float.self) == [-1, -2, -3])
    let refused = "\(folder.path)/refused"
    let wrong = try folder.write("w.json", "[1]")
    #expect(try dlrt("run", model, "--input", wrong, "--outputs", refused).code == 4)
    #expect(!WholeFile.exists(refused))
    let shown = try dlrt("run", model, "--input", input, "--outputs", "/proc/none")
    #expect(shown.code == 4 && shown.lines.count == 2, "\(shown.output)")
    let profiled = try dlrt("profile", model, "--trace", "\(folder.path)/no/trace.json")
    #expect(profiled.code == 4 && profiled.output.contains("negate"))
  }

  @Test func whatCannotBePrintedIsAnError() throws {
    let model = try folder.negation()
    for arguments in [["info", model], ["--help"], ["--version"], ["run", "--help"]] {
      let answer = try RunningCommand.call(arguments, output: "/dev/full", in: folder)
      #expect(answer.code == 1 && answer.errors.contains("standard output"), "\(arguments)")
    }
  }

  @Test func infoTellsWhatAModelIs() throws {
    let model = try folder.model { builder in
      let x = builder.input("x", .float32, [.symbol("N"), 8])
      let w = builder.constant(try Tensor([Float](repeating: 1, count: 32), shape: [8, 4]), name: "w")
      builder.output(builder.node("MatMul", [x, w]))
    }
    let text = try dlrt("info", model).output
    for line in ["input       x: tensor(float) [N, 8]", "operators   MatMul 1", "parameters  32"] {
      #expect(text.contains(line), "\(text)")
    }
    let json = try parsed(dlrt("info", model, "--json", "--dim", "N=10").output)
    #expect(json["parameters"]?.integer == 32 && json["flops"]?.integer == 640 && json["steps"]?.integer == 1)
    #expect(json["inputs"]?.elements.first?["shape"]?.elements.first?.string == "N")
    let graph = try dlrt("info", model, "--graph").output
    #expect(graph.contains("MatMul"))
    #expect(try parsed(dlrt("info", model, "--graph", "--json").output)["graph"]?.string == graph)
    let plan = try parsed(dlrt("info", model, "--plan", "--json", "--dim", "N=10").output)
    #expect(plan["steps"]?.elements.first?["outputs"]?.elements.first?.elements.compactMap(\.integer) == [10, 4])
    #expect(try dlrt("info", model, "--plan").lines.count == 3)
  }

  @Test func benchReportsItsContract() throws {
    let answer = try dlrt("bench", folder.negation(), "--seconds", "0", "--warmup", "0", "--threads", "1", "--json")
    #expect(answer.code == 0)
    let json = try parsed(answer.output)
    for key in ["load_ms", "first_ms", "median_ms", "min_ms", "plan_ms", "p90_ms", "p99_ms", "peak_rss_mb", "arena_mb"]
    {
      #expect((json[key]?.number ?? -1) >= 0, "\(key)")
    }
    #expect(json["runs"]?.integer == 5 && json["threads"]?.integer == 1)
    #expect(json["isa"]?.string == Version.instructionSet)
    #expect(try dlrt("bench", folder.negation(), "--seconds", "0").output.contains("median_ms"))
  }

  @Test func profilesListSteps() throws {
    let model = try folder.negation()
    let trace = "\(folder.path)/trace.json"
    let answer = try dlrt("profile", model, "--runs", "2", "--trace", trace)
    #expect(answer.code == 0 && answer.output.contains("negate") && answer.output.contains("Neg"))
    let events = try JSONDocument(path: trace).value["traceEvents"]?.elements
    #expect(events?.count == 1 && events?.first?["ph"]?.string == "X")
    let steps = try parsed(dlrt("profile", model, "--runs", "1", "--json").output)["steps"]?.elements
    #expect(steps?.first?["node"]?.string == "negate")
  }

  /// A model that is particular about an input cannot be measured on random ones.
  @Test(arguments: ["bench", "profile"]) func filesAreMeasuredOn(_ command: String) throws {
    let model = try folder.model { builder in
      let x = builder.input("x", .float32, [.symbol("N"), 3])
      builder.output(builder.node("Reshape", [x, builder.input("shape", .int64, [2])]))
    }
    let few = command == "bench" ? ["--seconds", "0", "--json"] : ["--runs", "1", "--json"]
    func measured(_ inputs: String...) throws -> Answer {
      try RunningCommand.call([command, model] + inputs + few, in: folder)
    }
    #expect(try measured().code != 0)
    let shape = try folder.write("shape.json", "[3, -1]")
    let named = try measured("--input", "shape=\(shape)", "--dim", "N=2")
    #expect(named.code == 0 && named.errors.isEmpty, "\(named.errors)")
    let both = try measured("--input", folder.write("x.json", "[[1, 2, 3]]"), "--input", shape)
    #expect(both.code == 0 && both.errors.isEmpty, "\(both.errors)")
    let folderOfNone = try measured("--input", "shape=\(shape)", "--inputs", folder.path)
    #expect(folderOfNone.code == 4 && folderOfNone.errors.contains("input_0.pb"), "\(folderOfNone.errors)")
    let wrong = try measured("--input", "y=\(shape)")
    #expect(wrong.code == 4 && wrong.errors.contains("'shape'"), "\(wrong.errors)")
  }

  @Test func whatIsNoPluginIsRefused() throws {
    let model = try folder.negation()
    for (file, word) in [("none.so", "none.so"), ("/lib/x86_64-linux-gnu/libm.so.6", "dlrt_plugin_register")] {
      for command in ["run", "info", "bench", "profile"] {
        let answer = try dlrt(command, model, "--plugin", file)
        #expect(answer.code == 4 && answer.errors.contains(word), "\(answer.errors)")
      }
    }
  }

  @Test func operatorsAreListed() throws {
    let all = try parsed(dlrt("operators", "--json").output)["operators"]?.elements ?? []
    #expect(all.count > 200)
    let conv = try #require(all.first { $0["name"]?.string == "Conv" })
    #expect(conv["domain"]?.string == "" && conv["versions"]?.elements.map(\.integer) == [1, 11, 22])
    #expect(conv["types"]?["T"]?.elements.contains { $0.string == "float" } == true)
    #expect(conv["kernels"]?.elements.isEmpty == false)
    let some = try dlrt("operators", "conv", "ai.onnx.ml::scaler", "nothing")
    #expect(some.code == 1 && some.lines.count == 3 && some.errors.contains("'nothing'"), "\(some.output)")
  }

  @Test func operatorsPageIsUpToDate() throws {
    let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
    let page = String(decoding: try WholeFile.read(root + "/docs/operators.md"), as: UTF8.self)
    let written = try dlrt("operators", "--markdown").output
    let changed = zip(page.split(separator: "\n"), written.split(separator: "\n")).first { $0 != $1 }
    #expect(page == written, "run make docs; the first line that differs: \(changed.map { "\($0)" } ?? "the end")")
  }
}
