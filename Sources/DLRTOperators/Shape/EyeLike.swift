import DLRTGraph
import Glibc

/// ONNX EyeLike (9–22): a matrix of the input's shape with ones on the `k`-th diagonal, of type `dtype` or the input's.
package struct EyeLike: Operator {
  package static let schema = OperatorSchema(
    "EyeLike", versions: [9, 22], inputs: [("input", "T1")], outputs: [("output", "T2")],
    types: ["T1": [.numeric, .bool], "T2": [.numeric, .bool]])

  private let type: DataType?
  private let diagonal: Int

  package init(_ attributes: inout AttributeReader) throws {
    type = try attributes.optionalDataType("dtype")
    diagonal = try attributes.int("k", default: 0)
    if let type, !TypeSet([.numeric, .bool]).contains(type) {
      throw DLRTError(.invalidModel, "element type is not supported", tensor: "dtype", got: type.name)
    }
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try type ?? inference.type(0)
    inference.setType(0, type)
    inference.set(0, type, try inference.shape(0, rank: 2))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let rows = shape[0]
    let columns = shape[1]
    let type = planning.outputType(0)
    let one = try ElementFill(oneOf: type)
    let diagonal = max(-rows - 1, min(diagonal, columns + 1))
    return Step(kernel: "eye") { io in
      let target = io.output(0)
      ElementFill(zeroOf: type).write(to: target, count: rows &* columns, io)
      for row in max(0, -diagonal)..<max(max(0, -diagonal), min(rows, columns - diagonal)) {
        one.write(to: target + (row &* columns &+ row &+ diagonal) &* type.size, count: 1)
      }
    }
  }

  package var readsOnlyShapes: Bool { true }
}
