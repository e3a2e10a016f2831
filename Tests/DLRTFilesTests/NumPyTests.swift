import DLRT
import DLRTGraph
import Testing

@testable import DLRTFiles

@Suite struct NumPyTests {
  private let six: [Float] = [1, 2, 3, 4, 5, 6]

  private func read(_ file: [UInt8]) throws -> Tensor { try NumPy.read(file, name: "a.npy") }

  @Test(arguments: 1...3 as ClosedRange<UInt8>) func everyVersionIsRead(_ version: UInt8) throws {
    let tensor = try read(npy("<f4", "(2, 3)", bytes(six), version: version))
    #expect(tensor.shape == [2, 3])
    #expect(try tensor.array(of: Float.self) == six)
  }

  @Test func shapesOfEveryRank() throws {
    #expect(try read(npy("<f4", "()", bytes([7]))).shape == [])
    #expect(try read(npy("<f4", "(6,)", bytes(six))).shape == [6])
    #expect(try read(npy("<f4", "(1, 6, 1)", bytes(six))).shape == [1, 6, 1])
    #expect(try read(npy("<f4", "(0, 4)", [])).shape == [0, 4])
    #expect(try read(npy("<f4", "(6L,)", bytes(six))).shape == [6])
  }

  @Test func fortranOrderIsTurned() throws {
    let tensor = try read(npy("<f4", "(2, 3)", bytes(six), fortran: true))
    #expect(try tensor.array(of: Float.self) == [1, 3, 5, 2, 4, 6])
    #expect(try read(npy("<f4", "(4611686018427387904, 8, 0)", [], fortran: true)).count == 0)
  }

  @Test func bigEndianNumbersAreTurned() throws {
    #expect(try read(npy(">i4", "(2,)", [0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe])).array(of: Int32.self) == [1, -2])
    let complex = try read(npy(">c8", "(1,)", [0x3f, 0x80, 0, 0, 0x40, 0, 0, 0]))
    #expect(complex.withUnsafeBytes { Array($0) } == bytes([1, 2]))
  }

  @Test func elementTypes() throws {
    #expect(try read(npy("|b1", "(3,)", [0, 1, 255])).array(of: Bool.self) == [false, true, true])
    #expect(try read(npy("|u1", "(2,)", [0, 255])).array(of: UInt8.self) == [0, 255])
    #expect(try read(npy("<i8", "(1,)", bytes(Int64(-5)))).array(of: Int64.self) == [-5])
    #expect(try read(npy("<f2", "(1,)", bytes(Float16(1.5).bitPattern))).array(of: Float16.self) == [1.5])
    #expect(try read(npy("<f8", "(1,)", bytes(2.5.bitPattern))).array(of: Double.self) == [2.5])
    #expect(try read(npy("<u2", "(1,)", bytes(UInt16(9)))).type == .uint16)
  }

  @Test(arguments: [
    "('a', 3)", "(-1, 2)", "(2, 3", "2, 3", "(99999999999999999999,)", "(4294967296, 4294967296)", "(3, 3)",
    "(" + String(repeating: "1, ", count: 65) + ")",
  ]) func wrongShapesAreRefused(_ shape: String) {
    expectError(.invalidInput, "a.npy") { _ = try read(npy("<f4", shape, bytes(six))) }
  }

  @Test(arguments: ["<U5", "|O", "<f16", "", "f", "<M8[ns]", "|V8"]) func otherTypesAreRefused(_ descr: String) {
    expectError(.invalidInput, "a.npy") { _ = try read(npy(descr, "(1,)", bytes(six))) }
  }

  @Test func otherFilesThanTheHeadersAreRefused() {
    expectError(.invalidInput, "a.npy", "after") { _ = try read(npy("<f4", "(6,)", bytes(six) + [0])) }
    expectError(.invalidInput, "a.npy", "byte order") { _ = try read(npy("xf4", "(6,)", bytes(six))) }
  }

  @Test func everyTruncationIsRefused() {
    let file = npy("<f4", "(2, 3)", bytes(six))
    for count in 0..<file.count {
      expectError(.invalidInput, "a.npy") { _ = try read(Array(file.prefix(count))) }
    }
  }

  @Test func archivesHoldNamedArrays() throws {
    let members = [
      ZipBuilder.Member(name: "x.npy", contents: npy("<f4", "(6,)", bytes(six))),
      ZipBuilder.Member(name: "y.npy", contents: npy("<i8", "(1,)", bytes(Int64(3))), isDeflated: true),
      ZipBuilder.Member(name: "z", contents: npy("<f4", "(0,)", []), isDeflated: true),
    ]
    let arrays = try NumPy.readArchive(ZipBuilder(members: members).file(), name: "a.npz")
    #expect(arrays.map(\.name) == ["x", "y", "z"])
    #expect(try arrays[0].tensor.array(of: Float.self) == six)
    #expect(try arrays[1].tensor.array(of: Int64.self) == [3])
    #expect(arrays[2].tensor.shape == [0])
  }

  @Test func archivesThatLieAreRefused() throws {
    let zeros = npy("<f4", "(25000,)", [UInt8](repeating: 0, count: 100_000))
    func archive(_ claimed: Int?, deflated: Bool) throws -> [UInt8] {
      try ZipBuilder(members: [
        ZipBuilder.Member(name: "x.npy", contents: zeros, isDeflated: deflated, claimedSize: claimed)
      ]).file()
    }
    #expect(try NumPy.readArchive(archive(nil, deflated: true), name: "a").count == 1)
    for size in [0, 10, zeros.count - 1, zeros.count + 1, 0xffff_fffe] {
      expectError(.invalidInput) { _ = try NumPy.readArchive(archive(size, deflated: true), name: "a") }
      expectError(.invalidInput) { _ = try NumPy.readArchive(archive(size, deflated: false), name: "a") }
    }
    var damaged = try archive(nil, deflated: false)
    damaged[200] ^= 1
    #expect(try NumPy.members(archive(nil, deflated: true), name: "a").count == 1)
    expectError(.invalidInput, "damaged") { _ = try NumPy.readArchive(damaged, name: "a") }
  }

  @Test func membersThatShareBytesAreRefused() throws {
    let member = ZipBuilder.Member(name: "x.npy", contents: npy("<f4", "(250,)", [UInt8](repeating: 0, count: 1000)))
    let file = try ZipBuilder(members: [member]).file()
    // The same entry of the directory a hundred times.
    let start = try #require(file.indices.first { file[$0...].starts(with: [0x50, 0x4b, 1, 2]) })
    let end = try #require(file.indices.first { file[$0...].starts(with: [0x50, 0x4b, 5, 6]) })
    var bomb = Array(file[..<start])
    for _ in 0..<100 { bomb += file[start..<end] }
    bomb += file[end..<end + 8]
    bomb += bytes(UInt16(100)) + bytes(UInt16(100)) + file[(end + 12)...]
    expectError(.invalidInput, "overlap") { _ = try NumPy.readArchive(bomb, name: "a") }
  }
}
