import DLRTGraph

/// ai.onnx.ml ZipMap (1): a map from class labels to scores for each row.
///
/// `X`: `[N, C]` or `[C]` of float; `Z`: a sequence of N maps from string or int64 to float.
package struct ZipMap: Operator {
  package static let schema = OperatorSchema(
    "ZipMap", domain: OperatorName.machineLearningDomain, versions: [1], inputs: [("X", "tensor(float)")],
    outputs: [("Z", "T")], types: ["tensor(float)": .float32])

  private let keys: Tensor

  package init(_ attributes: inout AttributeReader) throws {
    let numbers = try attributes.optionalInts("classlabels_int64s") ?? []
    let names = try attributes.optionalStrings("classlabels_strings") ?? []
    guard numbers.isEmpty != names.isEmpty else {
      throw DLRTError(
        .invalidModel, "one list of labels is needed", tensor: "classlabels_int64s, classlabels_strings")
    }
    keys = names.isEmpty ? try Tensor(int64: numbers) : try Tensor(names, shape: [names.count])
  }

  private var mapType: ValueType { .map(key: keys.type, value: .tensor(.float32)) }

  package func infer(_ inference: inout Inference) throws {
    inference.setDataDependent(0, .sequence(mapType))
    let (_, columns) = try inference.features()
    try inference.checkFeatures(columns, keys.count, "classlabels")
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let features = Features(planning.input(0))
    return Step(kernel: "zip") { io in
      let x = io.input(0, as: Float.self)
      var maps: [Value] = []
      maps.reserveCapacity(features.rows)
      for row in 0..<features.rows {
        let values = try (0..<features.columns).map { column in
          Value.tensor(try Tensor(scalar: x[row &* features.columns &+ column]))
        }
        maps.append(.map(keys: keys, values: values, of: .tensor(.float32)))
      }
      try io.setValue(0, .sequence(maps, of: mapType))
    }
  }
}
