import CKernelSupport
import DLRTGraph
import DLRTKernels

/// The product for element types without a kernel of their own. B is copied block by block into adjacent rows, so that
/// any strides run at the same speed; a block of B serves all rows of A.
extension MatrixProduct {
  private static let blockColumns = 64
  private static let blockDepth = 128

  /// What becomes of C's former elements.
  package enum Target: Sendable { case overwrite, add }

  private var columnBlocks: Int { (n &+ Self.blockColumns &- 1) / Self.blockColumns }

  private var chunks: Chunks {
    Chunks(batchCount &* columnBlocks, cost: Double(m) * Double(k) * Double(min(n, Self.blockColumns)) * 0.1)
  }

  /// Scratch elements that `runLoops` needs.
  package var loopWorkspace: Int { chunks.count &* Self.blockColumns &* Self.blockDepth }

  /// - Parameter scratch: `loopWorkspace` elements.
  package func runLoops<T: NumericElement>(
    _ io: borrowing StepIO, _ a: UnsafePointer<T>, _ b: UnsafePointer<T>, _ c: UnsafeMutablePointer<T>,
    scratch: UnsafeMutableRawPointer, _ target: Target = .overwrite
  ) {
    let chunks = chunks
    io.parallel(chunks) { range in
      let block =
        scratch.assumingMemoryBound(to: T.self)
        + range.lowerBound / chunks.size &* Self.blockColumns &* Self.blockDepth
      for index in range {
        let product = index / columnBlocks
        let column = (index &- product &* columnBlocks) &* Self.blockColumns
        let offsets = offsets(product)
        runColumns(
          a + offsets.a, b + offsets.b, c + offsets.c, column, min(Self.blockColumns, n &- column), block, target)
      }
    }
  }

  private func runColumns<T: NumericElement>(
    _ a: UnsafePointer<T>, _ b: UnsafePointer<T>, _ c: UnsafeMutablePointer<T>, _ column: Int, _ count: Int,
    _ block: UnsafeMutablePointer<T>, _ target: Target
  ) {
    let kernel: dlk_product_type? =
      T.self == Double.self ? DLK_PRODUCT_FLOAT64 : T.self == Int32.self ? DLK_PRODUCT_INT32 : nil
    if kernel == nil, case .overwrite = target {
      for row in 0..<m {
        let result = c + (row &* cRow &+ column)
        for index in 0..<count { result[index] = 0 }
      }
    }
    var start = 0
    while start < k || start == 0 {
      let depth = min(Self.blockDepth, k &- start)
      copyBlock(b + (start &* self.b.row &+ column &* self.b.column), depth, count, block)
      let factors = a + start &* self.a.column
      let result = c + column
      if let kernel {
        var adds = start > 0
        if case .add = target { adds = true }
        addProduct(kernel, factors, block, depth, result, count, adds)
      } else {
        for row in 0..<m {
          addRow(factors + row &* self.a.row, block, depth, result + row &* cRow, count)
        }
      }
      start = start &+ Self.blockDepth
    }
  }

  private func copyBlock<T: NumericElement>(
    _ b: UnsafePointer<T>, _ depth: Int, _ count: Int, _ block: UnsafeMutablePointer<T>
  ) {
    for p in 0..<depth {
      let source = b + p &* self.b.row
      let line = block + p &* Self.blockColumns
      if self.b.column == 1 {
        line.update(from: source, count: count)
      } else {
        for index in 0..<count { line[index] = source[index &* self.b.column] }
      }
    }
  }

  @inline(never)
  private func addProduct(
    _ type: dlk_product_type, _ factors: UnsafeRawPointer, _ block: UnsafeRawPointer, _ depth: Int,
    _ result: UnsafeMutableRawPointer,
    _ count: Int, _ adds: Bool
  ) {
    var args = dlk_product_args(
      type: type, adds: adds ? 1 : 0, m: Int64(m), n: Int64(count), k: Int64(depth), a: factors,
      a_row_stride: Int64(a.row), a_column_stride: Int64(a.column), b: block, b_row_stride: Int64(Self.blockColumns),
      c: result, c_row_stride: Int64(cRow))
    KernelLibrary.table.pointee.product(&args)
  }

  private func addRow<T: NumericElement>(
    _ factors: UnsafePointer<T>, _ block: UnsafePointer<T>, _ depth: Int, _ result: UnsafeMutablePointer<T>,
    _ count: Int
  ) {
    var p = 0
    // Two rows of B at a time halve the traffic on C.
    while p &+ 2 <= depth {
      let first = factors[p &* a.column]
      let second = factors[(p &+ 1) &* a.column]
      let line = block + p &* Self.blockColumns
      for index in 0..<count {
        let sum = T.add(result[index], T.multiply(first, line[index]))
        result[index] = T.add(sum, T.multiply(second, line[index &+ Self.blockColumns]))
      }
      p = p &+ 2
    }
    if p < depth {
      let first = factors[p &* a.column]
      let line = block + p &* Self.blockColumns
      for index in 0..<count { result[index] = T.add(result[index], T.multiply(first, line[index])) }
    }
  }
}

/// Types of equal product arithmetic share one loop: integers wrap around whatever their sign.
struct ProductTask<Body: ProductBody> {
  let body: Body

  func dispatch(_ type: DataType) throws -> Body.Result {
    switch type {
    case .float32: try body.run(Float.self)
    case .float64: try body.run(Double.self)
    case .int32, .uint32: try body.run(Int32.self)
    case .int64, .uint64: try body.run(Int64.self)
    default: throw type.unsupported
    }
  }
}

protocol ProductBody<Result> {
  associatedtype Result
  func run<T: NumericElement>(_ type: T.Type) throws -> Result
}
