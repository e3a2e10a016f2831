import DLRTGraph

/// ai.dlrt QLinearProduct: saturate(round(((x − x_zero)(w − w_zero) + bias) · x_scale · w_scale / y_scale) + y_zero) for
/// rows of x and a constant matrix w of int8. Inputs are those of QLinearConv; w is `[K, N]`, or `[N, K]` with `transB`.
package struct QLinearProduct: Operator {
  package static let schema = QLinearConv.quantizedSchema(
    "QLinearProduct", domain: OperatorName.internalDomain, versions: [1])

  private let transB: Bool

  package init(_ attributes: inout AttributeReader) throws { transB = try attributes.flag("transB") }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(7)
    inference.setType(0, type)
    let shape = try inference.matmulShape(0, 3, transposesRight: transB)
    _ = try inference.shape(3, rank: 2)
    guard shape.rank > 0 else {
      throw DLRTError(.invalidModel, "a vector has no rows", tensor: inference.name(0), expected: "rank 1 or more")
    }
    try ByteConvolution.checkQuantization(inference, channels: shape[shape.rank - 1])
    if inference.has(8) {
      let bias = try inference.shape(8, rank: 1)
      guard !bias[0].provablyDiffers(shape[shape.rank - 1]) else {
        throw DLRTError(
          .invalidModel, "the bias does not fit", tensor: inference.name(8), expected: "\(shape)", got: "\(bias)")
      }
    }
    inference.set(0, type, shape)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    var right = planning.shape(3)
    if transB { right.swapAt(0, 1) }
    let product = MatrixProduct(matmul: planning.shape(0), right)
    return try ByteProduct.step(planning, .quantized, product, isMatrix: !transB)
  }
}
