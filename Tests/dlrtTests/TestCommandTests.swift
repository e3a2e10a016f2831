import DLRT
import DLRTFiles
import DLRTGraph
import DLRTOnnx
import Glibc
import Testing

/// `dlrt test`: its report is what scripts rely on.
@Suite struct TestCommandTests {
  private let folder: Folder

  /// Three cases: right, wrong at its second element, and without data.
  init() throws {
    folder = try Folder()
    for (name, expected) in [("right", [-1, -2, -3]), ("wrong", [-1, -2.5, 0])] as [(String, [Float])] {
      _ = try folder.make(name)
      _ = try folder.negation("\(name)/model.onnx")
      let data = try folder.make("\(name)/test_data_set_0")
      for (file, values) in [("input_0", [1, 2, 3]), ("output_0", expected)] as [(String, [Float])] {
        let value = Value.tensor(try Tensor(values, shape: [1, 3]))
        try ValueFile.write(value, name: file, path: "\(data)/\(file).pb")
      }
    }
    _ = try folder.make("empty")
    _ = try folder.negation("empty/model.onnx")
  }

  private func test(_ arguments: String...) throws -> Answer {
    try RunningCommand.call(["test"] + arguments, in: folder)
  }

  @Test func theLastLineCounts() throws {
    let answer = try test("\(folder.path)/right", "\(folder.path)/wrong", "\(folder.path)/empty")
    #expect(answer.code == 1)
    #expect(answer.lines.last == "1 passed, 1 failed, 1 skipped")
    let failure = try #require(answer.lines.first { $0.hasPrefix("FAILED") })
    #expect(failure.contains("wrong") && failure.contains("element [0, 1] is -2.0, expected -2.5 (2 of 3 differ)"))
    #expect(try test("--quiet", folder.path).output == "1 passed, 1 failed, 1 skipped\n")
    #expect(try test("\(folder.path)/right").code == 0)
  }

  @Test func whereNothingIsRunNothingIsProved() throws {
    let answer = try test("\(folder.path)/empty")
    #expect(answer.code == 1 && answer.lines.last == "0 passed, 0 failed, 1 skipped")
    let lost = try test("\(folder.path)/right", "--json", "\(folder.path)/none/outcome.json")
    #expect(lost.code == 4 && lost.lines.last == "1 passed, 0 failed, 0 skipped")
  }

  @Test func tablesOfTolerancesAreFoundByAnyPath() throws {
    let group = try folder.make("group")
    for name in ["case", "case/test_data_set_0"] { _ = try folder.make("group/\(name)") }
    _ = try folder.negation("group/case/model.onnx")
    for (file, values) in [("input_0", [1, 2, 3]), ("output_0", [-1, -2.5, -3])] as [(String, [Float])] {
      let value = Value.tensor(try Tensor(values, shape: [1, 3]))
      try ValueFile.write(value, name: file, path: "\(group)/case/test_data_set_0/\(file).pb")
    }
    #expect(symlink("group/case", "\(folder.path)/link") == 0)
    let paths = ["\(group)/case", "\(group)/./case/", "\(group)/case/../case", "\(folder.path)/link"]
    for path in paths { #expect(try test(path).code == 1, "\(path)") }
    let table = try folder.write("cases.json", #"{"group/case": {"atol": 0.6}}"#)
    for path in paths { #expect(try test(path).code == 0, "\(path)") }
    // Beside a folder of links, for what it calls them.
    _ = try folder.make("links")
    _ = try folder.make("links/node")
    #expect(symlink("../../group/case", "\(folder.path)/links/node/linked") == 0)
    let linked = try folder.write("links/cases.json", #"{"node/linked": {"atol": 0.1}}"#)
    #expect(try test("\(folder.path)/links/node/linked").code == 1, "\(linked)")
    _ = try folder.write("cases.json", "{")
    let broken = try test("\(group)/case")
    #expect(broken.code == 4 && broken.errors.contains(table), "\(broken.errors)")
  }

  @Test func tolerancesAreObeyed() throws {
    #expect(try test("\(folder.path)/wrong", "--atol", "3.1").code == 0)
    #expect(try test("\(folder.path)/wrong", "--rtol", "0.3").code == 1)
  }

  @Test func theOutcomeIsWrittenAsJSON() throws {
    let path = "\(folder.path)/outcome.json"
    _ = try test(folder.path, "--json", path)
    let json = try JSONDocument(path: path).value
    #expect(["passed", "failed", "skipped"].map { json[$0]?.integer } == [1, 1, 1])
    let cases = try #require(json["cases"]?.elements)
    #expect(cases.map { $0["result"]?.string } == ["skipped", "passed", "failed"])
    #expect(cases[1]["folder"]?.string == "\(folder.path)/right")
    #expect(cases[2]["message"]?.string?.contains("[0, 1]") == true)
  }

  @Test func aCaseWithoutExpectedOutputsFails() throws {
    let data = try folder.make("empty/test_data_set_0")
    let value = Value.tensor(try Tensor([1, 2, 3] as [Float], shape: [1, 3]))
    try ValueFile.write(value, name: "x", path: "\(data)/input_0.pb")
    #expect(try test("\(folder.path)/empty").lines.first?.contains("output_0.pb") == true)
  }

  @Test func aModelThatIsRefusedFails() throws {
    _ = try folder.write("right/model.onnx", "no model")
    let answer = try test("\(folder.path)/right")
    #expect(answer.code == 1 && answer.lines.last == "0 passed, 1 failed, 0 skipped")
  }
}
