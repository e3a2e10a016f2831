import CKernelSupport
import DLRTGraph

/// A product of matrices of small integers in int16, which the kernels multiply two by two along k: A's rows hold an
/// even number of elements, and B's rows are interleaved by twos into panels of 64 columns, `[pair][column][2]`. Exact as
/// long as int32 holds the sums; they wrap around beyond.
struct PairProduct: Sendable {
  static let panelColumns = 64

  let m: Int
  let n: Int
  let k: Int

  var pairs: Int { (k &+ 1) / 2 }
  var panels: Int { (n &+ Self.panelColumns &- 1) / Self.panelColumns }
  /// Pairs of one panel, and of all.
  var panelWords: Int { pairs &* Self.panelColumns }
  var packedWords: Int { panels &* panelWords }

  /// Packs a panel of B, whose rows of adjacent elements are `stride` apart.
  func pack(_ b: UnsafePointer<Int16>, stride: Int, panel: Int, into packed: UnsafeMutablePointer<UInt32>) {
    let first = panel &* Self.panelColumns
    let count = min(Self.panelColumns, n &- first)
    for pair in 0..<pairs {
      let low = b + (2 &* pair &* stride &+ first)
      let isLast = 2 &* pair &+ 1 == k
      interleavePairs(low, isLast ? nil : low + stride, packed + pair &* Self.panelColumns, count)
    }
  }

  /// C's columns of one panel.
  ///
  /// - Parameters:
  ///   - a: the first of `rows` rows, `aRow` pairs apart.
  ///   - packed: the panel.
  ///   - c: the first row's first column.
  ///   - adds: the sums join what stands in C.
  func run(
    _ kernels: KernelSet, _ a: UnsafePointer<Int16>, aRow: Int, rows: Int, _ packed: UnsafePointer<UInt32>, panel: Int,
    _ c: UnsafeMutablePointer<Int32>, cRow: Int, adds: Bool = false
  ) {
    let first = panel &* Self.panelColumns
    var args = dlk_product_args(
      type: DLK_PRODUCT_INT16_PAIRS, adds: adds ? 1 : 0, m: Int64(rows), n: Int64(min(Self.panelColumns, n &- first)),
      k: Int64(pairs), a: a, a_row_stride: Int64(aRow), a_column_stride: 1, b: packed,
      b_row_stride: Int64(Self.panelColumns), c: c + first, c_row_stride: Int64(cRow))
    kernels.table.pointee.product(&args)
  }
}

// Free, so that it stays compiled for speed: see docs/architecture.md.
/// Rows of 64, filled up with zeros.
@_optimize(speed) @inline(never)
private func interleavePairs(
  _ low: UnsafePointer<Int16>, _ high: UnsafePointer<Int16>?, _ out: UnsafeMutablePointer<UInt32>, _ count: Int
) {
  if let high {
    for index in 0..<count {
      let upper = UInt32(UInt16(bitPattern: high[index])) &<< 16
      out[index] = UInt32(UInt16(bitPattern: low[index])) | upper
    }
  } else {
    for index in 0..<count { out[index] = UInt32(UInt16(bitPattern: low[index])) }
  }
  for index in count..<PairProduct.panelColumns { out[index] = 0 }
}
