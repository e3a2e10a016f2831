import DLRTGraph
import Glibc

/// ai.onnx.ml CastMap (1): a map's values as a tensor, in the order of the keys or each at its key's index.
///
/// `X`: a map from int64 to string or float; `Y`: `[1, entries]` (DENSE) or `[1, max_map]` (SPARSE) of float, int64 or
/// string.
///
/// - Throws: `invalidInput` for a string that is no number, and for a key outside `0..<max_map`.
package struct CastMap: Operator {
  package static let schema = OperatorSchema(
    "CastMap", domain: OperatorName.machineLearningDomain, versions: [1], inputs: [("X", "T1")],
    outputs: [("Y", "T2")], types: [:])

  private enum Target: String, CaseIterable {
    case float = "TO_FLOAT"
    case string = "TO_STRING"
    case integer = "TO_INT64"
  }

  private enum Form: String, CaseIterable {
    case dense = "DENSE"
    case sparse = "SPARSE"
  }

  private let target: Target
  private let form: Form
  private let length: Int

  package init(_ attributes: inout AttributeReader) throws {
    target = try attributes.choice("cast_to", default: .float)
    form = try attributes.choice("map_form", default: .dense)
    length = try attributes.int("max_map", default: 1)
    guard length > 0 else {
      throw DLRTError(.invalidModel, "out of range", tensor: "max_map", expected: "at least 1", got: "\(length)")
    }
  }

  private var type: DataType {
    switch target {
    case .float: .float32
    case .string: .string
    case .integer: .int64
    }
  }

  package func infer(_ inference: inout Inference) throws {
    let given = try inference.fact(0).type
    guard case .map(.int64, .tensor(let value)) = given, value == .float32 || value == .string else {
      throw DLRTError(
        .invalidModel, "wrong type", tensor: "X", expected: "a map from int64 to float or string", got: "\(given)")
    }
    switch form {
    case .dense: inference.setDataDependent(0, .tensor(type), [1, .unknown])
    case .sparse: inference.set(0, type, [1, .known(length)])
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    Step(kernel: "cast") { io in
      let (keys, values) = try io.map(0)
      let numbers = keys.integers ?? []
      guard numbers.count == values.count else { throw DLRTError(.invalidInput, "not a map", tensor: "X") }
      switch form {
      case .dense:
        let y = try io.allocate(output: 0, [1, values.count])
        for (place, entry) in numbers.indices.sorted(by: { numbers[$0] < numbers[$1] }).enumerated() {
          try write(values[entry], to: y + place &* type.size, io)
        }
      case .sparse:
        let y = io.output(0)
        memset(y, 0, length &* type.size)
        for (entry, key) in numbers.enumerated() {
          guard key >= 0, key < length else {
            throw DLRTError(.invalidInput, "key is out of range", tensor: "X", expected: "0..<\(length)", got: "\(key)")
          }
          try write(values[entry], to: y + key &* type.size, io)
        }
      }
    }
  }

  private func write(_ value: Value, to place: UnsafeMutableRawPointer, _ io: borrowing StepIO) throws {
    guard let tensor = value.tensor, tensor.count == 1 else {
      throw DLRTError(.invalidInput, "a map's value is not one number or string", tensor: "X")
    }
    let text = tensor.type == .string ? tensor.elements(StringRef.self)[0].string : nil
    let number = tensor.type == .float32 ? tensor.elements(Float.self)[0] : 0
    switch target {
    case .float: place.storeBytes(of: try text.map { try parse($0, Float.init) } ?? number, as: Float.self)
    case .integer:
      let integer = try text.map { try parse($0, Int64.init) } ?? Int64(nearest: Double(number).rounded(.towardZero))
      place.storeBytes(of: integer, as: Int64.self)
    case .string:
      let written =
        text
        ?? withVaList([Double(number)]) { arguments in
          withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            vsnprintf(buffer.baseAddress, buffer.count, "%f", arguments)
            return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
          }
        }
      place.storeBytes(of: try io.host.strings.intern(written.utf8), as: StringRef.self)
    }
  }

  private func parse<Number>(_ text: String, _ read: (String) -> Number?) throws(DLRTError) -> Number {
    guard let number = read(text) else {
      throw DLRTError(.invalidInput, "a string is no number", tensor: "X", got: "'\(text)'")
    }
    return number
  }
}
