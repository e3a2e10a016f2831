import DLRTGraph
import DLRTOperators
import DLRTTestSupport
import Testing

@testable import DLRT

/// Products large enough to be made in pairs, where the machine has them, in whole models.
@Suite struct PairedProductTests {
  enum Kind: CaseIterable, Sendable {
    case matMul, batch, broadcast, transposed, halfWeights, pointwise, strided, depthwiseBlock

    /// The input's shape; its first axis is the batch.
    var shape: [Int] {
      switch self {
      case .matMul, .transposed, .halfWeights: [70, 256]
      case .batch: [3, 40, 128]
      case .broadcast: [2, 3, 40, 128]
      case .pointwise, .strided: [3, 128, 9, 11]
      case .depthwiseBlock: [3, 128, 20, 18]
      }
    }

    func add(_ b: inout GraphBuilder, _ x: ValueID, _ type: DataType) throws -> ValueID {
      var random = SeededRandom(7)
      func weight(_ shape: [Int]) throws -> ValueID {
        let values = random.floats(shape.product).map { $0 / 8 }
        return b.constant(
          type == .float64 ? try Tensor(values.map(Double.init), shape: shape) : try Tensor(values, shape: shape))
      }
      func conv(_ x: ValueID, _ shape: [Int], group: Int = 1, pads: Int = 0, stride: Int = 1) throws -> ValueID {
        try b.node(
          "Conv", [x, weight(shape), weight([shape[0]])],
          ["group": .int(group), "pads": .ints([pads, pads, pads, pads]), "strides": .ints([stride, stride])])
      }
      switch self {
      case .matMul:
        return b.node("Tanh", [b.node("Add", [b.node("MatMul", [x, try weight([256, 500])]), try weight([500])])])
      case .halfWeights:
        let half = b.node("Cast", [try weight([256, 500])], ["to": .int(10)])
        let wide = b.node("Cast", [half], ["to": .int(type == .float64 ? 11 : 1)])
        return b.node("MatMul", [x, wide])
      case .batch: return b.node("MatMul", [x, try weight([3, 128, 300])])
      case .broadcast: return b.node("MatMul", [x, try weight([3, 128, 300])])
      case .transposed:
        return b.node(
          "Gemm", [x, try weight([500, 256]), try weight([500])], ["transB": .int(1), "alpha": .float(0.5)])
      case .pointwise: return b.node("Relu", [try conv(x, [300, 128, 1, 1])])
      case .strided: return try conv(x, [300, 128, 1, 1], stride: 2)
      case .depthwiseBlock:
        let wide = b.node("Relu", [try conv(x, [512, 128, 1, 1])])
        let middle = b.node("Relu", [try conv(wide, [512, 1, 3, 3], group: 512, pads: 1)])
        return b.node("Add", [try conv(middle, [128, 512, 1, 1]), x])
      }
    }

    func model(_ type: DataType = .float32, optimizes: Bool = true) throws -> Model {
      var builder = GraphBuilder()
      let x = builder.input("x", type, Shape([.symbol("N")] + shape.dropFirst().map { .known($0) }))
      let active = self == .depthwiseBlock || self == .pointwise ? builder.node("Abs", [x]) : x
      let y = try add(&builder, active, type)
      builder.output(self == .depthwiseBlock ? builder.node("Abs", [y]) : y)
      return try builder.model(optimizes: optimizes)
    }
  }

  private func run(_ model: Model, _ x: Tensor, threads: Int = 1) throws -> Tensor {
    try #require(Session(model, options: SessionOptions(threads: threads)).run([.tensor(x)])[0].tensor)
  }

  @Test(arguments: Kind.allCases)
  func agreesWithFloat64(_ kind: Kind) throws {
    var random = SeededRandom(1)
    let x = try Tensor(random.floats(kind.shape.product), shape: kind.shape)
    let model = try kind.model()
    let alone = try run(model, x)
    #expect(try alone.isNear(run(kind.model(.float64, optimizes: false), x.widened)))
    for threads in [2, 3] { #expect(try bits(.tensor(run(model, x, threads: threads))) == bits(.tensor(alone))) }
    #expect(try alone.isNear(run(kind.model(optimizes: false), x)))
  }

  /// Whatever a part of a batch holds is not seen in the others.
  @Test(arguments: Kind.allCases)
  func infinityStaysWhereItIs(_ kind: Kind) throws {
    var random = SeededRandom(2)
    var values = random.floats(kind.shape.product)
    let model = try kind.model()
    let before = try run(model, Tensor(values, shape: kind.shape)).array(of: Float.self)
    // In an even column, which windows of stride 2 read.
    values[4] = .infinity
    let image = before.count / kind.shape[0]
    for threads in [1, 2] {
      let after = try run(model, Tensor(values, shape: kind.shape), threads: threads).array(of: Float.self)
      #expect(after[image...].map(\.bitPattern) == before[image...].map(\.bitPattern))
      #expect(zip(after[..<image], before).contains { $0.bitPattern != $1.bitPattern })
    }
  }

  /// One weight, packed for pairs and plain: for many rows, for a few, and for both in one run.
  @Test func oneWeightServesAllSizes() throws {
    var random = SeededRandom(3)
    let weights = try Tensor(random.floats(256 * 500), shape: [256, 500])
    var builder = GraphBuilder()
    let (x, y) = (
      builder.input("x", .float32, [.symbol("N"), 256]), builder.input("y", .float32, [.symbol("M"), 256])
    )
    let w = builder.constant(weights)
    builder.output(builder.node("MatMul", [x, w]), builder.node("MatMul", [y, w]))
    let model = try builder.model()
    let session = try Session(model, options: SessionOptions(threads: 2))
    var seen: [Int: [UInt32]] = [:]
    for (n, m) in [(64, 3), (3, 64), (64, 64), (5, 3), (64, 3)] {
      let inputs = try [n, m].map { rows in
        var random = SeededRandom(UInt64(rows))
        return try Tensor(random.floats(rows * 256), shape: [rows, 256])
      }
      let plan = try session.plan(shapes: inputs.map(\.shape))
      for (rows, step) in zip([n, m], plan.steps.filter { $0.operatorName.contains("MatMul") }) {
        #expect(step.kernel.contains("pairs") == (rows == 64 && KernelSet.active.pairsProducts), "\(step.kernel)")
      }
      let outputs = try session.run(inputs.map { .tensor($0) })
      for (input, output) in zip(inputs, outputs) {
        let got = try #require(output.tensor)
        #expect(try got.isNear(OperatorRun.tensor("MatMul", [input.widened, weights.widened])))
        let pattern = try got.array(of: Float.self).map(\.bitPattern)
        #expect(seen[input.shape[0], default: pattern] == pattern)
        seen[input.shape[0]] = pattern
      }
    }
  }

  /// Every thread has room for rows of its own.
  @Test func workspaceIsThereForEveryThread() throws {
    let model = try Kind.matMul.model()
    func workspace(_ threads: Int) throws -> Int {
      try Session(model, options: SessionOptions(threads: threads)).plan(shapes: [[400, 256]]).steps
        .map(\.workspace).reduce(0, +)
    }
    #expect(try workspace(6) == 3 * workspace(2))
    #expect(try (workspace(1) > 0) == KernelSet.active.pairsProducts)
  }
}
