import CKernelSupport
import DLRTGraph

/// com.microsoft QLinearAdd (1): A + B of quantised operands, which broadcast, quantised again.
package struct QLinearAdd: QuantizedBinaryOperator {
  package static let schema = OperatorSchema.quantizedBinary("QLinearAdd")

  package init(_ attributes: inout AttributeReader) throws {}

  package static func formula(_ scales: InlineArray<3, Float>, _ zeros: InlineArray<3, Float>) -> dlk_byte_binary_args {
    var args = dlk_byte_binary_args()
    (args.a_factor, args.b_factor) = (scales[0] / scales[2], scales[1] / scales[2])
    let shift = Float(Double(zeros[0]) * Double(args.a_factor) + Double(args.b_factor * zeros[1]))
    args.shift = zeros[2] - shift
    return args
  }
}
