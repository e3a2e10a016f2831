import DLRTGraph

/// ai.dlrt PaddingMask: from a mask of ONNX Runtime's attention operators to numbers that are added to scores, [batch, 1,
/// 1 or queries, keys] float32: 0 for keys that are seen, `filter` for others.
///
/// `mask` is [batch, keys] or [batch, queries, keys] of 0 and 1; [batch, 1], which hides nothing; [batch], the number of
/// keys that are seen; or [2 · batch], their ends and then their starts. Of `keys` (3 axes, or 4 with the positions third)
/// and `past` (4 axes) only the number of positions counts.
package struct PaddingMask: Operator {
  package static let schema = OperatorSchema(
    "PaddingMask", domain: OperatorName.internalDomain, versions: [1],
    inputs: [("mask", "M"), ("keys", "K*"), ("past?", "K*")], outputs: [("bias", "B")],
    types: ["M": .indices, "K*": [.floats, .uint8, TypeSet(.int8)], "B": .float32])

  private let filter: Float

  package init(_ attributes: inout AttributeReader) throws { filter = try attributes.float("filter", default: -10000) }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .float32)
    let keys = try inference.shape(1)
    guard keys.rank == 3 || keys.rank == 4 else {
      throw DLRTError(.invalidModel, "wrong rank", tensor: "keys", expected: "rank 3 or 4", got: "\(keys)")
    }
    var total = keys[keys.rank - 2]
    if keys.rank == 3 { total = keys[1] }
    if inference.has(2) { total = try inference.shape(2, rank: 4)[2] + total }
    let batch = keys[0]
    let mask = try inference.shape(0)
    func fits(_ dim: Dim, _ others: Dim...) -> Bool { others.contains { !dim.provablyDiffers($0) } }
    let isValid =
      switch mask.rank {
      case 1: fits(mask[0], batch, batch * 2)
      case 2: fits(mask[0], batch, 1) && fits(mask[1], total, 1)
      case 3: fits(mask[0], batch) && fits(mask[2], total)
      default: false
      }
    guard isValid else {
      throw DLRTError(
        .invalidModel, "mask does not fit", tensor: "mask", expected: "[\(batch)], [\(batch), \(total)] or 3 axes",
        got: "\(mask)")
    }
    inference.set(0, .float32, [batch, 1, mask.rank == 3 ? mask[1] : 1, total])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let mask = planning.shape(0)
    let output = planning.output(0).shape
    let isWide = planning.type(0) == .int64
    let fill = Fill(mask: mask, batch: output[0], rows: output[2], keys: output[3], filter: filter)
    return Step(kernel: "mask") { io in
      if isWide {
        fill.run(io.input(0, as: Int64.self), io.output(0, as: Float.self))
      } else {
        fill.run(io.input(0, as: Int32.self), io.output(0, as: Float.self))
      }
    }
  }
}

private struct Fill: Sendable {
  let mask: [Int]
  let batch: Int
  let rows: Int
  let keys: Int
  let filter: Float

  func run<T: FixedWidthInteger>(_ mask: UnsafePointer<T>, _ bias: UnsafeMutablePointer<Float>) {
    switch self.mask.count {
    case 1:
      for sample in 0..<batch {
        let start = self.mask[0] == batch ? 0 : mask[batch &+ sample]
        for key in 0..<keys {
          bias[sample &* keys &+ key] = T(clamping: key) >= start && T(clamping: key) < mask[sample] ? 0 : filter
        }
      }
    case 2 where self.mask[1] != keys: bias.update(repeating: 0, count: batch &* keys)
    default:
      let step = self.mask[0] == 1 ? 0 : rows &* keys
      for sample in 0..<batch {
        for index in 0..<rows &* keys {
          bias[sample &* rows &* keys &+ index] = mask[sample &* step &+ index] > 0 ? 0 : filter
        }
      }
    }
  }
}
