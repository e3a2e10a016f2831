import DLRTGraph

/// com.microsoft BiasSoftmax (1): softmax of data + bias over all axes from `axis` on, the bias broadcasting as in Add.
package struct BiasSoftmax: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "BiasSoftmax", [("data", "T"), ("bias", "T")], [("output", "T")], ["T": .floats])

  package static func expand(_ x: inout Expansion) throws {
    let axis = try x.attributes.int("axis", default: 1)
    // Says which broadcast the writer found, which the shapes tell anyway.
    x.attributes.ignore("is_inner_broadcast")
    let sum = x.add("Add", [try x.input(0), try x.input(1)])
    let matrix = x.add("Flatten", [sum], ["axis": .int(axis)])
    x.result("Reshape", [x.add("Softmax", [matrix], ["axis": .int(-1)]), x.add("Shape", [sum])])
  }
}
