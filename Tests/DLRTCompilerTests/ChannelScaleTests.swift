import DLRT
import DLRTFiles
import DLRTGraph
import DLRTTestSupport
import Testing

/// Factors of an image's channels go into the weights of the 1 × 1 convolution that reads the image.
@Suite struct ChannelScaleTests {
  /// A squeeze-and-excitation of images `[N, channels, height, width]` before a convolution to `outputs` channels.
  struct Excitation: CustomTestStringConvertible, Sendable {
    var channels = 24
    var outputs = 70
    var size = [13, 17]
    var kernel = 1
    var hasResidual = false
    var isFused = true

    var testDescription: String { "\(channels) \(outputs) \(size) \(kernel) \(hasResidual)" }

    func graph(sizeIsKnown: Bool) throws -> GraphBuilder {
      var b = GraphBuilder()
      let (height, width) = sizeIsKnown ? (Dim.known(size[0]), Dim.known(size[1])) : (.symbol("H"), .symbol("W"))
      let x = b.input("x", .float32, [.symbol("N"), .known(channels), height, width])
      let image = b.node("Conv", [x, b.constant(try numbers([channels, channels, 1, 1], 1))])
      let mean = b.node("GlobalAveragePool", [image])
      let factors = b.node(
        "Sigmoid", [b.node("Conv", [mean, b.constant(try numbers([channels, channels, 1, 1], 2))])])
      var value = b.node(
        "Conv",
        [
          b.node("Mul", [factors, image]), b.constant(try numbers([outputs, channels, kernel, kernel], 3)),
          b.constant(try numbers([outputs], 4)),
        ])
      if hasResidual {
        let other = b.input("r", .float32, [.symbol("N"), .known(outputs), .known(size[0]), .known(size[1])])
        value = b.node("Add", [value, other])
      }
      b.output(b.node("Relu", [value]))
      return b
    }
  }

  private static let excitations: [Excitation] = [
    Excitation(),
    Excitation(channels: 1, outputs: 1),
    Excitation(channels: 7, outputs: 16, size: [5, 33], hasResidual: true),
    Excitation(channels: 130, outputs: 131, size: [30, 31]),
    Excitation(channels: 26, outputs: 80), Excitation(channels: 24, outputs: 88, hasResidual: true),
    Excitation(channels: 50, outputs: 104),
    // Each reads more than a pixel, or has more weights than the image has elements. (Images of unknown size may be small.)
    Excitation(kernel: 3, isFused: false),
    Excitation(size: [2, 3], isFused: false),
  ]

  @Test(arguments: excitations)
  func equalsItsParts(_ excitation: Excitation) throws {
    for sizeIsKnown in [true, false] {
      let builder = try excitation.graph(sizeIsKnown: sizeIsKnown)
      let model = try builder.model()
      #expect((model.operatorCounts["Mul"] == nil) == (excitation.isFused && sizeIsKnown), "\(model.operatorCounts)")
      for (batch, threads) in [(1, 1), (1, 2), (3, 1), (3, 4)] {
        var inputs: [Value?] = [.tensor(try numbers([batch, excitation.channels] + excitation.size, 5))]
        if excitation.hasResidual {
          inputs.append(.tensor(try numbers([batch, excitation.outputs] + excitation.size, 6)))
        }
        let expected = try Session(builder.model(optimizes: false), options: SessionOptions(threads: 1)).run(inputs)
        let got = try Session(model, options: SessionOptions(threads: threads)).run(inputs)
        #expect(try Comparison.difference(got[0], expected[0], Tolerance(relative: 1e-4, absolute: 2e-4)) == nil)
      }
    }
  }
}

private func numbers(_ shape: [Int], _ seed: Int) throws -> Tensor {
  try Tensor((0..<shape.reduce(1, *)).map { Float(($0 * 37 + seed * 11) % 101) / 50 - 1 }, shape: shape)
}
