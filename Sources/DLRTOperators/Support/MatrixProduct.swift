import DLRTGraph

/// A batch of matrix products C[m][n] = A[m][k] · B[k][n] over strided operands; C's columns are adjacent.
package struct MatrixProduct: Sendable {
  package struct Matrix: Sendable, Equatable {
    package var row: Int
    package var column: Int

    package init(row: Int, column: Int) {
      self.row = row
      self.column = column
    }

    /// A plain row-major matrix.
    package init(columns: Int) { self.init(row: columns, column: 1) }

    package var transposed: Matrix { Matrix(row: column, column: row) }
  }

  /// Of a product as MatMul defines it. A matrix on the right belongs to no image, several do.
  static func imageInputs(_ ranks: [Int], addend: Int? = nil) -> [Int] {
    if ranks[0] < 2 || ranks[0] < ranks[1] { return [] }
    return [0] + (ranks[1] > 2 ? [1] : []) + (addend.map { [$0] } ?? [])
  }

  /// One axis of the batch, with the distance of successive matrices of each operand; 0 where one serves all.
  package struct BatchAxis: Sendable {
    package var size: Int
    package var a: Int
    package var b: Int
    package var c: Int

    package init(size: Int, a: Int, b: Int, c: Int) {
      self.size = size
      self.a = a
      self.b = b
      self.c = c
    }

    subscript(operand: Operand) -> Int { operand == .a ? a : b }
  }

  enum Operand { case a, b }

  package var m: Int
  package var n: Int
  package var k: Int
  package var a: Matrix
  package var b: Matrix
  package var cRow: Int
  /// Outermost first.
  package var batch: [BatchAxis] = []

  package init(m: Int, n: Int, k: Int, a: Matrix, b: Matrix, cRow: Int) {
    self.m = m
    self.n = n
    self.k = k
    self.a = a
    self.b = b
    self.cRow = cRow
  }

  package var batchCount: Int { batch.reduce(1) { $0 &* $1.size } }
  package var flops: Int { batchCount &* m &* n &* k &* 2 }

  /// Where the matrices of one product begin, in elements.
  @inline(__always)
  package func offsets(_ index: Int) -> (a: Int, b: Int, c: Int) {
    var rest = index
    var result = (a: 0, b: 0, c: 0)
    var axis = batch.count &- 1
    while axis >= 0 {
      let own = batch[axis]
      let step = rest % own.size
      rest /= own.size
      result.a = result.a &+ step &* own.a
      result.b = result.b &+ step &* own.b
      result.c = result.c &+ step &* own.c
      axis = axis &- 1
    }
    return result
  }

  /// Merges batch axes that can be walked as one, and makes a batch over one B a taller A.
  package mutating func simplify() {
    var merged: [BatchAxis] = []
    for axis in batch where axis.size != 1 {
      if let last = merged.last, last.a == axis.a &* axis.size, last.b == axis.b &* axis.size,
        last.c == axis.c &* axis.size
      {
        merged[merged.count - 1] = BatchAxis(size: last.size &* axis.size, a: axis.a, b: axis.b, c: axis.c)
      } else {
        merged.append(axis)
      }
    }
    if let last = merged.last, last.b == 0, last.a == m &* a.row || m == 1, last.c == m &* cRow || m == 1 {
      if m == 1 {
        a.row = last.a
        cRow = last.c
      }
      m = m &* last.size
      merged.removeLast()
    }
    batch = merged
  }
}

extension MatrixProduct {
  /// The product of two tensors as NumPy's matmul defines it, for shapes that inference has checked.
  package init(matmul a: [Int], _ b: [Int]) {
    // A vector is a row on the left, a column on the right.
    let left = a.count == 1 ? [1] + a : a
    let right = b.count == 1 ? b + [1] : b
    let m = left[left.count - 2]
    let k = left[left.count - 1]
    let n = right[right.count - 1]
    self.init(m: m, n: n, k: k, a: Matrix(columns: k), b: Matrix(columns: n), cRow: n)
    let aBatch = Array(left.dropLast(2))
    let bBatch = Array(right.dropLast(2))
    let rank = max(aBatch.count, bBatch.count)
    var aStep = m &* k
    var bStep = k &* n
    var cStep = m &* n
    for axis in (0..<rank).reversed() {
      let aAxis = axis - (rank - aBatch.count)
      let bAxis = axis - (rank - bBatch.count)
      let aSize = aAxis < 0 ? 1 : aBatch[aAxis]
      let bSize = bAxis < 0 ? 1 : bBatch[bAxis]
      let size = aSize == 1 ? bSize : aSize
      batch.insert(
        BatchAxis(size: size, a: aSize == 1 ? 0 : aStep, b: bSize == 1 ? 0 : bStep, c: cStep), at: 0)
      aStep = aStep &* aSize
      bStep = bStep &* bSize
      cStep = cStep &* size
    }
    simplify()
  }
}

extension MatrixProduct {
  /// How many different matrices of an operand the batch has.
  func matrices(_ operand: Operand) -> Int {
    batch.reduce(1) { $1[operand] == 0 ? $0 : $0 &* $1.size }
  }

  /// Gives the different matrices of A and B new places, one after the other, of the given sizes.
  func renumbered(a: Int, b: Int) -> MatrixProduct {
    var result = self
    var next = (a: a, b: b)
    for index in batch.indices.reversed() {
      if batch[index].a != 0 {
        result.batch[index].a = next.a
        next.a = next.a &* batch[index].size
      }
      if batch[index].b != 0 {
        result.batch[index].b = next.b
        next.b = next.b &* batch[index].size
      }
    }
    return result
  }
}
