/// Gaussian elimination of small square matrices with partial pivoting, in place.
enum Elimination {
  /// Converts `count` elements.
  @_optimize(speed) @inline(never)
  static func convert<S: RealElement, T: RealElement>(
    _ source: UnsafePointer<S>, _ target: UnsafeMutablePointer<T>, _ count: Int
  ) {
    for index in 0..<count { target[index] = T(source[index]) }
  }

  /// The determinant; of the matrix, nothing remains. 0 as soon as a column has no pivot.
  ///
  /// - Parameter factors: memory for `size` numbers.
  @_optimize(speed) @inline(never)
  static func determinant<T: RealElement>(
    _ matrix: UnsafeMutablePointer<T>, _ size: Int, _ factors: UnsafeMutablePointer<T>
  ) -> T {
    var result: T = 1
    for step in 0..<size {
      let pivot = pivot(matrix, step, size)
      let source = matrix + step &* size
      let value = matrix[pivot &* size &+ step]
      if value == 0 { return 0 }
      if pivot != step {
        exchange(source, matrix + pivot &* size, step, size)
        result = -result
      }
      result *= value
      for row in step &+ 1..<max(size, step &+ 1) { factors[row] = matrix[row &* size &+ step] / value }
      subtract(source, factors, from: matrix, size, row: step &+ 1, column: step &+ 1)
    }
    return result
  }

  /// Replaces a matrix by its inverse (Gauss and Jordan); a singular one has none, and what stands there are no numbers.
  ///
  /// - Parameters:
  ///   - pivots: memory for `size` numbers.
  ///   - factors: likewise.
  @_optimize(speed) @inline(never)
  static func invert<T: RealElement>(
    _ matrix: UnsafeMutablePointer<T>, _ size: Int, _ pivots: UnsafeMutablePointer<Int>,
    _ factors: UnsafeMutablePointer<T>
  ) {
    for step in 0..<size {
      let pivot = pivot(matrix, step, size)
      pivots[step] = pivot
      let source = matrix + step &* size
      if pivot != step { exchange(source, matrix + pivot &* size, 0, size) }
      let inverse = 1 / source[step]
      // The column that becomes one of the unit matrix takes one of the inverse.
      for row in 0..<size {
        factors[row] = matrix[row &* size &+ step]
        matrix[row &* size &+ step] = 0
      }
      factors[step] = 0
      source[step] = 1
      for column in 0..<size { source[column] *= inverse }
      subtract(source, factors, from: matrix, size, row: 0, column: 0)
    }
    for step in (0..<size).reversed() where pivots[step] != step {
      for row in 0..<size {
        let line = matrix + row &* size
        let held = line[step]
        line[step] = line[pivots[step]]
        line[pivots[step]] = held
      }
    }
  }

  /// Subtracts a row so many times as factors say from each of the rows and columns that follow a place. Four columns at
  /// a time, down all rows: what is subtracted stays in registers.
  @inline(__always)
  private static func subtract<T: RealElement>(
    _ source: UnsafePointer<T>, _ factors: UnsafePointer<T>, from matrix: UnsafeMutablePointer<T>, _ size: Int,
    row first: Int, column start: Int
  ) {
    var column = start
    while column &+ 4 <= size {
      let (a, b, c, d) = (source[column], source[column &+ 1], source[column &+ 2], source[column &+ 3])
      var target = matrix + (first &* size &+ column)
      for row in first..<max(size, first) {
        let factor = factors[row]
        // All is read before anything is written, so that the four become vectors.
        let (e, f) = (target[0] - factor * a, target[1] - factor * b)
        let (g, h) = (target[2] - factor * c, target[3] - factor * d)
        target[0] = e
        target[1] = f
        target[2] = g
        target[3] = h
        target += size
      }
      column = column &+ 4
    }
    while column < size {
      let value = source[column]
      for row in first..<max(size, first) { matrix[row &* size &+ column] -= factors[row] * value }
      column = column &+ 1
    }
  }

  @inline(__always)
  private static func pivot<T: RealElement>(_ matrix: UnsafeMutablePointer<T>, _ step: Int, _ size: Int) -> Int {
    var result = step
    var greatest = matrix[step &* size &+ step].magnitude
    for row in step..<size {
      let value = matrix[row &* size &+ step].magnitude
      if value > greatest { (result, greatest) = (row, value) }
    }
    return result
  }

  @inline(__always)
  private static func exchange<T: RealElement>(
    _ a: UnsafeMutablePointer<T>, _ b: UnsafeMutablePointer<T>, _ first: Int, _ size: Int
  ) {
    for column in first..<size {
      let held = a[column]
      a[column] = b[column]
      b[column] = held
    }
  }
}
