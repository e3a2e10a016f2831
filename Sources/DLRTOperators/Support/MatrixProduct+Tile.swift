/// Products of small matrices on one thread, without scratch memory.
enum TileProduct {
  /// C[m][n] = scale · A[m][k] · B[n][k]ᵀ; the elements of a row of A and of B are adjacent.
  static func withTransposed<T: RealElement>(
    m: Int, n: Int, k: Int, scale: T, _ a: UnsafePointer<T>, row aRow: Int, _ b: UnsafePointer<T>, row bRow: Int,
    _ c: UnsafeMutablePointer<T>, row cRow: Int
  ) {
    for row in 0..<m {
      let left = a + row &* aRow
      let target = c + row &* cRow
      for column in 0..<n { target[column] = scale * RowSums.product(left, b + column &* bRow, k) }
    }
  }

  /// C[m][n] = A[m][k] · B[k][n]; the elements of all rows are adjacent. Factors of zero are skipped, so that they hide
  /// infinities of B.
  static func with<T: RealElement>(
    m: Int, n: Int, k: Int, _ a: UnsafePointer<T>, row aRow: Int, _ b: UnsafePointer<T>, row bRow: Int,
    _ c: UnsafeMutablePointer<T>, row cRow: Int
  ) {
    for row in 0..<m {
      let target = c + row &* cRow
      target.update(repeating: 0, count: n)
      for index in 0..<k {
        let factor = a[row &* aRow &+ index]
        guard factor != 0 else { continue }
        let source = b + index &* bRow
        for column in 0..<n { target[column] += factor * source[column] }
      }
    }
  }
}
