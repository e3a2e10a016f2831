import DLRT
import DLRTOnnx

/// A folder of ONNX's test format: `model.onnx` and `test_data_set_N` with `input_N.pb` and `output_N.pb`.
package struct TestFolder {
  package let path: String

  package init(_ path: String) { self.path = path }

  package var model: String { path + "/model.onnx" }

  package var dataSets: [String] {
    WholeFile.names(in: path).filter { $0.hasPrefix("test_data_set_") }
      .sorted { (Self.number($0), $0) < (Self.number($1), $1) }
      .map { path + "/" + $0 }
  }

  private static func number(_ name: String) -> Int {
    Int(name.drop { !$0.isNumber }.prefix { $0.isNumber }) ?? Int.max
  }

  /// A test folder itself, or the test folders in a folder.
  package static func folders(at path: String) -> [String] {
    if WholeFile.exists(path + "/model.onnx") { return [path] }
    let inner = WholeFile.names(in: path).map { "\(path)/\($0)" }.filter { WholeFile.exists($0 + "/model.onnx") }
    return inner.isEmpty ? [path] : inner
  }

  /// The values of `PREFIX_0.pb`, `PREFIX_1.pb`, … in a data set; nil where a file is missing.
  package static func values(in folder: String, prefix: String, types: [ValueType]) throws -> [Value?] {
    try types.enumerated().map { index, type in
      let path = "\(folder)/\(prefix)_\(index).pb"
      guard WholeFile.exists(path) else { return nil }
      return try ValueFile.read(path: path, type: type).value
    }
  }
}

/// Runs test folders.
package struct TestRunner {
  package enum Verdict {
    case passed
    case failed(String)
    case skipped(String)
  }

  private let modelOptions: Model.Options
  private let sessionOptions: SessionOptions

  package init(modelOptions: Model.Options, sessionOptions: SessionOptions) {
    self.modelOptions = modelOptions
    self.sessionOptions = sessionOptions
  }

  package func run(_ path: String, _ tolerance: Tolerance) -> Verdict {
    let folder = TestFolder(path)
    guard WholeFile.exists(folder.model) else { return .skipped("there is no model.onnx") }
    let dataSets = folder.dataSets
    guard !dataSets.isEmpty else { return .skipped("there is no test_data_set_0") }
    do {
      let model = try Model(contentsOf: folder.model, options: modelOptions)
      let session = try Session(model, options: sessionOptions)
      for dataSet in dataSets {
        if let why = try difference(session, dataSet, tolerance) { return .failed("\(dataSet): \(why)") }
      }
      return .passed
    } catch {
      return .failed("\(error)")
    }
  }

  private func difference(_ session: Session, _ dataSet: String, _ tolerance: Tolerance) throws -> String? {
    let model = session.model
    let inputs = try TestFolder.values(in: dataSet, prefix: "input", types: model.inputs.map(\.type))
    let expected = try TestFolder.values(in: dataSet, prefix: "output", types: model.outputs.map(\.type))
    guard expected.contains(where: { $0 != nil }) else { return "there is no output_0.pb" }
    let results = try session.run(inputs)
    for (index, port) in model.outputs.enumerated() {
      guard let wanted = expected[index] else { continue }
      let why =
        port.isRandom
        ? Comparison.differenceOfForm(results[index], wanted)
        : try Comparison.difference(results[index], wanted, tolerance)
      if let why { return "output '\(port.name)': \(why)" }
    }
    return nil
  }
}
