import CKernelSupport
import DLRTKernels
import DLRTParallel

/// Which products with a constant B are made in pairs (`pair_b`), and what they need.
struct PairedProducts: Sendable {
  /// Floats of workspace for each thread.
  let workspaceFloats: Int

  /// Below so many rows, tiles are too low for it.
  private static let leastRows = 7

  /// Nil where it does not pay, or where the processor adds and multiplies by the same units.
  ///
  /// - Parameters:
  ///   - m: the rows that decide; of convolutions those of one image, so that no batch changes the last bits of a result.
  ///   - most: the most rows of one call.
  ///   - addsLast: something is added after the activation, which a depth in blocks has no place for.
  init?(m: Int, most: Int? = nil, n: Int, k: Int, addsLast: Bool = false, _ kernels: KernelSet) {
    guard kernels.pairsProducts, m >= Self.leastRows, !addsLast || k <= Int(DLK_PAIRED_DEPTH) else { return nil }
    // Cycles for a row: what fewer multiplications save, and what copies, additions and factors take.
    let (rows, vectors) = (Double(k) / 16, Double(n) / 16)
    let saved = 2.2 * rows * (vectors / 2).rounded(.down) * 2
    guard saved > 10 + 4.5 * rows + 7 * vectors else { return nil }
    workspaceFloats = (Int(kernels.table.pointee.paired_workspace_floats(Int64(most ?? m), Int64(k))) &+ 15) & ~15
  }

  /// Makes a B ready that `pack_b` has packed for pairs.
  static func pair(
    _ packed: UnsafeMutablePointer<Float>, k: Int, n: Int, _ kernels: KernelSet, _ pool: ThreadPool
  ) {
    guard let balance = kernels.table.pointee.balance_b, let pair = kernels.table.pointee.pair_b else { return }
    let width = Int(kernels.table.pointee.gemm_panel), panels = (n &+ width &- 1) / width
    // At the speed of memory, some bytes in a nanosecond.
    let rows = Chunks(k, cost: Double(n), multiple: 16)
    pool.run(rows.count) { balance(Int64(k), Int64(n), packed, Int64(rows[$0].lowerBound), Int64(rows[$0].upperBound)) }
    pool.run(panels) { pair(Int64(k), Int64(n), packed, Int64($0), Int64($0 + 1)) }
  }
}
