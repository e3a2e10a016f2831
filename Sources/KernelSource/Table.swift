import CKernelSupport

/// The entries compiled for this module's instruction set; call it only on a CPU that has the set.
package func kernelTable() -> UnsafePointer<dlk_kernel_table> { UnsafePointer(tableStorage) }

nonisolated(unsafe) private let tableStorage: UnsafeMutablePointer<dlk_kernel_table> = {
  let table = UnsafeMutablePointer<dlk_kernel_table>.allocate(capacity: 1)
  table.initialize(to: dlk_kernel_table())
  table.pointee.isa = isaName.utf8Start.withMemoryRebound(to: CChar.self, capacity: 1) { $0 }
  table.pointee.vector_floats = 4
  return table
}()

#if DL_AVX512VNNI
  private let isaName: StaticString = "avx512vnni"
#elseif DL_AVX512
  private let isaName: StaticString = "avx512"
#elseif DL_AVX2
  private let isaName: StaticString = "avx2"
#else
  private let isaName: StaticString = "baseline"
#endif
