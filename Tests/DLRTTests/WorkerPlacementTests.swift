import CKernelSupport
import Glibc
import Testing

@Suite struct WorkerPlacementTests {
  private func bits(_ mask: dlk_affinity) -> [UInt64] {
    withUnsafeBytes(of: mask) { Array($0.bindMemory(to: UInt64.self)) }
  }

  private func mask() -> dlk_affinity {
    var mask = dlk_affinity()
    dlk_affinity_get(&mask)
    return mask
  }

  @Test func aThreadLeavesACPUAndComesBack() {
    let whole = mask()
    let first = bits(whole).firstIndex { $0 != 0 }
    guard let word = first else { return }
    let cpu = Int32(word * 64 + bits(whole)[word].trailingZeroBitCount)
    let isOnlyOne = bits(whole).map(\.nonzeroBitCount).reduce(0, +) == 1
    let this = UInt(pthread_self())
    withUnsafePointer(to: whole) { dlk_affinity_avoid(this, $0, -1, cpu) }
    #expect((bits(mask())[word] & 1 << (UInt64(cpu) % 64) == 0) == !isOnlyOne)
    // Somebody else's choice stays: these are not the CPUs that were last set.
    withUnsafePointer(to: whole) { dlk_affinity_avoid(this, $0, -1, -1) }
    #expect((bits(mask()) == bits(whole)) == isOnlyOne)
    withUnsafePointer(to: whole) { dlk_affinity_avoid(this, $0, cpu, -1) }
    #expect(bits(mask()) == bits(whole))
  }
}
