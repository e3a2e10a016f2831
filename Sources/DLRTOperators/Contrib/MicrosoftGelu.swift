/// com.microsoft Gelu (1): x · Φ(x).
package struct MicrosoftGelu: CompositeOperator {
  package static let schema = OperatorSchema.microsoft("Gelu", [("X", "T")], [("Y", "T")], ["T": .floats])

  package static func expand(_ x: inout Expansion) throws { x.rename("Gelu") }
}
