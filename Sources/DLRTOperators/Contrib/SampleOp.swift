/// com.microsoft SampleOp (1): its input.
package struct SampleOp: CompositeOperator {
  package static let schema = OperatorSchema.microsoft("SampleOp", [("X", "T")], [("Y", "T")], ["T": .all])

  package static func expand(_ x: inout Expansion) throws { x.rename("Identity") }
}
