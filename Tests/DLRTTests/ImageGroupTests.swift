import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

/// Steps that take a batch image by image give what each image gives alone.
@Suite struct ImageGroupTests {
  private typealias Network = ConcatPlaceTests.Network

  /// A network over large images and some of its values.
  private func network(_ seed: UInt64, _ shape: [Int]) throws -> GraphBuilder {
    var network = Network(seed: seed, shape)
    try network.conv(0, 40, kernel: 3)
    for _ in 0..<9 { try network.randomNode() }
    let last = network.values.count - 1
    try network.conv(last, 17, kernel: 1)
    let results = [last + 1, 1 + Int(seed) % last].map { network.values[$0].id }
    return network.model(Array(Set(results)).sorted { $0.index < $1.index }, all: false)
  }

  @Test(arguments: [1, 2]) func randomNetworks(_ threads: Int) throws {
    for seed in 0..<16 as Range<UInt64> {
      let images = 2 + Int(seed % 3), size = [5, 37, 50 + Int(seed % 5)]
      var numbers = RandomNumbers(seed: seed)
      let x = try numbers.tensor([images] + size).array(of: Float.self)
      let together = try network(seed, [images] + size).session(SessionOptions(threads: threads))
      let alone = try network(seed, [1] + size).session()
      var parts: [[Float]] = []
      for image in 0..<images {
        let count = x.count / images
        let results = try alone.run([floats(Array(x[image * count..<(image + 1) * count]), [1] + size)])
        for (index, result) in results.enumerated() {
          if image == 0 { parts.append([]) }
          parts[index] += try result.floats()
        }
      }
      for _ in 0..<2 {
        let results = try together.run([floats(x, [images] + size)])
        for (result, part) in zip(results, parts) {
          #expect(try result.floats().map(\.bitPattern) == part.map(\.bitPattern), "seed \(seed)")
        }
      }
    }
  }
}
