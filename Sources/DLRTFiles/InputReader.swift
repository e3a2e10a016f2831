import DLRT
import DLRTGraph
import DLRTOnnx

/// Collects a model's inputs from files, and fills the rest with random values.
package struct InputReader {
  private let model: Model
  private let maker: InputMaker
  private var values: [Value?]
  /// The inputs that single files gave.
  private var isSet: Set<Int> = []

  package init(model: Model, maker: InputMaker) {
    self.model = model
    self.maker = maker
    values = Array(repeating: nil, count: model.inputs.count)
  }

  /// Reads `[NAME=]FILE`.
  package mutating func read(_ text: String) throws {
    // Names and file names may contain `=`, so a name counts only if the model has it.
    let named = model.inputs.indices.filter { text.hasPrefix(model.inputs[$0].name + "=") }
    if let index = named.max(by: { model.inputs[$0].name.count < model.inputs[$1].name.count }) {
      return try read(String(text.dropFirst(model.inputs[index].name.count + 1)), into: index)
    }
    if let equals = text.firstIndex(of: "="), !WholeFile.exists(text) { throw unknown(String(text[..<equals])) }
    try read(text, into: nil)
  }

  private func unknown(_ name: String) -> DLRTError {
    let names = model.inputs.map { "'\($0.name)'" }.joined(separator: ", ")
    return DLRTError(.invalidInput, "the model has no such input", tensor: name, expected: "one of \(names)")
  }

  /// Reads `input_0.pb`, `input_1.pb`, … of a test data set.
  package mutating func readFolder(_ folder: String) throws {
    guard WholeFile.exists(folder) else { throw DLRTError(.io, "there is no folder '\(folder)'") }
    let found = try TestFolder.values(in: folder, prefix: "input", types: model.inputs.map(\.type))
    guard found.contains(where: { $0 != nil }) else {
      throw DLRTError(.io, "there is no input_0.pb in '\(folder)'")
    }
    for (index, value) in found.enumerated() where value != nil { values[index] = value }
  }

  private mutating func read(_ path: String, into given: Int?) throws {
    switch FileKind(path) {
    case .npz:
      let arrays = try NumPy.members(WholeFile.read(path), name: path).map { (name: $0.name, content: $0) }
      for (index, array) in try members(arrays, for: given, path) {
        try set(index, .tensor(fitted(array.tensor(), index)), path)
      }
    case .json:
      let document = try JSONDocument(path: path)
      if document.value.isObject {
        let lists = document.value.members.map { (name: $0.key, content: $0.value) }
        for (index, value) in try members(lists, for: given, path) {
          try set(index, .tensor(JSONTensor.read(value, port: model.inputs[index])), path)
        }
      } else {
        let index = try given ?? nextInput(path)
        try set(index, .tensor(JSONTensor.read(document.value, port: model.inputs[index])), path)
      }
    case let kind:
      let index = try given ?? nextInput(path)
      try set(index, value(path, kind, index), path)
    }
  }

  /// Of a data set, whose files are read first, a single file may replace a value; another one may not.
  private mutating func set(_ index: Int, _ value: Value, _ path: String) throws {
    guard isSet.insert(index).inserted else {
      throw DLRTError(.invalidInput, "the input is given twice", tensor: model.inputs[index].name, got: path)
    }
    values[index] = value
  }

  /// The inputs that a file of several is for: those of its members' names, or the one that the caller has named, which
  /// gets the member of its name or the only one.
  private func members<Content>(
    _ all: [(name: String, content: Content)], for given: Int?, _ path: String
  ) throws -> [(index: Int, content: Content)] {
    guard let given else { return try all.map { (index: try index(named: $0.name), content: $0.content) } }
    let wanted = model.inputs[given].name
    guard let member = all.first(where: { $0.name == wanted }) ?? (all.count == 1 ? all.first : nil) else {
      throw DLRTError(
        .invalidInput, "the file has nothing for the input", tensor: path, expected: "'\(wanted)', or one array alone",
        got: all.isEmpty ? "none" : all.map { "'\($0.name)'" }.joined(separator: ", "))
    }
    return [(index: given, content: member.content)]
  }

  private func value(_ path: String, _ kind: FileKind?, _ index: Int) throws -> Value {
    let port = model.inputs[index]
    switch kind {
    case .npy: return .tensor(try fitted(NumPy.read(WholeFile.read(path), name: path), index))
    case .protobuf: return try ValueFile.read(path: path, type: port.type).value
    case .image:
      return .tensor(
        try ImageInput(port, model.metadata, maker.shape(of: port), open: maker.openAxes(of: port)).read(path))
    case .sound: return .tensor(try SoundInput.read(path, port: port))
    default:
      throw DLRTError(
        .invalidInput, "the file's kind is not known", tensor: path,
        expected: ".npy, .npz, .pb, .png, .jpg, .wav or .json")
    }
  }

  private func index(named name: String) throws -> Int {
    guard let index = model.inputs.firstIndex(where: { $0.name == name }) else { throw unknown(name) }
    return index
  }

  private func nextInput(_ path: String) throws -> Int {
    guard let index = values.firstIndex(where: { $0 == nil }) else {
      throw DLRTError(.invalidInput, "more files than inputs", tensor: path, expected: "\(model.inputs.count)")
    }
    return index
  }

  /// NumPy has no bfloat16 or sub-byte types; integers of one byte stand for them.
  private func fitted(_ tensor: Tensor, _ index: Int) throws -> Tensor {
    guard let wanted = model.inputs[index].type.dataType, wanted != tensor.type, wanted.size == tensor.type.size else {
      return tensor
    }
    switch (wanted, tensor.type) {
    case (.bfloat16, .uint16), (.bool, .uint8), (.int4, .int8), (.uint4, .uint8), (.int2, .int8), (.uint2, .uint8):
      return Tensor(wanted, tensor.shape, tensor.storage, byteOffset: tensor.byteOffset)
    default: return tensor
    }
  }

  /// All inputs in the model's order, and the names of those with random values.
  package func inputs() throws -> (values: [Value?], random: [String]) {
    for (port, value) in zip(model.inputs, values) {
      guard let sizes = value?.tensor?.shape else { continue }
      if let wanted = maker.shapes[port.name], wanted != sizes {
        throw DLRTError(
          .invalidInput, "the input has another shape", tensor: port.name, expected: "\(wanted), as it was set",
          got: "\(sizes)")
      }
      try maker.checkDims(of: port, sizes, .invalidInput)
    }
    guard values.contains(where: { $0 == nil }) else { return (values, []) }
    var random: [String] = []
    var maker = maker
    for (port, value) in zip(model.inputs, values) { maker.settle(port, value?.tensor?.shape) }
    let made = try maker.inputs(for: model, given: values.map { $0 != nil })
    let all = values.enumerated().map { index, value -> Value? in
      if let value { return value }
      if made[index] != nil { random.append(model.inputs[index].name) }
      return made[index]
    }
    return (all, random)
  }
}

/// What a file is by its name.
enum FileKind {
  case npy, npz, protobuf, image, sound, json

  init?(_ path: String) {
    let name = path.lowercased()
    let kinds: [(String, FileKind)] = [
      (".npy", .npy), (".npz", .npz), (".pb", .protobuf), (".png", .image), (".jpg", .image), (".jpeg", .image),
      (".wav", .sound), (".json", .json),
    ]
    guard let kind = kinds.first(where: { name.hasSuffix($0.0) })?.1 else { return nil }
    self = kind
  }
}
