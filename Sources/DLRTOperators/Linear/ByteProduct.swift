import DLRTGraph

/// Products of bytes with a constant matrix by the kernels for convolutions of bytes: a row is a pixel.
enum ByteProduct {
  /// Nil where the kernels do not fit: A's and the result's parameters must be single numbers, B a matrix whose
  /// differences are int8.
  static func step(_ planning: Planning, _ roles: ByteConvolution.Roles) throws -> Step? {
    let (a, b) = (planning.shape(roles.x), planning.shape(roles.w))
    let product = MatrixProduct(matmul: a, b)
    guard product.batchCount == 1, product.k > 0, product.m > 0, product.n > 0,
      isSingle(planning, roles.xZero), BytePacking.fits(planning, w: roles.w, zero: roles.wZero)
    else { return nil }
    if let result = roles.result {
      let perColumn = planning.shape(result.wScale)
      guard TypeSet(.int8, .uint8).contains(planning.outputType(0)),
        isSingle(planning, result.xScale), isSingle(planning, result.scale), isSingle(planning, result.zero),
        perColumn.product == 1 || perColumn == [product.n]
      else { return nil }
    }
    let row = WindowAxis(
      input: product.m, output: product.m, kernel: 1, stride: 1, dilation: 1, padBegin: 0, padEnd: 0)
    let problem = ConvolutionProblem(
      batch: 1, groups: 1, inputChannels: product.k, outputChannels: product.n, geometry: ConvolutionGeometry([row]))
    return try ByteConvolution(problem, planning, roles, xLast: true, yLast: true, isMatrix: true).step(planning)
  }

  private static func isSingle(_ planning: Planning, _ input: Int) -> Bool {
    !planning.has(input) || planning.input(input).count == 1
  }
}
