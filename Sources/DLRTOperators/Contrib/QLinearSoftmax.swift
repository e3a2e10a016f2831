import DLRTGraph

/// com.microsoft QLinearSoftmax (1): Softmax of a quantised operand, quantised again; `opset` says by which version of
/// Softmax `axis` is understood.
package struct QLinearSoftmax: CompositeOperator {
  package static let schema = OperatorSchema.quantizedUnary("QLinearSoftmax")

  package static func expand(_ x: inout Expansion) throws {
    let axis = try x.attributes.int("axis", default: -1)
    let version = try x.attributes.int("opset")
    try x.quantized { x, value in
      guard version <= FlattenedAxis.lastVersion, axis != -1 else {
        return x.add("Softmax", [value], ["axis": .int(axis)])
      }
      let matrix = x.add("Flatten", [value], ["axis": .int(axis)])
      return x.add("Reshape", [x.add("Softmax", [matrix], ["axis": .int(-1)]), x.add("Shape", [value])])
    }
  }
}
