import DLRTGraph
import DLRTOnnx
import Glibc
import Testing

@Suite struct NewFileTests {
  private let folder: Folder

  init() throws { folder = try Folder() }

  private func status(_ name: String) throws -> stat {
    var status = stat()
    try #require(lstat(folder.path + "/" + name, &status) == 0)
    return status
  }

  private func kind(_ name: String) throws -> mode_t { try status(name).st_mode & S_IFMT }

  private func contents(_ name: String) throws -> [UInt8] {
    let file = try MappedFile(path: folder.path + "/" + name)
    return withExtendedLifetime(file) { Array(file.bytes) }
  }

  @Test func aFileAppearsWhenItIsComplete() throws {
    try folder.write("a", [1])
    let file = try NewFile(path: folder.path + "/a")
    try ([2, 3] as [UInt8]).withUnsafeBytes { try file.append($0) }
    #expect(try contents("a") == [1])
    try file.commit()
    #expect(try contents("a") == [2, 3])
  }

  @Test func theModeStays() throws {
    try folder.write("a", [1])
    for mode in [0o600, 0o666, 0o444] as [mode_t] {
      #expect(chmod(folder.path + "/a", mode) == 0)
      try folder.write("a", [2])
      #expect(try status("a").st_mode & 0o7777 == mode)
    }
  }

  @Test func linksStay() throws {
    try folder.write("real", [1])
    folder.link("link", to: "real")
    folder.link("early", to: "later")
    try folder.write("link", [2])
    try folder.write("early", [3])
    #expect(try kind("link") == S_IFLNK)
    #expect(try kind("early") == S_IFLNK)
    #expect(try contents("real") == [2])
    #expect(try contents("later") == [3])
    #expect(unlink(folder.path + "/later") == 0)
  }

  @Test func aFileWithoutANameIsEmptiedFirst() throws {
    try folder.write("a", [1, 2, 3])
    let descriptor = open(folder.path + "/a", O_RDWR | O_CLOEXEC)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    #expect(unlink(folder.path + "/a") == 0)
    let file = try NewFile(path: "/proc/self/fd/\(descriptor)")
    try ([7] as [UInt8]).withUnsafeBytes { try file.append($0) }
    try file.commit()
    var bytes = [UInt8](repeating: 0, count: 4)
    #expect(pread(descriptor, &bytes, 4, 0) == 1 && bytes[0] == 7)
  }

  @Test func pipesGetTheBytes() throws {
    folder.makePipe("pipe")
    let reader = open(folder.path + "/pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    try #require(reader >= 0)
    defer { close(reader) }
    try folder.write("pipe", [1, 2, 3])
    var bytes = [UInt8](repeating: 0, count: 8)
    #expect(read(reader, &bytes, 8) == 3)
    #expect(bytes.prefix(3) == [1, 2, 3])
    #expect(try kind("pipe") == S_IFIFO)
  }

  /// Through a link, so that nothing happens to the device.
  @Test func aFullDeviceIsAnError() throws {
    folder.link("full", to: "/dev/full")
    let path = folder.path + "/full"
    let error = failure { try ValueFile.write(.tensor(try Tensor(scalar: Float(1))), name: "", path: path) }
    #expect(error?.code == .io)
    #expect(error?.message.contains(path) == true && error?.message.contains("No space") == true, "\(error as Any)")
  }
}
