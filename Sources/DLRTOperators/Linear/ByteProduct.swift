import DLRTGraph

/// Products of bytes with a constant matrix by the kernels for convolutions of bytes: a row is a pixel.
enum ByteProduct {
  /// Nil where the kernels do not fit: A's and the result's parameters must be single numbers, B a constant matrix.
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
    return try self.step(planning, roles, product, isMatrix: true)
  }

  /// - Parameter isMatrix: w is `[K, N]`; else `[N, K]`.
  static func step(
    _ planning: Planning, _ roles: ByteConvolution.Roles, _ product: MatrixProduct, isMatrix: Bool
  ) throws -> Step {
    let row = WindowAxis(
      input: product.m, output: product.m, kernel: 1, stride: 1, dilation: 1, padBegin: 0, padEnd: 0)
    let problem = ConvolutionProblem(
      batch: 1, groups: 1, inputChannels: product.k, outputChannels: product.n, geometry: ConvolutionGeometry([row]))
    return try ByteConvolution(problem, planning, roles, xLast: true, yLast: true, isMatrix: isMatrix).step(planning)
  }

  private static func isSingle(_ planning: Planning, _ input: Int) -> Bool {
    !planning.has(input) || planning.input(input).count == 1
  }
}
