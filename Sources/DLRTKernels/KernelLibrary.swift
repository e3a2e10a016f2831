import CKernelSupport
import Glibc
import KernelsAVX2
import KernelsAVX512
import KernelsAVX512VNNI
import KernelsBaseline

/// An instruction set level; each includes the ones below it.
package enum ISA: Int32, CaseIterable, Comparable, Sendable {
  case baseline
  case avx2
  case avx512
  case avx512vnni

  /// The name used in `DLRT_ISA`, profiles and kernel names.
  package var name: String {
    switch self {
    case .baseline: "baseline"
    case .avx2: "avx2"
    case .avx512: "avx512"
    case .avx512vnni: "avx512vnni"
    }
  }

  package init?(name: String) {
    guard let match = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = match
  }

  package static func < (left: ISA, right: ISA) -> Bool { left.rawValue < right.rawValue }
}

/// Chooses the kernels for the machine at hand.
///
/// `DLRT_ISA` in the environment selects a lower level than the CPU's; it never selects a higher one.
package enum KernelLibrary {
  /// The level that `table` belongs to.
  package static var active: ISA { selection.isa }

  /// Why `DLRT_ISA` was not followed, if it was not.
  package static var message: String? { selection.message }

  /// The entries that the engine calls.
  package nonisolated(unsafe) static let table = table(for: active)

  /// Whether products are made in pairs where a level has such and it pays: where the CPU adds and multiplies in different
  /// units, or as `DLRT_PAIRS` says.
  package static let makesPairs = makesPairs(getenv("DLRT_PAIRS").map { String(cString: $0) })

  /// What a request gives on this machine.
  package static func makesPairs(_ request: String?) -> Bool {
    switch request {
    case "0": false
    case "1": true
    default: dlk_cpu_adds_beside_multiplying()
    }
  }

  /// Whether memory beyond a core's own caches is slow beside its arithmetic.
  package static let waitsForMemory = dlk_cpu_waits_for_memory()

  /// The levels that this machine can run, lowest first.
  package static let available = ISA.allCases.filter { $0 <= best }

  /// The entries of `isa`, or of the machine's best level where it lacks `isa`.
  package static func table(for isa: ISA) -> UnsafePointer<dlk_kernel_table> {
    switch min(isa, best) {
    case .baseline: KernelsBaseline.kernelTable()
    case .avx2: KernelsAVX2.kernelTable()
    case .avx512: KernelsAVX512.kernelTable()
    case .avx512vnni: UnsafePointer(vnniTable)
    }
  }

  /// What a request for a level by name gives on this machine.
  package static func select(_ request: String?) -> (isa: ISA, message: String?) {
    guard let request, !request.isEmpty else { return (best, nil) }
    guard let isa = ISA(name: request) else {
      let names = ISA.allCases.map(\.name).joined(separator: ", ")
      return (best, "DLRT_ISA: expected one of \(names), got '\(request)'; using \(best.name)")
    }
    guard isa <= best else { return (best, "DLRT_ISA: this CPU lacks \(isa.name); using \(best.name)") }
    return (isa, nil)
  }

  private nonisolated(unsafe) static let vnniTable: UnsafeMutablePointer<dlk_kernel_table> = {
    let table = UnsafeMutablePointer<dlk_kernel_table>.allocate(capacity: 1)
    table.initialize(to: KernelsAVX512.kernelTable().pointee)
    KernelsAVX512VNNI.replaceEntries(of: &table.pointee)
    return table
  }()

  private static let best = ISA(rawValue: dlk_cpu_isa().rawValue) ?? .baseline
  private static let selection = select(getenv("DLRT_ISA").map { String(cString: $0) })
}
