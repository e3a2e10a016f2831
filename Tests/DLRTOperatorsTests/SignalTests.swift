import DLRT
import DLRTGraph
import DLRTTestSupport
import Glibc
import Testing

@Suite struct SignalTests {
  private func noise(_ count: Int, seed: UInt64) -> [Double] {
    var state = seed
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(state >> 40) / Double(1 << 23) - 1
    }
  }

  /// The definition: interleaved complex numbers in, the same out.
  private func naive(_ x: [Double], inverse: Bool) -> [Double] {
    let n = x.count / 2
    let sign = inverse ? 2.0 : -2.0
    return (0..<n).flatMap { k -> [Double] in
      var (real, imaginary) = (0.0, 0.0)
      for j in 0..<n {
        let angle = sign * Double.pi * Double(j * k % n) / Double(n)
        real += x[2 * j] * cos(angle) - x[2 * j + 1] * sin(angle)
        imaginary += x[2 * j] * sin(angle) + x[2 * j + 1] * cos(angle)
      }
      let scale = inverse ? 1 / Double(n) : 1
      return [real * scale, imaginary * scale]
    }
  }

  private func interleaved(_ reals: [Double]) -> [Double] { reals.flatMap { [$0, 0] } }

  private func dft(
    _ x: [Double], _ shape: [Int], length: Int? = nil, axis: Int? = nil, _ attributes: [String: Attribute] = [:]
  ) throws -> Tensor {
    try OperatorRun.tensor(
      "DFT",
      [
        try Tensor(x, shape: shape), try length.map { try Tensor(int64: [$0], shape: []) },
        try axis.map { try Tensor(int64: [$0], shape: []) },
      ], attributes, constants: [1, 2])
  }

  private func expectEqual(_ tensor: Tensor, _ expected: [Double], tolerance: Double = 1e-10) throws {
    let values = try tensor.array(of: Double.self)
    #expect(values.count == expected.count)
    for (a, b) in zip(values, expected) where abs(a - b) > tolerance * Double(expected.count) {
      Issue.record("\(a) instead of \(b)")
      return
    }
  }

  @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 30, 31, 32, 97, 128, 169, 210, 254, 1001])
  func everyLength(_ n: Int) throws {
    let real = noise(n, seed: UInt64(n))
    let complex = noise(2 * n, seed: UInt64(n) + 1000)
    let inverse: [String: Attribute] = ["inverse": .int(1)]
    let oneSided: [String: Attribute] = ["onesided": .int(1)]
    let spectrum = naive(interleaved(real), inverse: false)
    let bins = Array(spectrum.prefix(2 * (n / 2 + 1)))
    try expectEqual(dft(complex, [1, n, 2]), naive(complex, inverse: false))
    try expectEqual(dft(complex, [1, n, 2], inverse), naive(complex, inverse: true))
    try expectEqual(dft(real, [1, n, 1]), spectrum)
    try expectEqual(dft(real, [1, n, 1], inverse), naive(interleaved(real), inverse: true))
    try expectEqual(dft(real, [1, n, 1], oneSided), bins)
    let back = try dft(bins, [1, n / 2 + 1, 2], length: n, oneSided.merging(inverse) { $1 })
    #expect(back.shape == [1, n, 1])
    try expectEqual(back, real)
  }

  @Test func cutsAndFills() throws {
    let x = noise(6, seed: 3)
    try expectEqual(dft(x, [1, 6, 1], length: 4), naive(interleaved(Array(x.prefix(4))), inverse: false))
    try expectEqual(dft(x, [1, 6, 1], length: 9), naive(interleaved(x + [0, 0, 0]), inverse: false))
  }

  @Test(arguments: [0, 1, -3])
  func axes(_ axis: Int) throws {
    let shape = [3, 4, 2]
    let x = noise(24, seed: 5)
    let result = try dft(x, shape, axis: axis)
    #expect(result.shape == shape)
    let onFirst = axis != 1
    var expected = x
    for line in 0..<(onFirst ? 4 : 3) {
      let places = (0..<(onFirst ? 3 : 4)).map { onFirst ? $0 * 4 + line : line * 4 + $0 }
      let transformed = naive(places.flatMap { [x[2 * $0], x[2 * $0 + 1]] }, inverse: false)
      for (index, place) in places.enumerated() {
        (expected[2 * place], expected[2 * place + 1]) = (transformed[2 * index], transformed[2 * index + 1])
      }
    }
    try expectEqual(result, expected)
  }

  @Test func invalidTransforms() throws {
    let x = noise(6, seed: 1)
    for length in [0, -1, Int.max] {
      #expect(throws: DLRTError.self) { try dft(x, [1, 6, 1], length: length) }
    }
    for axis in [2, -1, 3, -4] {
      #expect(throws: DLRTError.self) { try dft(x, [1, 6, 1], axis: axis) }
    }
    #expect(throws: DLRTError.self) { try dft(x, [1, 2, 3]) }
    #expect(throws: DLRTError.self) { try dft(x, [1, 3, 2], ["onesided": .int(1)]) }
    #expect(throws: DLRTError.self) { try dft(x, [6]) }
    #expect(throws: DLRTError.self) { try dft([], [1, 0, 1]) }
    #expect(try dft([], [0, 4, 1]).shape == [0, 4, 2])
  }

  private func stft(
    _ x: Tensor, step: Int, window: Tensor? = nil, length: Int? = nil, oneSided: Bool = true
  ) throws -> Tensor {
    try OperatorRun.tensor(
      "STFT", [x, try Tensor(int64: [step], shape: []), window, try length.map { try Tensor(int64: [$0], shape: []) }],
      ["onesided": .int(oneSided ? 1 : 0)], constants: [1, 3])
  }

  @Test(arguments: [true, false])
  func framesAreTransforms(_ isReal: Bool) throws {
    let parts = isReal ? 1 : 2
    let x = noise(2 * 23 * parts, seed: 8)
    let window = noise(7, seed: 9)
    let signal = try Tensor(x, shape: [2, 23, parts])
    let result = try stft(signal, step: 3, window: try Tensor(window, shape: [7]), oneSided: false)
    #expect(result.shape == [2, 6, 7, 2])
    var expected: [Double] = []
    for batch in 0..<2 {
      for frame in 0..<6 {
        let start = batch * 23 + frame * 3
        let taken = (0..<7).flatMap { index -> [Double] in
          let place = start + index
          return isReal
            ? [x[place] * window[index], 0] : [x[2 * place] * window[index], x[2 * place + 1] * window[index]]
        }
        expected += naive(taken, inverse: false)
      }
    }
    try expectEqual(result, expected)
  }

  @Test func invalidFrames() throws {
    let x = try Tensor(noise(8, seed: 2), shape: [1, 8, 1])
    let window = try Tensor(noise(4, seed: 2), shape: [4])
    #expect(throws: DLRTError.self) { try stft(x, step: 0, length: 4) }
    #expect(throws: DLRTError.self) { try stft(x, step: -2, length: 4) }
    #expect(throws: DLRTError.self) { try stft(x, step: 1, length: 9) }
    #expect(throws: DLRTError.self) { try stft(x, step: 1, length: 0) }
    #expect(throws: DLRTError.self) { try stft(x, step: 1, window: window, length: 5) }
    #expect(throws: DLRTError.self) { try stft(try x.reshaped([1, 4, 2]), step: 1, length: 2) }
    #expect(try stft(x, step: 5).shape == [1, 1, 5, 2])
  }

  @Test(arguments: ["HannWindow", "HammingWindow", "BlackmanWindow"])
  func smallWindows(_ op: String) throws {
    func window(_ size: Int, _ attributes: [String: Attribute] = [:]) throws -> Tensor {
      try OperatorRun.tensor(op, [try Tensor(int64: [size], shape: [])], attributes)
    }
    #expect(try window(0).shape == [0])
    #expect(try window(1, ["periodic": .int(0)]).array(of: Float.self) == [1])
    #expect(try window(3, ["periodic": .int(0), "output_datatype": .int(7)]).integers == [0, 1, 0])
    #expect(throws: DLRTError.self) { try window(-1) }
    #expect(throws: DLRTError.self) { try window(2, ["output_datatype": .int(8)]) }
  }

  @Test func bandsBeyondTheSpectrum() throws {
    func matrix(_ bands: Int, _ length: Int, _ rate: Int, _ low: Float, _ high: Float) throws -> Tensor {
      let integers = try [bands, length, rate].map { try Tensor(int64: [$0], shape: []) }
      return try OperatorRun.tensor("MelWeightMatrix", integers + [Tensor(scalar: low), Tensor(scalar: high)])
    }
    #expect(try matrix(4, 16, 8192, 0, 4096).shape == [9, 4])
    #expect(try matrix(0, 16, 8192, 0, 4096).shape == [9, 0])
    for (rate, low, high) in [(8192, Float(0), Float(40000)), (0, 0, 100), (8192, -800, 100), (8192, .nan, 100)] {
      let error = #expect(throws: DLRTError.self) { try matrix(4, 16, rate, low, high) }
      #expect(error?.code == .invalidInput)
    }
    #expect(throws: DLRTError.self) { try matrix(-1, 16, 8192, 0, 100) }
  }
}
