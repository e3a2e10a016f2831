import DLRTGraph

/// com.microsoft CDist (1): distances between each row of A [m, k] and each of B [n, k], as [m, n]; `metric` is euclidean or
/// sqeuclidean.
package struct CDist: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "CDist", [("A", "T"), ("B", "T")], [("C", "T")], ["T": TypeSet(.float32, .float64)])

  private enum Metric: String, CaseIterable { case euclidean, sqeuclidean }

  package static func expand(_ x: inout Expansion) throws {
    let metric = try x.attributes.choice("metric", default: Metric.sqeuclidean)
    let (a, b) = (try x.input(0), try x.input(1))
    let axis = try x.ints([1])
    let left = x.add("ReduceSumSquare", [a, axis])
    let right = x.add("ReduceSumSquare", [b, axis], ["keepdims": .int(0)])
    let both = x.add("Mul", [x.add("MatMul", [a, x.transpose(b, [1, 0])]), try x.number(2, like: a)])
    let squares = x.add("Relu", [x.add("Sub", [x.add("Add", [left, right]), both])])
    if metric == .euclidean { x.result("Sqrt", [squares]) } else { x.hand(squares, to: 0) }
  }
}
