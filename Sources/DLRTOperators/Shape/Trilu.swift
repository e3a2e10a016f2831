import DLRTGraph
import Glibc

/// ONNX Trilu (14): the upper or lower triangle of each matrix, from the `k`-th diagonal on; the rest is zero. For
/// every element type.
package struct Trilu: Operator {
  package static let schema = OperatorSchema(
    "Trilu", versions: [14], inputs: [("input", "T"), ("k?", "K")], outputs: [("output", "T")],
    types: ["T": .all, "K": .int64])

  private let isUpper: Bool

  package init(_ attributes: inout AttributeReader) throws {
    isUpper = try attributes.flag("upper", default: true)
  }

  package func infer(_ inference: inout Inference) throws {
    try inference.sameAsInput()
    let shape = try inference.shape(0)
    guard shape.rank >= 2 else {
      throw DLRTError(
        .invalidModel, "wrong rank", tensor: inference.name(0), expected: "rank 2 or more", got: "shape \(shape)")
    }
    guard inference.has(1), let count = inference.inputs[1]?.shape?.elementCount else { return }
    guard !count.provablyDiffers(1) else {
      throw DLRTError(
        .invalidModel, "not a single number", tensor: inference.name(1), expected: "1 element", got: "\(count)")
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let columns = shape[shape.count - 1]
    let height = shape[shape.count - 2]
    let rows = shape.product(0..<shape.count - 1)
    let size = planning.type(0).size
    let hasDiagonal = planning.has(1)
    let isUpper = isUpper
    return Step(kernel: "triangle") { io in
      let offset = hasDiagonal ? Int(io.input(1, as: Int64.self)[0]) : 0
      // Diagonals beyond the matrix are all alike.
      let diagonal = max(-height - 1, min(offset, columns + 1))
      let source = io.input(0)
      let target = io.output(0)
      io.parallel(Chunks(rows, cost: 5 + Double(columns &* size) * 0.1)) { range in
        for row in range {
          // The first column of the upper part, or behind the lower one.
          let border = row % height &+ diagonal &+ (isUpper ? 0 : 1)
          let split = max(0, min(border, columns)) &* size
          let from = source + row &* columns &* size
          let to = target + row &* columns &* size
          let rest = columns &* size &- split
          if isUpper {
            memset(to, 0, split)
            if from != UnsafeRawPointer(to) { memcpy(to + split, from + split, rest) }
          } else {
            if from != UnsafeRawPointer(to) { memcpy(to, from, split) }
            memset(to + split, 0, rest)
          }
        }
      }
    }
  }

  package var inPlaceInputs: [Int] { [0] }
}
