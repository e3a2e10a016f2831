import DLRT
import DLRTFiles
import DLRTGraph
import DLRTTestSupport
import Testing

@testable import DLRTOperators

/// Operators of com.microsoft and ONNX's experimental ones.
struct ContribTests {
  private static let root = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/Cases"

  /// Folders with answers of ONNX Runtime, made by Tests/scripts/make_contrib_cases.py.
  private static let cases = TestFolder.folders(at: root + "/contrib")
  /// Folders whose model or inputs are wrong, made by Tests/scripts/make_refused_cases.py.
  private static let refused = TestFolder.folders(at: root + "/refused")

  @Test func thereAreCases() {
    #expect(Self.cases.count > 280)
    #expect(Self.refused.count > 120)
  }

  @Test(arguments: cases, [true, false])
  func answersOfAnotherRuntime(_ folder: String, _ optimizes: Bool) throws {
    var tolerances = ToleranceTable()
    let tolerance = try tolerances.tolerance(for: folder)
    let runner = TestRunner(
      modelOptions: Model.Options(optimizes: optimizes), sessionOptions: SessionOptions(threads: 2))
    let verdict = runner.run(folder, tolerance)
    guard case .passed = verdict else {
      Issue.record("\(folder): \(verdict)")
      return
    }
  }

  /// The message says what is wrong, and no test ends in a crash or in numbers.
  @Test(arguments: refused, [true, false])
  func refusesWhatIsWrong(_ path: String, _ optimizes: Bool) throws {
    let folder = TestFolder(path)
    let error = #expect(throws: DLRTError.self) {
      let model = try Model(contentsOf: folder.model, options: Model.Options(optimizes: optimizes))
      let session = try Session(model, options: SessionOptions(threads: 1, memoryLimit: 1 << 28))
      for dataSet in folder.dataSets {
        _ = try session.run(TestFolder.values(in: dataSet, prefix: "input", types: model.inputs.map(\.type)))
      }
    }
    #expect(error?.code != .internalError)
    #expect(error?.code != .cancelled)
  }

  /// Q, K and V in one tensor give what they give apart; ONNX Runtime has that form on other processors only.
  @Test func packedOperandsOfMultiHeadAttention() throws {
    let (batch, length, heads, size) = (2, 3, 2, 4)
    var random = SystemRandomNumberGenerator()
    func numbers(_ count: Int) -> [Float] { (0..<count).map { _ in Float.random(in: -1...1, using: &random) } }
    let parts = (0..<3).map { _ in numbers(batch * length * heads * size) }
    let apart = try parts.map { try Tensor($0, shape: [batch, length, heads * size]) }
    let expected = try run("MultiHeadAttention", apart, ["num_heads": .int(heads)]).array(of: Float.self)
    func joined(_ parts: [[Float]]) throws -> Tensor {
      var joined: [Float] = []
      for head in 0..<batch * length * heads {
        for part in parts { joined += part[(head * size)..<(head * size + size)] }
      }
      return try Tensor(joined, shape: [batch, length, heads, parts.count, size])
    }
    let all = try run("MultiHeadAttention", [try joined(parts)], ["num_heads": .int(heads)])
    #expect(try all.array(of: Float.self) == expected)
    let pair = try run(
      "MultiHeadAttention", [apart[0], try joined(Array(parts[1...]))], ["num_heads": .int(heads)])
    #expect(try pair.array(of: Float.self) == expected)
  }

  @Test func operatorsThatOnlyGraphicsCardsHave() throws {
    let x = try Tensor([Float(1), -2, 3, 4], shape: [1, 1, 1, 4])
    let bias = try Tensor([Float(1), 1, 1, 1], shape: [4])
    #expect(try run("BiasAdd", [x, bias, x]).array(of: Float.self) == [3, -3, 7, 9])
    let halves = try run("BiasSplitGelu", [x, bias]).array(of: Float.self)
    #expect(abs(halves[0] - 2 * 3.99987) < 1e-3 && abs(halves[1] + 5) < 1e-3)
    let softmax = try run("BiasSoftmax", [x, bias], ["axis": .int(3), "is_inner_broadcast": .int(1)])
    #expect(abs(try softmax.array(of: Float.self).reduce(0, +) - 1) < 1e-6)
    let ones = try Tensor([Float](repeating: 1, count: 4), shape: [4])
    let zeros = try Tensor([Float](repeating: 0, count: 4), shape: [4])
    let normal = try run("GroupNorm", [x, ones, zeros], ["groups": .int(2), "activation": .int(0)])
    let expected: [Float] = [1, -1, -1, 1]
    #expect(zip(try normal.array(of: Float.self), expected).allSatisfy { abs($0 - $1) < 1e-3 })
  }

  /// Runs a composite as importing would have it run.
  private func run(_ op: String, _ inputs: [Tensor], _ attributes: [String: Attribute] = [:]) throws -> Tensor {
    var builder = GraphBuilder()
    let arguments = inputs.enumerated().map { builder.input("x\($0)", $1.type, Shape($1.shape)) }
    let results = try builder.imported(
      op, domain: OperatorName.microsoftDomain, version: 1, arguments, attributes)
    builder.output(results[0])
    return try #require(try builder.run(inputs.map(Value.tensor)).first?.tensor)
  }
}
