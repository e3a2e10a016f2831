import DLRTGraph
import Glibc

/// ai.onnx.ml DictVectorizer (1): a map's values, each at its key's place in a vocabulary; zeros (empty strings) for
/// words that are no key.
///
/// `X`: a map from string or int64 to int64, float, double or string; `Y`: `[1, words]` of the map's values.
///
/// - Throws: `invalidInput` for a key that is not in the vocabulary.
package struct DictVectorizer: Operator {
  package static let schema = OperatorSchema(
    "DictVectorizer", domain: OperatorName.machineLearningDomain, versions: [1], inputs: [("X", "T1")],
    outputs: [("Y", "T2")], types: [:])

  private let table: ElementTable
  private let words: Int

  package init(_ attributes: inout AttributeReader) throws {
    let numbers = try attributes.optionalInts("int64_vocabulary") ?? []
    let names = try attributes.optionalStrings("string_vocabulary") ?? []
    guard numbers.isEmpty != names.isEmpty else {
      throw DLRTError(.invalidModel, "one vocabulary is needed", tensor: "int64_vocabulary, string_vocabulary")
    }
    words = max(numbers.count, names.count)
    table = try ElementTable(names.isEmpty ? try Tensor(int64: numbers) : try Tensor(names, shape: [names.count]))
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.fact(0).type
    guard case .map(let key, .tensor(let value)) = type, key == table.type,
      TypeSet(.int64, .float32, .float64, .string).contains(value)
    else {
      throw DLRTError(
        .invalidModel, "wrong type", tensor: "X",
        expected: "a map from \(table.type.name) to int64, float, double or string", got: "\(type)")
    }
    inference.set(0, value, [1, .known(words)])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let type = planning.outputType(0)
    return Step(kernel: "lookup") { io in
      let y = io.output(0)
      let size = type.size
      memset(y, 0, words &* size)
      let (keys, values) = try io.map(0)
      try table.find(keys.pointer, keys.count) { place, found in
        guard let found else {
          throw DLRTError(.invalidInput, "a key is not in the vocabulary", tensor: "X", got: "key \(place)")
        }
        guard place < values.count, let value = values[place].tensor, value.type == type, value.count == 1 else {
          throw DLRTError(
            .invalidInput, "a map's value is not one number or string", tensor: "X", got: "value \(place)")
        }
        let element = y + found &* size
        if type == .string {
          let text = value.pointer.loadUnaligned(as: StringRef.self)
          element.storeBytes(of: try io.host.strings.intern(text.bytes), as: StringRef.self)
        } else {
          memcpy(element, value.pointer, size)
        }
      }
    }
  }
}

extension StepIO {
  /// Keys and values of an input that inference has found to be a map.
  func map(_ index: Int) throws -> (keys: Tensor, values: [Value]) {
    guard case .map(let keys, let values, _) = try value(index) else {
      throw DLRTError(.invalidInput, "not a map", tensor: "X")
    }
    return (keys, values)
  }
}
