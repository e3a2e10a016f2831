import DLRT
import DLRTGraph
import Testing

@testable import DLRTFiles

/// Files with flipped, lost and repeated bytes are read or refused; nothing else may happen.
@Suite struct FuzzTests {
  private func survive(_ file: [UInt8], rounds: Int = 3000, _ read: ([UInt8]) throws -> Void) throws {
    try read(file)
    var random = SplitMix(state: 99)
    for _ in 0..<rounds {
      var changed = file
      for _ in 0..<Int.random(in: 1...4, using: &random) where !changed.isEmpty {
        let position = Int.random(in: 0..<changed.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: changed[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: changed[position] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &random) ?? 0
        case 2: changed.removeSubrange(position..<min(changed.count, position + 4))
        case 3: changed.insert(contentsOf: changed[position..<min(changed.count, position + 8)], at: position)
        default: changed.removeLast(changed.count - position)
        }
      }
      do { try read(changed) } catch is DLRTError {}
    }
  }

  @Test func arrays() throws {
    for file in [
      npy("<f4", "(2, 3)", bytes([1, 2, 3, 4, 5, 6])),
      npy(">i8", "(2, 2)", [UInt8](repeating: 7, count: 32), fortran: true),
      npy("|b1", "(4,)", [0, 1, 2, 3], version: 2),
    ] {
      try survive(file) { _ = try NumPy.read($0, name: "a") }
    }
  }

  @Test func archives() throws {
    let file = try ZipBuilder(members: [
      .init(name: "x.npy", contents: npy("<f4", "(2,)", bytes([1, 2]))),
      .init(name: "y.npy", contents: npy("<f4", "(50,)", [UInt8](repeating: 1, count: 200)), isDeflated: true),
    ]).file()
    try survive(file) { _ = try NumPy.readArchive($0, name: "a") }
  }

  @Test func sounds() throws {
    try survive(wave(code: 1, channels: 2, bits: 24, [UInt8](repeating: 3, count: 60))) {
      _ = try SoundInput.samples($0, name: "a")
    }
  }

  @Test func texts() throws {
    let port = try model([("x", .tensor(.float32), nil)]).inputs[0]
    try survive(Array("[[1, 2.5e3, -7], [0.125, 1e-9, 12345678901]]".utf8)) {
      let document = try JSONDocument($0, name: "a")
      _ = try JSONTensor.read(document.value, port: port)
    }
  }

  @Test func images() throws {
    let file = try png((0..<192).map { UInt8($0) }, 8, 8, channels: 3)
    try survive(file, rounds: 1000) {
      _ = try DecodedImage($0, name: "a", channels: 3, mostPixels: 1 << 16).resized(4, 4)
    }
  }
}
