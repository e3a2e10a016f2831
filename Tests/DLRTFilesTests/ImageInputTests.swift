import DLRT
import DLRTGraph
import Testing

@testable import DLRTFiles

@Suite struct ImageInputTests {
  private let folder: TemporaryFolder
  private let path: String

  /// Two rows of two pixels: red, green; blue, white.
  init() throws {
    folder = try TemporaryFolder()
    path = try folder.write("a.png", png([255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255], 2, 2, channels: 3))
  }

  private func read(
    _ shape: Shape, _ type: DataType = .float32, dims: [String: Int] = [:], given: [Int]? = nil,
    properties: [String: String] = [:], file: String? = nil
  ) throws -> Tensor {
    let model = try model([("x", .tensor(type), shape)], properties: properties)
    var maker = InputMaker(seed: 0)
    maker.dims = dims
    maker.shapes["x"] = given
    return try ImageInput(
      model.inputs[0], model.metadata, maker.shape(of: model.inputs[0]),
      open: maker.openAxes(of: model.inputs[0])
    ).read(file ?? path)
  }

  @Test func layoutsOfChannels() throws {
    let planes = try read([1, 3, 2, 2])
    #expect(planes.shape == [1, 3, 2, 2])
    #expect(try planes.array(of: Float.self) == [1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1])
    let pixels = try read([1, 2, 2, 3])
    #expect(pixels.shape == [1, 2, 2, 3])
    #expect(try pixels.array(of: Float.self) == [1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1])
    #expect(try read([3, 2, 2]).shape == [3, 2, 2])
  }

  @Test func grey() throws {
    let grey = try read([1, 1, 2, 2], .uint8)
    #expect(try grey.array(of: UInt8.self) == [76, 150, 29, 255])
  }

  @Test func openSizesTakeTheImages() throws {
    #expect(try read([1, 3, .symbol("H"), .symbol("W")]).shape == [1, 3, 2, 2])
    #expect(try read([1, 3, .symbol("H"), .symbol("W")], dims: ["H": 4, "W": 6]).shape == [1, 3, 4, 6])
    #expect(try read([1, 3, .symbol("H"), .symbol("W")], dims: ["H": 1, "W": 1]).shape == [1, 3, 1, 1])
    #expect(try read([1, 3, .symbol("H"), .symbol("W")], given: [1, 3, 1, 8]).shape == [1, 3, 1, 8])
    expectError(.invalidInput, "batch") { _ = try read([.symbol("N"), 3, 2, 2], dims: ["N": 2]) }
  }

  @Test func shrinkingAveragesAreas() throws {
    let one = try read([1, 3, 1, 1])
    #expect(try one.array(of: Float.self) == [0.5, 0.5, 0.5])
    let large = try read([1, 3, 4, 4])
    #expect(try Array(large.array(of: Float.self)[0..<4]) == [1, 1, 0, 0])
  }

  /// Widening the columns of a tall image first would take 2³⁰ values for 2²⁰.
  @Test func theShorterWayIsTaken() throws {
    let tall = try folder.write("tall.png", png((0..<1024).map { UInt8($0 / 4) }, 1024, 1, channels: 1))
    let wide = try read([1, 1, 2, 1_048_576], .uint8, file: tall).array(of: UInt8.self)
    #expect(wide.count == 2 << 20)
    #expect(wide[0] == 64 && wide[(1 << 20) - 1] == 64 && wide[1 << 20] == 192 && wide[(2 << 20) - 1] == 192)
  }

  @Test func bothWaysAgree() throws {
    let values = (0..<12).map { UInt8($0 * 20) }
    let image = try folder.write("grey.png", png(values, 3, 4, channels: 1))
    let turned = try folder.write(
      "turned.png", png((0..<12).map { values[$0 % 3 * 4 + $0 / 3] }, 4, 3, channels: 1))
    let one = try read([1, 1, 2, 3], file: image).array(of: Float.self)
    let other = try read([1, 1, 3, 2], file: turned).array(of: Float.self)
    for index in 0..<6 { #expect(abs(one[index] - other[index % 3 * 2 + index / 3]) < 1e-6) }
  }

  @Test func metadataNormalises() throws {
    let scaled = try read(
      [1, 3, 1, 1], properties: ["dlrt.input.scale": "1", "dlrt.input.mean": "1, 2,3", "dlrt.input.std": "2"])
    #expect(try scaled.array(of: Float.self) == [126.5 / 2, 125.5 / 2, 124.5 / 2])
    #expect(try read([1, 3, 1, 1], .float16).array(of: Float16.self) == [0.5, 0.5, 0.5])
    #expect(try read([1, 3, 1, 1], .uint8).array(of: UInt8.self) == [128, 128, 128])
    for text in ["x", "1,2", ""] {
      expectError(.invalidModel, "dlrt.input.mean") {
        _ = try read([1, 3, 1, 1], properties: ["dlrt.input.mean": text])
      }
    }
  }

  @Test func inputsThatAreNoImagesAreRefused() throws {
    for shape in [[1, 4, 8, 8], [3, 8], [1, 1, 1, 3, 3]] as [Shape] {
      expectError(.invalidInput, "'x'") { _ = try read(shape) }
    }
    expectError(.invalidInput, "'x'", "int64") { _ = try read([1, 3, 2, 2], .int64) }
    expectError(.limitExceeded, "'x'") {
      _ = try read([1, 3, .symbol("H"), .symbol("W")], dims: ["H": 1 << 40, "W": 1 << 40])
    }
    expectError(.limitExceeded, "'x'") { _ = try read([1, 3, 1, 134_217_728]) }
    expectError(.invalidInput, "'x'") { _ = try read([1, 3, .symbol("H"), .symbol("W")], dims: ["H": 0, "W": 4]) }
    for channels in [0, 1, 4] {
      expectError(.invalidInput, "'x'", "channels") { _ = try read([1, 3, 2, 2], given: [1, channels, 2, 2]) }
    }
  }
}
