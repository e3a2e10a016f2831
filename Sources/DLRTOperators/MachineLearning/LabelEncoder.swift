import DLRTGraph

/// ai.onnx.ml LabelEncoder (1–4): replaces each element that is a key by the key's value, all others by a default.
///
/// `X` and `Y`: one shape, each of string, int64, float, int32, int16 or double. Of equal keys the last one counts, and
/// a NaN key matches every NaN.
package struct LabelEncoder: Operator {
  package static let schema = OperatorSchema(
    "LabelEncoder", domain: OperatorName.machineLearningDomain, versions: [1, 2, 4], inputs: [("X", "T1")],
    outputs: [("Y", "T2")], types: ["T1": ElementTable.types])

  private let map: ElementMap

  /// The first version had a list of classes for both directions, which is what CategoryMapper does.
  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    guard version < 2 else { return }
    guard case .strings(let classes)? = node.attributes.removeValue(forKey: "classes_strings") else {
      throw DLRTError(.invalidModel, "a required attribute is missing", tensor: "classes_strings")
    }
    node.op = CategoryMapper.schema.op
    node.attributes["cats_strings"] = .strings(classes)
    node.attributes["cats_int64s"] = .ints(Array(classes.indices))
  }

  package init(_ attributes: inout AttributeReader) throws {
    let keys = try attributes.list("keys")
    let values = try attributes.list("values")
    let number = try attributes.int("default_int64", default: -1)
    let float = try attributes.float("default_float", default: -0.0)
    let string = try attributes.string("default_string", default: "_Unused")
    let tensor = try attributes.optionalTensor("default_tensor")
    let fallback: Tensor
    if let tensor, tensor.type == values.type, tensor.count > 0 {
      fallback = tensor
    } else {
      switch values.type {
      case .string: fallback = try Tensor([string], shape: [1])
      case .int64: fallback = try Tensor(int64: [number])
      case .float32: fallback = try Tensor(scalar: float)
      case .float64: fallback = try Tensor(scalar: Double(float))
      case .int32: fallback = try Tensor(scalar: Int32(clamping: number))
      case .int16: fallback = try Tensor(scalar: Int16(clamping: number))
      default:
        throw DLRTError(
          .unsupportedModel, "element type is not supported", tensor: "values_tensor",
          expected: "one of \(ElementTable.types)", got: values.type.name)
      }
    }
    map = try ElementMap(keys: keys, values: values, fallback: fallback)
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, map.valueType)
    try inference.check(isKeyOf: map.keys)
    inference.set(0, map.valueType, try inference.shape(0))
  }

  package func plan(_ planning: inout Planning) throws -> Step { map.step(planning.input(0)) }
}

extension AttributeReader {
  /// A list given under one of four names, according to its type.
  fileprivate mutating func list(_ name: String) throws -> Tensor {
    var lists: [Tensor] = []
    if let values = try optionalStrings("\(name)_strings"), !values.isEmpty {
      lists.append(try Tensor(values, shape: [values.count]))
    }
    if let values = try optionalInts("\(name)_int64s"), !values.isEmpty { lists.append(try Tensor(int64: values)) }
    if let values = try optionalFloats("\(name)_floats"), !values.isEmpty {
      lists.append(try Tensor(values, shape: [values.count]))
    }
    if let values = try optionalTensor("\(name)_tensor"), values.count > 0 { lists.append(values) }
    guard lists.count == 1 else {
      throw DLRTError(
        .invalidModel, "one list is needed", tensor: "\(name)_strings, \(name)_int64s, \(name)_floats, \(name)_tensor",
        got: "\(lists.count)")
    }
    return lists[0]
  }
}

extension Inference {
  /// Checks that input 0 has the type of keys.
  func check(isKeyOf table: ElementTable) throws {
    let type = try type(0)
    guard type == table.type else {
      throw DLRTError(
        .invalidModel, "the model has keys of another type", tensor: name(0), expected: table.type.name, got: type.name)
    }
  }
}
