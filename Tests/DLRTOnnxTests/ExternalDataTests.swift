import DLRTGraph
import DLRTOnnx
import Testing

private func model(_ entries: [(String, String)]) -> Proto {
  .model(
    .graph(
      [.node("Relu", ["w"], ["y"])], outputs: [.value("y")],
      initializers: [
        .tensor("w", dims: [2]) {
          for (key, value) in entries {
            $0.message(13) {
              $0.text(1, key)
              $0.text(2, value)
            }
          }
          $0.int(14, 1)
        }
      ]))
}

private func weight(_ path: String) throws -> [Float]? {
  try OnnxModel(path: path, registry: .forTests).graph.values.first { $0.name == "w" }?.constant?.elements(Float.self)
}

@Suite struct ExternalDataTests {
  private let data = [UInt8](littleEndian: [9, 1, 2] as [Float])

  private func read(_ entries: [(String, String)], _ prepare: (Folder) throws -> Void = { _ in }) throws -> [Float]? {
    let folder = try Folder()
    try folder.write("model.onnx", model(entries).bytes)
    try folder.write("w.bin", data)
    try prepare(folder)
    return try weight(folder.path + "/model.onnx")
  }

  @Test func readsAPartOfAFile() throws {
    #expect(try read([("location", "w.bin"), ("offset", "4"), ("length", "8"), ("checksum", "x")]) == [1, 2])
    #expect(try read([("location", "./w.bin"), ("offset", "4")]) == [1, 2])
    #expect(
      try read([("location", "sub/w.bin")]) {
        $0.make("sub")
        try $0.write("sub/w.bin", [UInt8](littleEndian: [3, 4] as [Float]))
      } == [3, 4])
  }

  @Test(
    arguments: [
      [], [("location", "")], [("location", "../w.bin")], [("location", "sub/../../w.bin")],
      [("location", "/etc/passwd")],
      [("location", "absent")], [("location", "w.bin"), ("offset", "8")], [("location", "w.bin"), ("offset", "-4")],
      [("location", "w.bin"), ("offset", "9223372036854775807"), ("length", "8")],
      [("location", "w.bin"), ("offset", "99999999999999999999")], [("location", "w.bin"), ("length", "4")],
      [("location", "w.bin"), ("length", "12")], [("location", "w.bin"), ("offset", "0x4")],
      [("location", "w.bin"), ("offset", "+4")], [("location", "w.bin"), ("location", "w.bin")],
      [("location", "w.bin"), ("dtype", "float")], [("location", "*/_ORT_MEM_ADDR_/*"), ("offset", "4096")],
      [("location", "w.bin\0x")], [("location", ".")],
    ] as [[(String, String)]]) func refusesBadEntries(entries: [(String, String)])
  {
    #expect(failure { try read(entries) }?.tensor == "w", "\(entries)")
  }

  @Test func refusesWhatIsNoRegularFile() {
    #expect(failure { try read([("location", "d")]) { $0.make("d") } } != nil)
    #expect(failure { try read([("location", "f")]) { $0.makePipe("f") } } != nil)
    #expect(failure { try read([("location", "z")]) { $0.link("z", to: "/dev/zero") } } != nil)
  }

  @Test func refusesLinksThatLeadOut() throws {
    let outside = try Folder()
    try outside.write("w.bin", data)
    #expect(failure { try read([("location", "l")]) { $0.link("l", to: outside.path + "/w.bin") } } != nil)
    #expect(failure { try read([("location", "l/w.bin")]) { $0.link("l", to: outside.path) } } != nil)
    // Links that stay inside are fine.
    #expect(try read([("location", "l"), ("offset", "4")]) { $0.link("l", to: "w.bin") } == [1, 2])
  }

  /// Model hubs keep files under other names and link to them.
  @Test func followsTheModelsOwnLink() throws {
    let folder = try Folder()
    folder.make("blobs")
    folder.make("snapshot")
    try folder.write("blobs/1", model([("location", "w.bin"), ("offset", "4")]).bytes)
    try folder.write("blobs/2", data)
    folder.link("snapshot/model.onnx", to: "../blobs/1")
    folder.link("snapshot/w.bin", to: "../blobs/2")
    #expect(try weight(folder.path + "/snapshot/model.onnx") == [1, 2])
  }

  @Test func dataLieWhereTheModelsLinkLeads() throws {
    let folder = try Folder()
    folder.make("home")
    try folder.write("home/1.onnx", model([("location", "w.bin"), ("offset", "4")]).bytes)
    try folder.write("home/w.bin", data)
    folder.link("model.onnx", to: "home/1.onnx")
    #expect(try weight(folder.path + "/model.onnx") == [1, 2])
    // A file beside the link comes first.
    try folder.write("w.bin", [UInt8](littleEndian: [9, 3, 4] as [Float]))
    #expect(try weight(folder.path + "/model.onnx") == [3, 4])
  }

  @Test func refusesExternalDataWithoutAPath() {
    #expect(failure { try load(model([("location", "w.bin")])) }?.tensor == "w")
  }
}
