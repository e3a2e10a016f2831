import DLRTGraph

/// ai.onnx.ml FeatureVectorizer (1): the inputs' features side by side, each input cut or filled with zeros to its
/// width in `inputdimensions`.
///
/// Inputs: `[N, C]` or `[C]` (one row), each of float, double, int64, int32; `Y`: `[N, sum of widths]` of float.
package struct FeatureVectorizer: Operator {
  package static let schema = OperatorSchema(
    "FeatureVectorizer", domain: OperatorName.machineLearningDomain, versions: [1], inputs: [("X...", "T1*")],
    outputs: [("Y", "tensor(float)")], types: ["T1*": Features.types])

  private let widths: [Int]?

  package init(_ attributes: inout AttributeReader) throws {
    widths = try attributes.optionalInts("inputdimensions")
    guard widths?.allSatisfy({ $0 >= 0 }) ?? true else {
      throw DLRTError(.invalidModel, "out of range", tensor: "inputdimensions", got: "\(widths ?? [])")
    }
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .float32)
    if let widths, widths.count != inference.inputCount {
      throw DLRTError(
        .invalidModel, "wrong number of elements", tensor: "inputdimensions", expected: "\(inference.inputCount)",
        got: "\(widths.count)")
    }
    var rows: Dim?
    var total: Dim = 0
    for index in 0..<inference.inputCount {
      let (own, columns) = try inference.features(index)
      if let rows, rows.provablyDiffers(own) {
        throw DLRTError(
          .invalidModel, "inputs have different numbers of rows", tensor: inference.name(index), expected: "\(rows)",
          got: "\(own)")
      }
      if rows?.value == nil { rows = own }
      total = total + (widths.map { .known($0[index]) } ?? columns)
    }
    inference.set(0, .float32, [rows ?? 0, total])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    struct Part {
      let features: Features
      let start: Int
      let width: Int
    }
    var parts: [Part] = []
    var total = 0
    for index in planning.inputs.indices {
      let features = Features(planning.input(index))
      let width = widths?[index] ?? features.columns
      parts.append(Part(features: features, start: total, width: width))
      total = total &+ width
    }
    let loop = RowLoop(
      rows: planning.output(0).shape[0], cost: Double(total), scratch: parts.reduce(0) { max($0, $1.features.columns) })
    return Step(kernel: "concat", workspace: loop.workspace) { [parts, total] io in
      let y = io.output(0, as: Float.self)
      for (index, part) in parts.enumerated() {
        let x = io.input(index)
        loop.run(io) { row, values in
          part.features.read(row, of: x, into: values)
          let target = y + (row &* total &+ part.start)
          let given = min(part.width, part.features.columns)
          for column in 0..<given { target[column] = Float(values[column]) }
          for column in given..<part.width { target[column] = 0 }
        }
      }
    }
  }
}
