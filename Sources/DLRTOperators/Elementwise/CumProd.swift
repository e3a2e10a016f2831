/// ONNX CumProd (26): the product of all elements up to each place along an axis.
package struct CumProd: CumulativeOperator {
  package static let schema = OperatorSchema.cumulative("CumProd", versions: [26])
  package static var neutral: Int { 1 }

  package let scan: RunningScan

  package init(_ attributes: inout AttributeReader) throws { scan = try RunningScan(&attributes) }

  package static func apply<T: NumericElement>(_ a: T, _ b: T) -> T { T.multiply(a, b) }
}
