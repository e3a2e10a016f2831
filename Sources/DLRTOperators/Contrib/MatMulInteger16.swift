import DLRTGraph

/// com.microsoft MatMulInteger16 (1): the int32 product of int16 matrices.
package struct MatMulInteger16: CompositeOperator {
  package static let schema = OperatorSchema.microsoft(
    "MatMulInteger16", [("A", "T1"), ("B", "T2")], [("Y", "T3")],
    ["T1": TypeSet(.int16, .uint16), "T2": TypeSet(.int16, .uint16), "T3": .int32])

  package static func expand(_ x: inout Expansion) throws {
    x.result("MatMul", [x.cast(try x.input(0), .int32), x.cast(try x.input(1), .int32)])
  }
}
