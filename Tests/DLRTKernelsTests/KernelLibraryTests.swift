import CKernelSupport
import DLRTKernels
import Testing

@Suite struct KernelLibraryTests {
  @Test func availableLevelsStartAtBaseline() {
    #expect(KernelLibrary.available.first == .baseline)
    #expect(KernelLibrary.available.contains(KernelLibrary.active))
  }

  @Test(arguments: KernelLibrary.available)
  func tableBelongsToItsLevel(isa: ISA) {
    #expect(String(cString: KernelLibrary.table(for: isa).pointee.isa) == isa.name)
  }

  @Test func unknownRequestFallsBackAndSaysSo() {
    let selection = KernelLibrary.select("sse9")
    #expect(selection.isa == KernelLibrary.available.last)
    #expect(selection.message?.contains("sse9") == true)
  }

  @Test(arguments: ISA.allCases)
  func requestClampsDownwards(isa: ISA) {
    let selection = KernelLibrary.select(isa.name)
    #expect(selection.isa <= isa)
    #expect((selection.message == nil) == (selection.isa == isa))
  }

  @Test func futexReturnsAtOnceWhenTheWordDiffers() {
    var word: UInt32 = 1
    #expect(dlk_futex_wait(&word, 2, -1) == 0)
    #expect(dlk_futex_wait(&word, 1, 1000) != 0)
    #expect(dlk_futex_wake(&word, 1) == 0)
  }

  @Test func pairsAreMadeAsAskedFor() {
    #expect(!KernelLibrary.makesPairs("0"))
    #expect(KernelLibrary.makesPairs("1"))
    #expect(KernelLibrary.makesPairs(nil) == KernelLibrary.makesPairs("2"))
  }
}
