import CKernelSupport
import DLRTGraph

/// com.microsoft QLinearMul (1): A · B of quantised operands, which broadcast, quantised again.
package struct QLinearMul: QuantizedBinaryOperator {
  package static let schema = OperatorSchema.quantizedBinary("QLinearMul")

  package init(_ attributes: inout AttributeReader) throws {}

  package static func formula(_ scales: InlineArray<3, Float>, _ zeros: InlineArray<3, Float>) -> dlk_byte_binary_args {
    var args = dlk_byte_binary_args()
    args.multiplies = 1
    (args.a_zero, args.b_zero, args.shift) = (zeros[0], zeros[1], zeros[2])
    args.a_factor = scales[0] * scales[1] / scales[2]
    return args
  }
}
