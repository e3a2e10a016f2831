import DLRT
import DLRTFiles
import DLRTGraph
import DLRTTestSupport
import Testing

/// A convolution and its answer by the definition, in float64.
private struct Case: CustomStringConvertible, Sendable {
  var batch = 1
  var groups = 1
  /// Of a group.
  var channels = (input: 3, output: 4)
  var size = [7, 6]
  var kernel = [3, 3]
  var strides: [Int]?
  var dilations: [Int]?
  /// Begins, then ends.
  var pads: [Int]?

  var description: String {
    "\(batch)×\(groups)×\(channels) \(size) kernel \(kernel) strides \(strides ?? []) dilations \(dilations ?? []) pads \(pads ?? [])"
  }

  var attributes: [String: Attribute] {
    var result: [String: Attribute] = ["group": .int(groups)]
    if let strides { result["strides"] = .ints(strides) }
    if let dilations { result["dilations"] = .ints(dilations) }
    if let pads { result["pads"] = .ints(pads) }
    return result
  }

  private func number(_ index: Int, _ seed: Int) -> Double { Double((index * 37 + seed * 11) % 101) / 50 - 1 }

  var x: [Double] { (0..<[batch, groups, channels.input].product * size.product).map { number($0, 1) } }
  var w: [Double] { (0..<[groups, channels.output, channels.input].product * kernel.product).map { number($0, 2) } }
  var bias: [Double] { (0..<groups * channels.output).map { number($0, 3) } }
  var xShape: [Int] { [batch, groups * channels.input] + size }
  var wShape: [Int] { [groups * channels.output, channels.input] + kernel }

  private func steps(_ values: [Int]?) -> [Int] { values ?? size.map { _ in 1 } }

  var outputSize: [Int] {
    size.indices.map { axis in
      let padding = (pads?[axis] ?? 0) + (pads?[axis + size.count] ?? 0)
      let extent = (kernel[axis] - 1) * steps(dilations)[axis] + 1
      return (size[axis] + padding - extent) / steps(strides)[axis] + 1
    }
  }

  /// Calls `body` for all pairs of an output position and a tap: their indices, and the input element or nil.
  private func forEachTap(_ body: (_ output: Int, _ tap: Int, _ input: Int?) -> Void) {
    for output in 0..<outputSize.product {
      for tap in 0..<kernel.product {
        var (restOutput, restTap, place, step) = (output, tap, 0, 1)
        var isInside = true
        for axis in size.indices.reversed() {
          let position =
            restOutput % outputSize[axis] * steps(strides)[axis] + restTap % kernel[axis] * steps(dilations)[axis]
            - (pads?[axis] ?? 0)
          restOutput /= outputSize[axis]
          restTap /= kernel[axis]
          isInside = isInside && position >= 0 && position < size[axis]
          place += position * step
          step *= size[axis]
        }
        body(output, tap, isInside ? place : nil)
      }
    }
  }

  var convolved: [Double] {
    let (x, w) = (x, w)
    let count = outputSize.product
    var y = (0..<batch * groups * channels.output * count).map { bias[$0 / count % (groups * channels.output)] }
    forEachTap { output, tap, input in
      guard let input else { return }
      for plane in 0..<batch * groups * channels.output {
        let (group, channel) = (plane / channels.output, plane % (groups * channels.output))
        for inner in 0..<channels.input {
          y[plane * count + output] +=
            x[(group * channels.input + inner) * size.product + input]
            * w[(channel * channels.input + inner) * kernel.product + tap]
        }
      }
    }
    return y
  }

  /// The transposed convolution that takes what `convolved` makes, of `groups · channels.output` channels.
  func transposed(_ z: [Double]) -> [Double] {
    let w = w
    let count = outputSize.product
    var y = [Double](repeating: 0, count: x.count)
    forEachTap { output, tap, input in
      guard let input else { return }
      for plane in 0..<batch * groups * channels.output {
        let (group, channel) = (plane / channels.output, plane % (groups * channels.output))
        for inner in 0..<channels.input {
          y[(group * channels.input + inner) * size.product + input] +=
            z[plane * count + output] * w[(channel * channels.input + inner) * kernel.product + tap]
        }
      }
    }
    return y
  }
}

private func tensor(_ values: [Double], _ shape: [Int], _ type: DataType) throws -> Tensor {
  type == .float64 ? try Tensor(values, shape: shape) : try Tensor(values.map { Float($0) }, shape: shape)
}

private func refusal(
  _ op: String, _ inputs: [Tensor?], _ attributes: [String: Attribute] = [:], constants: Set<Int> = [], outputs: Int = 1
) -> DLRTError.Code? {
  do {
    _ = try OperatorRun.tensors(op, inputs, attributes, constants: constants, outputs: outputs)
    return nil
  } catch { return (error as? DLRTError)?.code }
}

private func floats(_ values: [Float], _ shape: [Int]) throws -> Tensor { try Tensor(values, shape: shape) }
private func zeros(_ shape: [Int], _ type: DataType = .float32) throws -> Tensor {
  try Tensor(zeros: shape, type: type)
}

@Suite struct ConvolutionAnswers {
  fileprivate static let cases = [
    Case(),
    Case(batch: 2, channels: (8, 16), size: [9, 11], pads: [1, 1, 1, 1]),
    Case(channels: (16, 70), size: [5, 5], kernel: [1, 1]),
    Case(channels: (16, 20), size: [9, 9], kernel: [1, 1], strides: [2, 2]),
    Case(channels: (5, 7), size: [10, 8], strides: [2, 3], dilations: [2, 1], pads: [2, 0, 1, 1]),
    Case(batch: 2, groups: 6, channels: (1, 1), size: [8, 9], strides: [2, 1], pads: [1, 1, 1, 1]),
    Case(groups: 20, channels: (1, 1), size: [12, 12], kernel: [5, 5], pads: [2, 2, 2, 2]),
    Case(groups: 3, channels: (1, 2), size: [6, 6], pads: [1, 1, 1, 1]),
    Case(groups: 2, channels: (4, 3), size: [6, 6], kernel: [2, 3]),
    Case(channels: (3, 8), size: [20], kernel: [5], strides: [2], pads: [2, 2]),
    Case(batch: 2, channels: (12, 9), size: [17], kernel: [3], dilations: [4]),
    Case(channels: (3, 5), size: [5, 6, 4], kernel: [3, 2, 3], strides: [1, 2, 1], pads: [1, 0, 1, 1, 0, 1]),
    Case(channels: (2, 3), size: [3, 4, 3, 3], kernel: [2, 2, 1, 2]),
    Case(channels: (3, 2), size: [1, 1], pads: [1, 1, 1, 1]),
    Case(batch: 2, channels: (5, 7), size: [8, 6], kernel: [2, 2], strides: [2, 2]),
    Case(channels: (3, 20), size: [7, 12], kernel: [3, 4], strides: [2, 4], pads: [1, 0, 1, 0]),
    // Groups narrower than a vector.
    Case(batch: 2, groups: 6, channels: (4, 4), size: [6, 21], pads: [1, 1, 1, 1]),
    Case(groups: 5, channels: (8, 8), size: [7, 9], strides: [2, 2], pads: [1, 1, 1, 1]),
    Case(groups: 9, channels: (2, 2), size: [5, 10], kernel: [2, 3], pads: [0, 2, 1, 0]),
    // Groups that make more channels than they read.
    Case(
      batch: 2, groups: 20, channels: (1, 2), size: [9, 11], kernel: [7, 7], strides: [2, 2], pads: [3, 3, 3, 3]),
    // Shared out by channels.
    Case(batch: 2, groups: 150, channels: (1, 1), size: [9, 15], kernel: [7, 7], pads: [3, 3, 3, 3]),
    Case(groups: 40, channels: (1, 2), size: [13, 8], kernel: [7, 7], strides: [2, 2], pads: [3, 3, 3, 3]),
    Case(groups: 11, channels: (1, 8), size: [30], kernel: [11], dilations: [2], pads: [10, 10]),
    Case(groups: 5, channels: (2, 4), size: [6, 9], pads: [1, 1, 1, 1]),
    Case(groups: 3, channels: (1, 16), size: [4, 8], strides: [1, 2], pads: [1, 1, 1, 1]),
    Case(groups: 2, channels: (3, 8), size: [5, 3, 4], kernel: [3, 2, 3], pads: [1, 0, 1, 1, 0, 1]),
    // Large enough for Winograd's method, with tiles of 6 (without AVX-512), 4 and 2.
    Case(channels: (16, 32), size: [70, 66], pads: [1, 1, 1, 1]),
    Case(batch: 2, channels: (24, 40), size: [17, 15], pads: [1, 1, 1, 1]),
    Case(groups: 2, channels: (32, 20), size: [14, 16], pads: [0, 1, 2, 1]),
    Case(channels: (64, 64), size: [7, 7], pads: [1, 1, 1, 1]),
    Case(
      batch: 2, channels: (16, 24), size: [3, 9, 13], kernel: [3, 3, 3], strides: [2, 1, 1], pads: [1, 1, 1, 1, 1, 1]),
    Case(channels: (24, 16), size: [2, 13, 14], kernel: [1, 3, 3], pads: [0, 1, 1, 1, 1, 0]),
    Case(batch: 0),
  ]

  @Test(arguments: cases, [DataType.float32, .float64])
  fileprivate func forward(_ c: Case, _ type: DataType) throws {
    let inputs = try [tensor(c.x, c.xShape, type), tensor(c.w, c.wShape, type), tensor(c.bias, [c.bias.count], type)]
    let expected = try tensor(c.convolved, [c.batch, c.bias.count] + c.outputSize, type)
    for constants in [Set<Int>(), [1, 2]] {
      let y = try OperatorRun.tensor("Conv", inputs, c.attributes, constants: constants)
      #expect(
        try Comparison.difference(.tensor(y), .tensor(expected), Tolerance(relative: 1e-5, absolute: 1e-4)) == nil)
    }
  }

  @Test(arguments: cases, [DataType.float32, .float64])
  fileprivate func backward(_ c: Case, _ type: DataType) throws {
    let z = c.convolved
    let inputs = try [
      tensor(z, [c.batch, c.bias.count] + c.outputSize, type), tensor(c.w, c.wShape, type),
    ]
    var attributes = c.attributes
    // Where the window leaves out the last elements, they are wanted nevertheless.
    attributes["output_padding"] = .ints(
      c.size.indices.map { axis in
        let (stride, dilation) = (c.strides?[axis] ?? 1, c.dilations?[axis] ?? 1)
        let covered = (c.outputSize[axis] - 1) * stride + (c.kernel[axis] - 1) * dilation + 1
        return c.size[axis] + (c.pads?[axis] ?? 0) + (c.pads?[axis + c.size.count] ?? 0) - covered
      })
    let expected = try tensor(c.transposed(z), c.xShape, type)
    for constants in [Set<Int>(), [1]] {
      let y = try OperatorRun.tensor("ConvTranspose", inputs, attributes, constants: constants)
      #expect(
        try Comparison.difference(.tensor(y), .tensor(expected), Tolerance(relative: 1e-5, absolute: 1e-3)) == nil)
    }
  }

  @Test(arguments: cases)
  fileprivate func threadsChangeNothing(_ c: Case) throws {
    let inputs = try [tensor(c.x, c.xShape, .float32), tensor(c.w, c.wShape, .float32)]
    for op in ["Conv", "ConvTranspose"] {
      let x = op == "Conv" ? inputs[0] : try zeros([c.batch, c.bias.count] + c.outputSize)
      let runs = try [1, 4].map { threads in
        try OperatorRun.tensors(
          op, [x, inputs[1]], c.attributes, constants: [1], options: SessionOptions(threads: threads))[0]
          .elements(UInt32.self)
      }
      #expect(runs[0] == runs[1])
    }
  }

  /// Windows that do not overlap are products, of so many channels in pairs where there are any.
  @Test(arguments: [[2, 5], [2, 2, 2], [1, 2, 4], [9]])
  func transposedWithoutOverlap(_ size: [Int]) throws {
    let (channels, outputs, pixels, taps) = (96, 64, size.reduce(1, *), 1 << size.count)
    func number(_ i: Int) -> Float { Float(i * 37 % 101) / 50 - 1 }
    let x = (0..<channels * pixels).map(number), w = (0..<channels * outputs * taps).map { number($0 * 3 + 1) }
    let two = size.map { _ in 2 }
    let y = try OperatorRun.tensor(
      "ConvTranspose", [floats(x, [1, channels] + size), floats(w, [channels, outputs] + two)],
      ["strides": .ints(two)], constants: [1]
    ).elements(Float.self)
    for pixel in 0..<pixels {
      for tap in 0..<taps {
        // Where the output stands, axis by axis from the last.
        var (place, step, from, under) = (0, 1, pixel, tap)
        for axis in size.reversed() {
          place += (2 * (from % axis) + under % 2) * step
          (step, from, under) = (step * 2 * axis, from / axis, under / 2)
        }
        for output in stride(from: 0, to: outputs, by: 9) {
          var sum: Float = 0
          for c in 0..<channels { sum += x[c * pixels + pixel] * w[(c * outputs + output) * taps + tap] }
          let got = y[output * pixels * taps + place]
          guard abs(got - sum) <= 1e-4 else {
            Issue.record("pixel \(pixel), tap \(tap), output \(output): \(got) instead of \(sum)")
            return
          }
        }
      }
    }
  }

  @Test func strideBeyondTheKernelLeavesTheBias() throws {
    let x = try floats([1, 2], [1, 1, 2])
    let w = try floats([10, 20], [1, 1, 2])
    let y = try OperatorRun.tensor(
      "ConvTranspose", [x, w, try floats([0.5], [1])], ["strides": .ints([4])], constants: [1])
    #expect(y.elements(Float.self) == [10.5, 20.5, 0.5, 0.5, 20.5, 40.5])
  }

  /// What is packed for a small image, whose output lacks some remainders by the stride, serves a larger one.
  @Test(arguments: [[1, 4], [4, 1], [1, 2, 3]]) func transposedImagesOfSeveralSizes(_ sizes: [Int]) throws {
    var numbers = RandomNumbers(seed: 19)
    var b = GraphBuilder()
    let w = b.constant(try numbers.tensor([8, 8, 4, 4]))
    let attributes: [String: Attribute] = ["strides": .ints([4, 4]), "pads": .ints([1, 1, 1, 1])]
    for size in sizes {
      b.output(
        b.node("ConvTranspose", [b.input("x\(size)", .float32, [1, 8, .symbol("H\(size)"), 3]), w], attributes))
    }
    let inputs = try sizes.map { Value?.some(.tensor(try numbers.tensor([1, 8, $0, 3]))) }
    let (got, expected) = try (b.run(inputs), Session(b.model(optimizes: false)).run(inputs))
    for (a, e) in zip(got, expected) {
      #expect(try Comparison.difference(a, e, Tolerance(relative: 1e-5, absolute: 1e-4)) == nil)
    }
  }

  @Test func outputShapeOfTheTransposedForm() throws {
    let x = try floats([1, 2, 3], [1, 1, 3])
    let w = try floats([1, 1, 1], [1, 1, 3])
    for (rule, expected) in [("SAME_UPPER", [1, 3, 6, 5]), ("NOTSET", [3, 6, 5, 3])] as [(String, [Float])] {
      let y = try OperatorRun.tensor(
        "ConvTranspose", [x, w], ["output_shape": .ints([4]), "auto_pad": .string(rule)])
      #expect(y.elements(Float.self) == expected, "\(rule)")
    }
    let long = try OperatorRun.tensor("ConvTranspose", [x, w], ["output_shape": .ints([1, 1, 7])])
    #expect(long.elements(Float.self) == [1, 3, 6, 5, 3, 0, 0])
  }
}

@Suite struct ConvolutionRefusals {
  @Test func shapes() throws {
    let x = try zeros([1, 4, 5, 5])
    let w = try zeros([6, 4, 3, 3])
    #expect(refusal("Conv", [x, try zeros([6, 3, 3, 3])]) == .invalidModel)
    #expect(refusal("Conv", [x, try zeros([6, 4, 3])]) == .invalidModel)
    #expect(refusal("Conv", [x, w, try zeros([5])]) == .invalidModel)
    #expect(refusal("Conv", [try zeros([4, 5]), try zeros([6, 5])]) == .invalidModel)
    #expect(refusal("Conv", [x, try zeros([5, 2, 3, 3])], ["group": .int(2)]) == .invalidModel)
    #expect(refusal("Conv", [x, try zeros([6, 4, 6, 6])]) == .invalidModel)
    #expect(refusal("Conv", [x, try zeros([6, 4, 0, 3])]) == .invalidModel)
    #expect(refusal("ConvTranspose", [x, try zeros([6, 4, 3, 3])]) == .invalidModel)
    #expect(refusal("ConvTranspose", [x, try zeros([4, 4, 3, 3])], ["pads": .ints([4, 4, 4, 4])]) == .invalidModel)
    #expect(refusal("ConvTranspose", [x, w], ["output_shape": .ints([5])]) == .invalidModel)
    #expect(refusal("DeformConv", [x, w, try zeros([1, 18, 3, 4])]) == .invalidModel)
    #expect(
      refusal("CausalConvWithState", [try zeros([1, 4, 5]), try zeros([4, 2, 3])], outputs: 2) == .invalidModel)
  }

  @Test(
    arguments: [
      ("kernel_shape", [3, 2]), ("kernel_shape", [3]), ("strides", [0, 1]), ("strides", [1]), ("dilations", [-1, 1]),
      ("pads", [1, 1]), ("pads", [-1, 0, 0, 0]), ("strides", [Int.max, 1]), ("pads", [1 << 40, 0, 0, 0]),
    ] as [(String, [Int])])
  func attributes(_ name: String, _ values: [Int]) throws {
    let inputs = try [zeros([1, 4, 5, 5]), zeros([6, 4, 3, 3])]
    #expect(refusal("Conv", inputs, [name: .ints(values)]) == .invalidModel)
  }

  @Test func otherAttributes() throws {
    let inputs = try [zeros([1, 4, 5, 5]), zeros([6, 4, 3, 3])]
    #expect(refusal("Conv", inputs, ["group": .int(0)]) == .invalidModel)
    #expect(refusal("Conv", inputs, ["auto_pad": .string("SAME")]) == .invalidModel)
    #expect(refusal("MaxPool", [inputs[0]]) == .invalidModel)
    #expect(refusal("LpPool", [inputs[0]], ["kernel_shape": .ints([2, 2]), "p": .int(0)]) == .invalidModel)
    #expect(refusal("MaxPool", [inputs[0]], ["kernel_shape": .ints([9, 9])]) == .invalidModel)
  }
}

@Suite struct PoolTests {
  @Test func notANumberIsGreatest() throws {
    let x = try floats([1, .nan, 0, -.infinity, -.infinity, -.infinity], [1, 1, 6])
    let results = try OperatorRun.tensors(
      "MaxPool", [x], ["kernel_shape": .ints([2]), "strides": .ints([2])], outputs: 2)
    let values = results[0].elements(Float.self)
    #expect(values[0].isNaN && values[1] == 0 && values[2] == -.infinity)
    #expect(results[1].integers == [1, 2, 4])
  }

  @Test(arguments: [0, 1]) func indicesInBothOrders(_ order: Int) throws {
    let x = try floats((0..<24).map { Float($0) }, [2, 2, 2, 3])
    let attributes: [String: Attribute] = ["kernel_shape": .ints([2, 2]), "storage_order": .int(order)]
    let indices = try OperatorRun.tensors("MaxPool", [x], attributes, outputs: 2)[1].integers
    let expected = order == 0 ? [4, 5, 10, 11, 16, 17, 22, 23] : [3, 5, 9, 11, 15, 17, 21, 23]
    #expect(indices == expected)
  }

  @Test func smallIntegers() throws {
    let x = try Tensor([-128, -3, -7, -128] as [Int8], shape: [1, 1, 4])
    let y = try OperatorRun.tensor("MaxPool", [x], ["kernel_shape": .ints([2]), "pads": .ints([1, 1])])
    #expect(try y.array(of: Int8.self) == [-128, -3, -3, -7, -128])
  }

  @Test func paddingCountsOnRequest() throws {
    let x = try floats([1, 2, 3], [1, 1, 3])
    let window: [String: Attribute] = ["kernel_shape": .ints([3]), "pads": .ints([1, 1])]
    #expect(try OperatorRun.tensor("AveragePool", [x], window).elements(Float.self) == [1.5, 2, 2.5])
    let counted = window.merging(["count_include_pad": .int(1)]) { $1 }
    #expect(try OperatorRun.tensor("AveragePool", [x], counted).elements(Float.self) == [1, 2, 5 / 3])
  }

  /// The output's size is rounded up, which leaves a window also where the first one is larger than all there is.
  @Test func aWindowThatReachesBeyondTheEnd() throws {
    let x = try floats([1, 2, 3, 4], [1, 1, 2, 2])
    let window: [String: Attribute] = [
      "kernel_shape": .ints([3, 2]), "strides": .ints([2, 2]), "ceil_mode": .int(1),
    ]
    #expect(try OperatorRun.tensor("MaxPool", [x], window).elements(Float.self) == [4])
    #expect(try OperatorRun.tensor("AveragePool", [x], window).elements(Float.self) == [2.5])
    #expect(try OperatorRun.tensor("LpPool", [x], window).elements(Float.self) == [Float(30).squareRoot()])
    let padded = window.merging(["pads": .ints([1, 0, 0, 0]), "kernel_shape": .ints([4, 2])]) { $1 }
    #expect(try OperatorRun.tensor("MaxPool", [x], padded).elements(Float.self) == [4])
    let counted = padded.merging(["count_include_pad": .int(1)]) { $1 }
    #expect(try OperatorRun.tensor("AveragePool", [x], counted).elements(Float.self) == [10.0 / 6])
    // One more, and there is none.
    #expect(refusal("MaxPool", [x], window.merging(["kernel_shape": .ints([4, 2])]) { $1 }) == .invalidModel)
    #expect(refusal("MaxPool", [x], window.merging(["ceil_mode": .int(0)]) { $1 }) == .invalidModel)
  }

  @Test func globalNorms() throws {
    let x = try floats([3, -4, 0, 0, 1, 2, 2, -1], [1, 2, 2, 2])
    for (p, expected) in [(1, [7, 6]), (2, [5, 10.0.squareRoot()]), (3, [4.497941, 2.6207414])] as [(Int, [Double])] {
      let y = try OperatorRun.tensor("GlobalLpPool", [x], ["p": .int(p)]).elements(Float.self)
      #expect(zip(y, expected).allSatisfy { (Double($0) - $1).magnitude < 1e-5 }, "\(p)")
    }
  }

  @Test func emptyImages() throws {
    let attributes: [String: Attribute] = ["kernel_shape": .ints([2, 2])]
    for op in ["MaxPool", "AveragePool", "LpPool"] {
      #expect(try OperatorRun.tensor(op, [zeros([0, 3, 4, 4])], attributes).shape == [0, 3, 3, 3])
      #expect(try OperatorRun.tensor(op, [zeros([2, 0, 4, 4])], attributes).shape == [2, 0, 3, 3])
    }
    #expect(
      try OperatorRun.tensor("GlobalMaxPool", [zeros([2, 1, 0])]).elements(Float.self) == [-.infinity, -.infinity])
  }

  @Test(arguments: [9, -1, Int.max]) func unpoolingChecksIndices(_ index: Int) throws {
    let inputs = try [floats([5, 6], [1, 1, 2]), Tensor(int64: [1, index], shape: [1, 1, 2])]
    let attributes: [String: Attribute] = ["kernel_shape": .ints([2]), "strides": .ints([2])]
    #expect(refusal("MaxUnpool", inputs, attributes) == .invalidInput)
  }

  @Test func unfoldedColumnsAddUp() throws {
    let shapes = try [Tensor(int64: [1, 3]), Tensor(int64: [1, 2])]
    let columns = try Tensor([1, 2, 10, 20] as [Int32], shape: [1, 2, 2])
    #expect(try OperatorRun.tensor("Col2Im", [columns] + shapes).array(of: Int32.self) == [1, 12, 20])
    let flags = try Tensor([true, false, false, false], shape: [1, 2, 2])
    #expect(try OperatorRun.tensor("Col2Im", [flags] + shapes).array(of: Bool.self) == [true, false, false])
    #expect(refusal("Col2Im", [columns, shapes[0], try Tensor(int64: [1, 3])]) == .invalidModel)
  }
}

@Suite struct QuantizedConvolutionTests {
  @Test func saturatesAndRoundsHalvesToEven() throws {
    let x = try Tensor([1, 3, 200, 5] as [UInt8], shape: [1, 1, 4])
    let scalar = { (value: Float) in try Tensor(scalar: value) }
    func run(_ scale: Float) throws -> [UInt8] {
      try OperatorRun.tensor(
        "QLinearConv",
        [
          x, scalar(1), Tensor(scalar: UInt8(0)), Tensor([2] as [Int8], shape: [1, 1, 1]), Tensor([scale], shape: [1]),
          Tensor([0] as [Int8], shape: [1]), scalar(1), Tensor(scalar: UInt8(1)), Tensor([1] as [Int32], shape: [1]),
        ]
      ).array(of: UInt8.self)
    }
    #expect(try run(0.5) == [3, 5, 201, 7])
    #expect(try run(10) == [31, 71, 255, 111])
    #expect(try run(.nan) == [0, 0, 0, 0])
  }

  /// Beside the same convolution of float64, which is exact for such numbers.
  @Test(arguments: [
    ([1, 3, 9, 11], [5, 3, 3, 3], 1, [1, 1, 1, 1], [1, 1]), ([2, 4, 7, 5], [6, 2, 2, 3], 2, [0, 1, 1, 0], [2, 1]),
    ([1, 6, 20, 20], [6, 1, 3, 3], 6, [1, 1, 1, 1], [2, 2]),
    ([1, 16, 33, 1], [7, 16, 1, 1], 1, [0, 0, 0, 0], [1, 1]),
  ])
  func matchesFloats(_ x: [Int], _ w: [Int], _ group: Int, _ pads: [Int], _ strides: [Int]) throws {
    var numbers = RandomNumbers(seed: 6)
    let image = try Tensor((0..<x.product).map { _ in UInt8(128 + Int(numbers.next() * 127)) }, shape: x)
    let weights = try Tensor((0..<w.product).map { _ in Int8(Int(numbers.next() * 127)) }, shape: w)
    let attributes: [String: Attribute] = ["group": .int(group), "pads": .ints(pads), "strides": .ints(strides)]
    let got = try OperatorRun.tensor("ConvInteger", [image, weights, Tensor(scalar: UInt8(120))], attributes)
    let centred = try Tensor(image.array(of: UInt8.self).map { Double($0) - 120 }, shape: x)
    let wide = try Tensor(weights.array(of: Int8.self).map(Double.init), shape: w)
    let expected = try OperatorRun.tensor("Conv", [centred, wide], attributes)
    #expect(got.shape == expected.shape)
    #expect(try got.array(of: Int32.self).map(Double.init) == expected.array())
  }

  /// Differences of bytes that need nine bits, constant and not.
  @Test(arguments: [1, 3]) func wideWeights(_ group: Int) throws {
    let x = try Tensor([1, 2, 3] as [UInt8], shape: [1, 3, 1])
    for (values, zero, factor) in [([0, 255], 0, 255), ([0, 255], 255, -255), ([1, 255], 1, 254)] {
      let w = try Tensor(
        Array(repeating: UInt8(values[factor < 0 ? 0 : 1]), count: 3),
        shape: group == 1 ? [1, 3, 1] : [3, 1, 1])
      let expected = group == 1 ? [6 * factor] : [factor, 2 * factor, 3 * factor]
      for constants: Set<Int> in [[], [1, 3]] {
        let y = try OperatorRun.tensor(
          "ConvInteger", [x, w, Tensor(scalar: UInt8(0)), Tensor(scalar: UInt8(zero))], ["group": .int(group)],
          constants: constants)
        #expect(try y.array(of: Int32.self) == expected.map { Int32($0) })
      }
    }
  }

  /// More taps of a channel than a kernel keeps places for.
  @Test(arguments: [[1, 4096], [32, 32], [1, 1021], [70, 3]]) func hugeDepthwiseWindows(_ kernel: [Int]) throws {
    let taps = kernel.product, channels = 5
    let size = [1, channels, kernel[0], kernel[1] + 1]
    let x = try Tensor((0..<size.product).map { UInt8($0 * 7 % 251) }, shape: size)
    let w = try Tensor((0..<channels * taps).map { Int8($0 * 5 % 255 - 127) }, shape: [channels, 1] + kernel)
    let y = try OperatorRun.tensor("ConvInteger", [x, w], ["group": .int(channels)], constants: [1])
    let (from, factors) = (try x.array(of: UInt8.self), try w.array(of: Int8.self))
    var expected: [Int32] = []
    for channel in 0..<channels {
      for column in 0..<2 {
        expected.append(
          (0..<taps).reduce(0) { sum, tap in
            let place = (channel * kernel[0] + tap / kernel[1]) * (kernel[1] + 1) + tap % kernel[1] + column
            return sum + Int32(from[place]) * Int32(factors[channel * taps + tap])
          })
      }
    }
    #expect(try y.array(of: Int32.self) == expected)
  }

  /// Nodes that share weights and pack them differently.
  @Test func weightsOfTwoStrides() throws {
    let w = try Tensor((0..<16 * 9).map { Int8($0 * 5 % 255 - 127) }, shape: [16, 1, 3, 3])
    let x = try Tensor((0..<16 * 49).map { UInt8($0 * 7 % 251) }, shape: [1, 16, 7, 7])
    for strides in [[1, 2], [2, 1]] {
      var b = GraphBuilder()
      let (image, weights) = (b.input("x", .uint8, [1, 16, 7, 7]), b.constant(w))
      for stride in strides {
        b.output(b.node("ConvInteger", [image, weights], ["group": .int(16), "strides": .ints([stride, stride])]))
      }
      let got = try Session(b.model(), options: SessionOptions(threads: 1)).run([.tensor(x)])
      for (value, stride) in zip(got, strides) {
        let attributes: [String: Attribute] = ["group": .int(16), "strides": .ints([stride, stride])]
        let alone = try OperatorRun.tensor("ConvInteger", [x, w], attributes)
        #expect(try value.tensor?.array(of: Int32.self) == alone.array(of: Int32.self))
      }
    }
  }

  @Test func constantWeightsWithoutAZeroPoint() throws {
    let x = try Tensor([1, 2] as [UInt8], shape: [1, 1, 2])
    let numbers: [Int] = Array(0..<40)
    let unsigned = try Tensor(numbers.map { UInt8(200 + $0) }, shape: [40, 1, 1])
    let signed = try Tensor(numbers.map { Int8($0 - 20) }, shape: [40, 1, 1])
    func doubles(from first: Int) -> [Int32] {
      numbers.flatMap { number -> [Int32] in [Int32(number + first), Int32(2 * (number + first))] }
    }
    for constants: Set<Int> in [[], [1]] {
      let y = try OperatorRun.tensor("ConvInteger", [x, unsigned], constants: constants)
      #expect(try y.array(of: Int32.self) == doubles(from: 200))
      let z = try OperatorRun.tensor("ConvInteger", [x, signed], constants: constants)
      #expect(try z.array(of: Int32.self) == doubles(from: -20))
    }
  }

  /// Padding beside which the image is nothing, whose size would overflow.
  @Test func windowsThatNoMachineHolds() throws {
    let attributes: [String: Attribute] = [
      "auto_pad": .string("SAME_UPPER"), "dilations": .ints([16_000_000, 16_000_000]),
      "kernel_shape": .ints([513, 129]),
    ]
    let bytes = try Tensor([UInt8](repeating: 1, count: 4), shape: [1, 1, 2, 2])
    let weights = try Tensor([Int8](repeating: 1, count: 513 * 129), shape: [1, 1, 513, 129])
    #expect(throws: DLRTError.self) { try OperatorRun.tensor("ConvInteger", [bytes, weights], attributes) }
    let floats = try Tensor([1, 2, 3, 4] as [Float], shape: [1, 1, 2, 2])
    let wide = try Tensor([Float](repeating: 1, count: 513 * 129), shape: [1, 1, 513, 129])
    // Read in place, all taps but the middle one meet padding.
    let y = try OperatorRun.tensor("Conv", [floats, wide], attributes)
    #expect(try y.array(of: Float.self) == [1, 2, 3, 4])
  }

  @Test func zeroPointsOfEachChannel() throws {
    let x = try Tensor([10, 12] as [UInt8], shape: [1, 1, 2])
    let w = try Tensor([5, 7] as [UInt8], shape: [2, 1, 1])
    let y = try OperatorRun.tensor(
      "ConvInteger", [x, w, Tensor(scalar: UInt8(11)), Tensor([4, 8] as [UInt8], shape: [2])], ["pads": .ints([1, 0])])
    #expect(try y.array(of: Int32.self) == [0, -1, 1, 0, 1, -1])
    #expect(refusal("ConvInteger", [x, w, nil, try Tensor([1, 2, 3] as [UInt8], shape: [3])]) == .invalidModel)
  }
}
