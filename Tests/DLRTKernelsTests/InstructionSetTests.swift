import DLRTKernels
import Foundation
import Testing

@Suite struct InstructionSetTests {
  private static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// Code for a newer instruction set must be reachable through its table only: an older CPU would stop at it.
  @Test func vectorCodeStaysInItsModule() throws {
    for tool in ["objdump", "nm", "python3", "swift"] where !Self.isInstalled(tool) {
      print("skipped: \(tool) is not installed")
      return
    }
    let binary = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    let folder = binary.deletingLastPathComponent()
    let products = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    guard let product = products.first(where: { $0.hasSuffix("PackageTests.product") }) else {
      print("skipped: no list of linked objects beside \(binary.path)")
      return
    }
    let (status, text) = try Self.run([
      "python3", Self.repository.appendingPathComponent("scripts/check-isa.py").path, "--testing",
      folder.appendingPathComponent(product).appendingPathComponent("Objects.LinkFileList").path,
    ])
    #expect(status == 0, "\(text)")
  }

  private static func isInstalled(_ tool: String) -> Bool {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
      .contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(tool)") }
  }

  private static func run(_ command: [String]) throws -> (Int32, String) {
    let process = Process(), pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }
}
