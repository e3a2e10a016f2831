import DLRTKernels
import Testing

@testable import DLRTOperators

/// Where convolutions are done by Winograd's method, and in which tiles.
@Suite struct WinogradChoiceTests {
  private func tile(
    side: Int, _ inputChannels: Int, _ outputChannels: Int, kernel: Int = 3, stride: Int = 1, dilation: Int = 1,
    batch: Int = 1, isa: ISA = .avx2, waits: Bool = false
  ) -> Int? {
    let reach = dilation * (kernel - 1), pad = reach / 2
    let axis = WindowAxis(
      input: side, output: (side + 2 * pad - reach - 1) / stride + 1, kernel: kernel, stride: stride,
      dilation: dilation, padBegin: pad, padEnd: pad)
    let problem = ConvolutionProblem(
      batch: batch, groups: 1, inputChannels: inputChannels, outputChannels: outputChannels,
      geometry: ConvolutionGeometry([axis, axis]))
    return WinogradChoice.tile(for: problem, joinsGroups: false, isa: isa, waits: waits)
  }

  @Test func onlyPlainWindowsOfThree() {
    #expect(tile(side: 56, 64, 64) != nil)
    #expect(tile(side: 56, 64, 64, kernel: 5) == nil)
    #expect(tile(side: 56, 64, 64, stride: 2) == nil)
    #expect(tile(side: 56, 64, 64, dilation: 2) == nil)
  }

  @Test func tilesGrowWithImages() {
    #expect(tile(side: 7, 512, 512, waits: true) == nil)
    #expect(tile(side: 14, 512, 512, waits: true) == 2)
    #expect(tile(side: 28, 256, 256) == 4)
    #expect(tile(side: 224, 64, 64) == 6)
  }

  /// Few channels are transformed for few products.
  @Test func transformsMustPay() {
    #expect(tile(side: 224, 3, 4) == nil)
  }

  /// 7.1 times the memory of plain weights is a quarter of the output's at most.
  @Test(arguments: [(56, 64), (112, 256)]) func tilesOfSixLeaveMemoryAlone(side: Int, channels: Int) {
    #expect(tile(side: side, channels, channels) == 4)
  }

  @Test(arguments: [ISA.avx512, .avx512vnni]) func noTilesOfSixInLevelsWithoutThem(isa: ISA) {
    #expect(tile(side: 224, 64, 64, isa: isa) == 4)
    #expect(tile(side: 70, 16, 32, isa: isa) == 4)
  }

  /// Weights are packed once, whatever batches come.
  @Test(arguments: [(28, 256), (14, 512), (224, 64)]) func doesNotDependOnTheBatch(side: Int, channels: Int) {
    #expect(tile(side: side, channels, channels) == tile(side: side, channels, channels, batch: 64))
  }

  /// The layer by which `ConvolutionTests` reach tiles of six.
  @Test func testedLayerHasTilesOfSix() {
    let axes = [70, 66].map {
      WindowAxis(input: $0, output: $0, kernel: 3, stride: 1, dilation: 1, padBegin: 1, padEnd: 1)
    }
    let problem = ConvolutionProblem(
      batch: 1, groups: 1, inputChannels: 16, outputChannels: 32, geometry: ConvolutionGeometry(axes))
    #expect(WinogradChoice.tile(for: problem, joinsGroups: false, isa: .avx2, waits: false) == 6)
    #expect(WinogradChoice.tile(for: problem, joinsGroups: false, isa: .avx2, waits: true) == 6)
  }
}
