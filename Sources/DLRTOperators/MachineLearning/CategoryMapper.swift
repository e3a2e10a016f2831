import DLRTGraph

/// ai.onnx.ml CategoryMapper (1): strings to the integers at the same place in a list, or the other way round.
///
/// `X` and `Y`: one shape; one of them of string, the other of int64.
package struct CategoryMapper: Operator {
  package static let schema = OperatorSchema(
    "CategoryMapper", domain: OperatorName.machineLearningDomain, versions: [1], inputs: [("X", "T1")],
    outputs: [("Y", "T2")], types: ["T1": TypeSet(.string, .int64)])

  private let toIntegers: ElementMap
  private let toStrings: ElementMap

  package init(_ attributes: inout AttributeReader) throws {
    let names = try attributes.optionalStrings("cats_strings") ?? []
    let strings = try Tensor(names, shape: [names.count])
    let integers = try Tensor(int64: try attributes.optionalInts("cats_int64s") ?? [])
    let noInteger = try Tensor(int64: [try attributes.int("default_int64", default: -1)])
    let noString = try Tensor([try attributes.string("default_string", default: "_Unused")], shape: [1])
    toIntegers = try ElementMap(keys: strings, values: integers, fallback: noInteger)
    toStrings = try ElementMap(keys: integers, values: strings, fallback: noString)
  }

  package func infer(_ inference: inout Inference) throws {
    let type: DataType = try inference.type(0) == .string ? .int64 : .string
    inference.setType(0, type)
    inference.set(0, type, try inference.shape(0))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    (planning.type(0) == .string ? toIntegers : toStrings).step(planning.input(0))
  }
}
