/// ONNX CumSum (11–14): the sum of all elements up to each place along an axis.
package struct CumSum: CumulativeOperator {
  package static let schema = OperatorSchema.cumulative("CumSum", versions: [11, 14])
  package static var neutral: Int { 0 }

  package let scan: RunningScan

  package init(_ attributes: inout AttributeReader) throws { scan = try RunningScan(&attributes) }

  package static func apply<T: NumericElement>(_ a: T, _ b: T) -> T { T.add(a, b) }
}
