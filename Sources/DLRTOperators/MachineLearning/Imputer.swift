import DLRTGraph

/// ai.onnx.ml Imputer (1): replaces one value, which may be NaN, by others.
///
/// `X` and `Y`: one shape `[…, C]` and type of float, double, int64, int32. There is one value for all columns or one
/// for each.
package struct Imputer: Operator {
  package static let schema = OperatorSchema(
    "Imputer", domain: OperatorName.machineLearningDomain, versions: [1], inputs: [("X", "T")],
    outputs: [("Y", "T")], types: ["T": Features.types])

  private let floats: [Float]
  private let integers: [Int]
  private let replacedFloat: Float
  private let replacedInteger: Int

  package init(_ attributes: inout AttributeReader) throws {
    floats = try attributes.optionalFloats("imputed_value_floats") ?? []
    integers = try attributes.optionalInts("imputed_value_int64s") ?? []
    replacedFloat = try attributes.float("replaced_value_float", default: 0)
    replacedInteger = try attributes.int("replaced_value_int64", default: 0)
    guard floats.isEmpty != integers.isEmpty else {
      throw DLRTError(
        .invalidModel, "one list of values is needed", tensor: "imputed_value_floats, imputed_value_int64s")
    }
  }

  package func infer(_ inference: inout Inference) throws {
    try inference.sameAsInput()
    let type = try inference.type(0)
    let count = type.isFloat ? floats.count : integers.count
    guard count > 0 else {
      throw DLRTError(
        .invalidModel, "the model has values of another type", tensor: inference.name(0),
        expected: type.isFloat ? "integers" : "floats", got: type.name)
    }
    guard let columns = try inference.shape(0).dims.last else {
      throw DLRTError(.invalidModel, "wrong rank", tensor: "X", expected: "at least 1", got: "a scalar")
    }
    guard count == 1 || !columns.provablyDiffers(.known(count)) else {
      throw DLRTError(
        .invalidModel, "wrong number of values", tensor: "imputed_values", expected: "1 or \(columns)", got: "\(count)")
    }
  }

  package var inPlaceInputs: [Int] { [0] }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let chunks = Chunks(shape.dropLast().reduce(1, &*), cost: Double(shape.last ?? 1))
    let replace = try Features.dispatch(planning.type(0), Replace(op: self, columns: shape.last ?? 1))
    return Step(kernel: "replace") { io in
      let (x, y) = (io.input(0), io.output(0))
      io.parallel(chunks) { replace(x, y, $0) }
    }
  }

  private struct Replace: NumericTask {
    let op: Imputer
    let columns: Int

    func run<T: NumericElement>(_ type: T.Type)
      -> @Sendable (UnsafeRawPointer, UnsafeMutableRawPointer, Range<Int>) -> Void
    {
      let isFloat = T.dataType.isFloat
      let given = isFloat ? op.floats.map { T(nearest: Double($0)) } : op.integers.map { T(integer: $0) }
      let values = given.count == 1 ? Array(repeating: given[0], count: columns) : given
      let replaced = isFloat ? T(nearest: Double(op.replacedFloat)) : T(integer: op.replacedInteger)
      let replacesNaN = replaced.isNaN
      return { [columns] x, y, rows in
        for row in rows {
          let source = x.assumingMemoryBound(to: T.self) + row &* columns
          let target = y.assumingMemoryBound(to: T.self) + row &* columns
          for column in 0..<columns {
            let value = source[column]
            target[column] = value == replaced || replacesNaN && value.isNaN ? values[column] : value
          }
        }
      }
    }
  }
}

extension NumericElement {
  /// The nearest representable integer.
  fileprivate init(integer value: Int) {
    // Doubles do not hold all 64-bit integers.
    self = (Int64(value) as? Self) ?? Self(nearest: Double(value))
  }
}
