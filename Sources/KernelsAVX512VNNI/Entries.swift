import CKernelSupport

/// What this module's instructions make faster than AVX-512 alone: products of bytes by fours and of 16-bit integers by
/// twos. Call it only on a CPU that has them.
package func replaceEntries(of table: inout dlk_kernel_table) {
  table.isa = UnsafeRawPointer(isaName.utf8Start).assumingMemoryBound(to: CChar.self)
  table.product = { product($0.pointee) }
  table.byte_conv = { convolveBytes($0.pointee, Int($1)..<Int($2), Int($3)..<Int($4)) }
  table.byte_depthwise = { depthwiseBytes($0.pointee, Int($1)..<Int($2)) }
}

/// Tiles of floats are another module's. A conformance beside `WindowRows` itself would be kept as data, with the code
/// for copying its fields' types, which all modules share.
typealias ProductRows = RowSource

private let isaName: StaticString = "avx512vnni"
