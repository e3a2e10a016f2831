import DLRTGraph

/// com.microsoft FusedMatMul (1): alpha · A' · B', where A' and B' may be transposed: their last two axes by `transA` and
/// `transB`; by `transBatchA` and `transBatchB` the axis before the last moves to the front first.
package struct MicrosoftFusedMatMul: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "FusedMatMul", [("A", "T"), ("B", "T")], [("Y", "T")], ["T": .floats])

  package static func expand(_ x: inout Expansion) throws {
    try x.product(
      alpha: x.attributes.float("alpha", default: 1), transA: x.attributes.flag("transA"),
      transB: x.attributes.flag("transB"), batchA: x.attributes.flag("transBatchA"),
      batchB: x.attributes.flag("transBatchB"))
  }
}

/// com.microsoft TransposeMatMul (1): the older name of FusedMatMul.
package struct TransposeMatMul: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "TransposeMatMul", [("A", "T"), ("B", "T")], [("Y", "T")], ["T": .floats])

  package static func expand(_ x: inout Expansion) throws {
    try x.product(
      alpha: x.attributes.float("alpha", default: 1), transA: x.attributes.flag("transA"),
      transB: x.attributes.flag("transB"), batchA: false, batchB: false)
  }
}

extension Expansion {
  fileprivate mutating func product(
    alpha: Float, transA: Bool, transB: Bool, batchA: Bool, batchB: Bool
  ) throws {
    let (a, b) = (try input(0), try input(1))
    var value: ValueID
    if let left = rotated(a, transA, batchA), let right = rotated(b, transB, batchB) {
      value = add("MatMul", [left, right])
    } else if batchA || batchB {
      throw DLRTError(.unsupportedModel, "the ranks of the operands are not known", tensor: "transBatchA")
    } else {
      // Does not need to know the ranks.
      let equation = "...\(transA ? "km" : "mk"),...\(transB ? "nk" : "kn")->...mn"
      value = add("Einsum", [a, b], ["equation": .string(equation)])
    }
    if alpha != 1 { value = add("Mul", [value, try number(alpha, like: a)]) }
    hand(value, to: 0)
  }

  /// An operand in MatMul's form; nil where its rank would have to be known.
  private mutating func rotated(_ value: ValueID, _ swaps: Bool, _ movesBatch: Bool) -> ValueID? {
    if !swaps, !movesBatch { return value }
    guard let rank = shape(value)?.rank else { return nil }
    if rank < 2 { return value }
    // With a moved batch, the operand is [rows, batch …, columns], or [batch …] in the middle of the transposed.
    var axes = Array(0..<rank)
    if movesBatch {
      axes = Array(1..<(rank - 1)) + (swaps ? [rank - 1, 0] : [0, rank - 1])
    } else {
      axes.swapAt(rank - 1, rank - 2)
    }
    return transpose(value, axes)
  }
}
