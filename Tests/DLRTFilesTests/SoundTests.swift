import DLRT
import Testing

@testable import DLRTFiles

@Suite struct SoundTests {
  private func samples(_ file: [UInt8]) throws -> [Float] { try SoundInput.samples(file, name: "a.wav") }

  @Test func everyEncodingGivesNumbersFromMinusOneToOne() throws {
    #expect(try samples(wave(code: 1, channels: 1, bits: 8, [0, 128, 192])) == [-1, 0, 0.5])
    #expect(
      try samples(wave(code: 1, channels: 1, bits: 16, bytes(Int16.min) + bytes(Int16(0)) + bytes(Int16(16384))))
        == [-1, 0, 0.5])
    #expect(try samples(wave(code: 1, channels: 1, bits: 24, [0, 0, 0x80, 0, 0, 0x40])) == [-1, 0.5])
    #expect(try samples(wave(code: 1, channels: 1, bits: 32, bytes(Int32.min) + bytes(Int32(1) << 30))) == [-1, 0.5])
    #expect(try samples(wave(code: 3, channels: 1, bits: 32, bytes([0.25, -2]))) == [0.25, -2])
    #expect(try samples(wave(code: 3, channels: 1, bits: 64, bytes(0.125.bitPattern))) == [0.125])
  }

  @Test func channelsAreAveraged() throws {
    #expect(try samples(wave(code: 3, channels: 2, bits: 32, bytes([1, 0, 0.5, 1]))) == [0.5, 0.75])
    #expect(try samples(wave(code: 3, channels: 2, bits: 32, bytes([1, 0, 0.5]))) == [0.5], "half a frame")
  }

  @Test func anOpenEndIsRead() throws {
    #expect(try samples(wave(code: 3, channels: 1, bits: 32, bytes([1, 2]), dataSize: .max)) == [1, 2])
    #expect(try samples(wave(code: 3, channels: 1, bits: 32, [])).isEmpty)
  }

  @Test func wrongSoundsAreRefused() {
    for (code, channels, bits) in [(1, 0, 16), (1, 1, 12), (2, 1, 4), (1, 1, 0), (3, 1, 16), (0xfffe, 1, 16)] {
      expectError(.invalidInput, "a.wav") {
        _ = try samples(wave(code: UInt16(code), channels: UInt16(channels), bits: UInt16(bits), [1, 2, 3, 4]))
      }
    }
    expectError(.invalidInput, "RIFF") { _ = try samples(Array("RIFX....WAVE".utf8)) }
    let file = wave(code: 3, channels: 1, bits: 32, bytes([1, 2]))
    for count in 0..<(file.count - 8) { #expect(throws: DLRTError.self) { try samples(Array(file.prefix(count))) } }
  }
}
