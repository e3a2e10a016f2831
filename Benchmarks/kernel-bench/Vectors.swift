import CKernelSupport
import DLRTKernels

func benchMath(_ kernels: Kernels, _ peak: Double) {
  let names: [(String, dlk_unary)] = [
    ("relu", DLK_UNARY_RELU), ("hardswish", DLK_UNARY_HARD_SWISH), ("exp", DLK_UNARY_EXP), ("log", DLK_UNARY_LOG),
    ("tanh", DLK_UNARY_TANH), ("erf", DLK_UNARY_ERF), ("sigmoid", DLK_UNARY_SIGMOID), ("silu", DLK_UNARY_SILU),
    ("gelu", DLK_UNARY_GELU_ERF), ("gelu tanh", DLK_UNARY_GELU_TANH), ("sin", DLK_UNARY_SIN), ("elu", DLK_UNARY_ELU),
    ("softplus", DLK_UNARY_SOFTPLUS), ("mish", DLK_UNARY_MISH), ("sqrt", DLK_UNARY_SQRT),
  ]
  let count = 4096, x = buffer(count), y = buffer(count)
  for (name, function) in names {
    let seconds = shortest { kernels.pointee.unary(function, 1, 1, UnsafePointer(x), y, Int64(count)) }
    print(padded(name, 12), fixed(Double(count) / seconds / 1e9, 2), "Gelem/s")
  }
  var args = dlk_binary_args(
    function: DLK_BINARY_ADD, rows: 1, columns: Int64(count), x: x, x_row_stride: 0, x_column_stride: 1, y: x,
    y_row_stride: 0, y_column_stride: 1, out: y, out_row_stride: 0)
  print(padded("add", 12), fixed(Double(count) / shortest { kernels.pointee.binary(&args) } / 1e9, 2), "Gelem/s")
  let halves = UnsafeMutableRawPointer(buffer(count))
  print(
    padded("f16 → f32", 12),
    fixed(Double(count) / shortest { kernels.pointee.f16_to_f32(halves, y, Int64(count)) } / 1e9, 2))
  print(
    padded("f32 → f16", 12),
    fixed(Double(count) / shortest { kernels.pointee.f32_to_f16(x, halves, Int64(count)) } / 1e9, 2))
}

func benchRows(_ kernels: Kernels, _ peak: Double) {
  for columns in [64, 128, 768, 3072] {
    let rows = 16, x = buffer(rows * columns), y = buffer(rows * columns), scale = buffer(columns)
    var softmax = dlk_softmax_args(
      rows: 16, columns: Int64(columns), x: x, x_row_stride: Int64(columns), y: y, y_row_stride: Int64(columns),
      logarithm: 0)
    let elements = Double(rows * columns)
    var line = padded("rows of \(columns)", 14)
    line += " softmax \(fixed(elements / shortest { kernels.pointee.softmax(&softmax, 0, 16) } / 1e9, 2))"
    var norm = dlk_normalize_args()
    (norm.rows, norm.columns, norm.epsilon) = (16, Int64(columns), 1e-5)
    (norm.x, norm.x_row_stride, norm.y, norm.y_row_stride) = (UnsafePointer(x), Int64(columns), y, Int64(columns))
    (norm.scale, norm.bias) = (UnsafePointer(scale), UnsafePointer(scale))
    line += " layer norm \(fixed(elements / shortest { kernels.pointee.normalize(&norm, 0, 16) } / 1e9, 2))"
    var reduce = dlk_reduce_args(
      function: DLK_REDUCE_SUM, rows: 16, columns: Int64(columns), x: x, x_row_stride: Int64(columns), y: y)
    line += " sum \(fixed(elements / shortest { kernels.pointee.reduce_rows(&reduce, 0, 16) } / 1e9, 2))"
    line +=
      " columns \(fixed(elements / shortest { kernels.pointee.reduce_columns(&reduce, 0, Int64(columns)) } / 1e9, 2))"
    print(line + " Gelem/s")
  }
}
