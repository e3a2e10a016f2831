import CKernelSupport
import DLRTKernels

/// The kernels of one instruction-set level.
package struct KernelSet: @unchecked Sendable {
  package let isa: ISA
  /// Immutable and never freed.
  package let table: UnsafePointer<dlk_kernel_table>
  /// Products with a constant operand are made in pairs where that pays.
  package let pairsProducts: Bool

  package init(_ isa: ISA) {
    self.isa = isa
    table = KernelLibrary.table(for: isa)
    pairsProducts = table.pointee.pair_b != nil && KernelLibrary.makesPairs
  }

  /// The machine's best level, or what `DLRT_ISA` asks for.
  package static let active = KernelSet(KernelLibrary.active)
}
