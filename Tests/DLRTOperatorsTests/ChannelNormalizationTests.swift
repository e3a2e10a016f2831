import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

private func floats(_ values: [Float], _ shape: [Int]) throws -> Tensor { try Tensor(values, shape: shape) }

private func refusal(_ op: String, _ inputs: [Tensor?], _ attributes: [String: Attribute] = [:], outputs: Int = 1)
  -> DLRTError.Code?
{
  do {
    _ = try OperatorRun.tensors(op, inputs, attributes, outputs: outputs)
    return nil
  } catch { return (error as? DLRTError)?.code }
}

private func isNear(_ a: [Float], _ b: [Float]) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { ($0 - $1).magnitude < 1e-4 }
}

@Suite struct ChannelNormalizationTests {
  @Test func trainingMovesTheStatistics() throws {
    let x = try floats([1, 3, 10, 14, 5, 7, 18, 22], [2, 2, 2])
    let results = try OperatorRun.tensors(
      "BatchNormalization",
      [x, floats([1, 2], [2]), floats([0, 1], [2]), floats([0, 0], [2]), floats([1, 1], [2])],
      ["training_mode": .int(1), "momentum": .float(0.5), "epsilon": .float(0)], outputs: 3)
    let root = Float(5).squareRoot()
    let root2 = Float(20).squareRoot()
    #expect(
      isNear(
        results[0].elements(Float.self),
        [-3 / root, -1 / root, 1 - 12 / root2, 1 - 4 / root2, 1 / root, 3 / root, 1 + 4 / root2, 1 + 12 / root2]))
    #expect(isNear(results[1].elements(Float.self), [2, 8]))
    #expect(isNear(results[2].elements(Float.self), [3, 10.5]))
  }

  @Test(arguments: [[2, 2], [1, 2, 2]], [true, false])
  func statisticsOfEachActivation(_ shape: [Int], _ optimizes: Bool) throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, Shape([Dim.symbol("N")] + shape.dropFirst().map(Dim.known)))
    let own = Array(shape.dropFirst())
    func parameter(_ values: [Float]) throws -> ValueID {
      builder.constant(try floats(Array(values.prefix(own.reduce(1, *))), own))
    }
    let inputs = try [
      x, parameter([1, 2, 3, 4]), parameter([0, 1, 0, 1]), parameter([1, 2, 3, 4]), parameter([0.25, 1, 4, 16]),
    ]
    let y = try builder.imported(
      "BatchNormalization", version: 7, inputs, ["spatial": .int(0), "epsilon": .float(0)])
    builder.output(y[0])
    let session = try Session(builder.model(optimizes: optimizes), options: SessionOptions(threads: 1))
    let made = try session.run([.tensor(floats([2, 4, 5, 12], shape))])
    let expected: [Float] = shape.count == 2 ? [2, 5, 8, 21] : [2, 5, 3, 9]
    #expect(isNear(try #require(made[0].tensor).elements(Float.self), expected))
  }

  @Test func statisticsOfEachActivationHaveItsShape() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [2, 3, 5])
    let parameters = try (0..<4).map { _ in builder.constant(try floats([1, 2, 3, 4, 5], [5])) }
    #expect(throws: DLRTError.self) {
      try builder.imported("BatchNormalization", version: 7, [x] + parameters, ["spatial": .int(0)])
    }
  }

  @Test func statisticsOfAnotherType() throws {
    let x = try Tensor([1, 2] as [Float16], shape: [1, 2])
    let y = try OperatorRun.tensor(
      "BatchNormalization",
      [
        x, floats([2, 2], [2]), floats([1, 1], [2]), Tensor([1, 1] as [Double], shape: [2]),
        Tensor([4, 4] as [Double], shape: [2]),
      ], ["epsilon": .float(0)])
    #expect(try y.array(of: Float16.self) == [1, 2])
  }

  @Test func largeMeansKeepTheVariance() throws {
    let x = try floats([10_000, 10_001, 10_002, 10_003], [1, 1, 4])
    let y = try OperatorRun.tensor("InstanceNormalization", [x, floats([1], [1]), floats([0], [1])])
    #expect(isNear(y.elements(Float.self), [-1.34164, -0.44721, 0.44721, 1.34164]))
  }

  @Test func parametersOfGroups() throws {
    let x = try floats([0, 2, 4, 6], [1, 4, 1])
    let inputs = try [x, floats([1, 10], [2]), floats([0, 100], [2])]
    let y = try OperatorRun.tensor(
      "GroupNormalization", inputs, ["num_groups": .int(2), "epsilon": .float(0), "parameters_per_group": .int(1)])
    #expect(isNear(y.elements(Float.self), [-1, 1, 90, 110]))
    #expect(refusal("GroupNormalization", inputs, ["num_groups": .int(2)]) == .invalidModel)
    #expect(refusal("GroupNormalization", inputs, ["num_groups": .int(3)]) == .invalidModel)
    #expect(refusal("GroupNormalization", inputs, ["num_groups": .int(0)]) == .invalidModel)
  }

  @Test func windowsLargerThanTheChannels() throws {
    let x = try floats([1, 2], [1, 2, 1])
    let y = try OperatorRun.tensor(
      "LRN", [x], ["size": .int(1 << 30), "alpha": .float(Float(1 << 30)), "beta": .float(1), "bias": .float(0)])
    #expect(isNear(y.elements(Float.self), [0.2, 0.4]))
    #expect(refusal("LRN", [x], ["size": .int(0)]) == .invalidModel)
  }

  @Test func zerosStayZero() throws {
    let x = try floats([0, 0, 3, -4], [2, 2])
    #expect(isNear(try OperatorRun.tensor("LpNormalization", [x]).elements(Float.self), [0, 0, 0.6, -0.8]))
    #expect(
      isNear(
        try OperatorRun.tensor("LpNormalization", [x], ["p": .int(1), "axis": .int(-2)]).elements(Float.self),
        [0, 0, 1, -1]))
    #expect(refusal("LpNormalization", [x], ["axis": .int(2)]) == .invalidModel)
  }

  @Test func meansOverAnyAxes() throws {
    let x = try floats([1, 5, 3, 9], [2, 2])
    let y = try OperatorRun.tensor("MeanVarianceNormalization", [x], ["axes": .ints([-2])])
    #expect(isNear(y.elements(Float.self), [-1, -1, 1, 1]))
    #expect(refusal("MeanVarianceNormalization", [x]) == .invalidModel)
  }

  @Test func shapes() throws {
    let x = try Tensor(zeros: [1, 3, 2], type: .float32)
    let (three, two) = (try Tensor(zeros: [3], type: .float32), try Tensor(zeros: [2], type: .float32))
    #expect(refusal("BatchNormalization", [x, three, three, three, two]) == .invalidModel)
    #expect(refusal("BatchNormalization", [x, three, three, three, three], outputs: 3) == .invalidModel)
    #expect(refusal("InstanceNormalization", [x, two, three]) == .invalidModel)
    let empty = try Tensor(zeros: [0, 3, 2], type: .float32)
    #expect(try OperatorRun.tensor("InstanceNormalization", [empty, three, three]).shape == [0, 3, 2])
  }
}
