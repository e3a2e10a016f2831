import DLRTGraph

/// com.microsoft QuickGelu (1): x · sigmoid(alpha · x).
package struct QuickGelu: CompositeOperator {
  package static let schema = OperatorSchema.microsoft("QuickGelu", [("X", "T")], [("Y", "T")], ["T": .floats])

  package static func expand(_ x: inout Expansion) throws {
    let alpha = try x.attributes.float("alpha", default: 1.702)
    x.result("Swish", [try x.input(0)], ["alpha": .float(alpha)])
  }
}
