import CAllocationProbe
import DLRTCompiler
import DLRTGraph
import DLRTTestSupport
import Testing

@testable import DLRT

/// Shapes that inputs' sizes or contents decide, and the plans that are kept for them.
@Suite struct DynamicShapeTests {
  /// The elements of x that are not zero.
  private func nonZeros() throws -> GraphBuilder {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [.symbol("N")])
    let indices = builder.node("NonZero", [x])
    let flat = builder.node("Reshape", [indices, builder.constant(try Tensor(int64: [-1]))])
    builder.output(builder.node("Neg", [builder.node("Gather", [x, flat])]), indices)
    return builder
  }

  @Test func dataMayDecideSizes() throws {
    let builder = try nonZeros()
    #expect(try builder.runAll([floats([0, 3, 0, 4])])[0].floats() == [-3, -4])
    #expect(try builder.runAll([floats([0, 0])])[0].shape() == [0])
    #expect(try builder.runAll([floats([1, 2, 3])]).map { try $0.shape() } == [[3], [1, 3]])
  }

  @Test func stagesAreKept() throws {
    let session = try nonZeros().session()
    for values in [[0, 3, 0, 4], [5, 0, 6, 0], [1, 1, 1, 0], [2, 2, 0, 2], [0, 0, 0, 0]] as [[Float]] {
      let kept = values.filter { $0 != 0 }
      #expect(try session.run([floats(values)])[0].floats() == kept.map(-))
    }
    let first = try #require(session.executor.preparedStages.first)
    #expect(session.executor.preparedStages.count == 1)
    #expect(first.next.stages.count == 3, "one for each number of elements that are not zero")
  }

  /// x reshaped to a shape that is given at run time.
  private func reshape() -> GraphBuilder {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [6])
    let shape = builder.input("shape", .int64, [.symbol("R")])
    let y = builder.node("Reshape", [builder.node("Neg", [x]), shape], name: "view")
    builder.output(builder.node("Transpose", [y]))
    return builder
  }

  @Test func inputsMayHoldShapes() throws {
    let builder = reshape()
    let x = try floats([1, 2, 3, 4, 5, 6])
    #expect(try builder.runAll([x, int64s([2, 3])])[0].floats() == [-1, -4, -2, -5, -3, -6])
    #expect(try builder.runAll([x, int64s([3, -1])])[0].shape() == [2, 3])
    #expect(try builder.runAll([x, int64s([6])])[0].shape() == [6])
    let session = try builder.session()
    for _ in 0..<3 {
      #expect(try session.run([x, int64s([2, 3])])[0].shape() == [3, 2])
      #expect(try session.run([x, int64s([3, 2])])[0].shape() == [2, 3])
    }
    #expect(session.executor.preparedStages.count == 1)
    #expect(session.executor.preparedStages[0].next.stages.count == 2)
    #expect(try session.plan(shapes: [[6], [2]]).waitingNodes == 2)
  }

  @Test func shapesThatDoNotFitAreRefusedWhereTheyAreUsed() throws {
    let session = try reshape().session()
    for shape in [[4], [2, 4], [-1, -1], [-2, 3], [Int64.max, 2], [1 << 32, 1 << 32]] as [[Int64]] {
      do {
        _ = try session.run([floats([1, 2, 3, 4, 5, 6]), int64s(shape)])
        Issue.record("\(shape) was taken")
      } catch let error as DLRTError {
        #expect(error.node == "view" && error.operatorName == "Reshape", "\(error)")
      }
    }
    #expect(try session.run([floats([1, 2, 3, 4, 5, 6]), int64s([6])])[0].shape() == [6])
  }

  @Test func sizesThatOverflowAreRefused() throws {
    var builder = GraphBuilder()
    let shape = builder.input("shape", .int64, [.symbol("R")])
    builder.output(builder.node("ConstantOfShape", [shape], name: "huge"))
    let session = try builder.session()
    for sizes in [[1 << 62], [1 << 32, 1 << 32], [1 << 40], [3, 1 << 61]] as [[Int64]] {
      expectError(.limitExceeded, "huge", "ConstantOfShape") { _ = try session.run([int64s(sizes)]) }
    }
    #expect(throws: DLRTError.self) { try session.run([int64s([-1])]) }
    #expect(try session.run([int64s([2, 0])])[0].shape() == [2, 0])
  }

  /// Elementwise, products, views and a stage that depends on data.
  private func mixture() throws -> GraphBuilder {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [.symbol("N"), 4])
    let w = builder.constant(try Tensor((0..<12).map { Float($0) }, shape: [4, 3]))
    let half = builder.node("Cast", [builder.node("MatMul", [x, w])], ["to": .int(10)])
    // What planning computes is packed like a weight.
    let sizes = builder.node("Cast", [builder.node("Shape", [x])], ["to": .int(10)])
    let scaled = builder.node("Mul", [half, builder.node("ReduceMax", [sizes], ["keepdims": .int(0)])])
    let flat = builder.node("Reshape", [scaled, builder.constant(try Tensor(int64: [-1]))])
    let indices = builder.node("NonZero", [flat])
    builder.output(builder.node("GatherND", [flat, builder.node("Transpose", [indices])]))
    return builder
  }

  @Test func tenThousandShapesLeaveMemoryFlat() throws {
    guard dlp_is_active() else { return }
    let session = try mixture().session()
    var random = SeededRandom(7)
    var live: [Int64] = []
    var packed: Set<Int> = []
    for round in 0..<10_000 {
      let rows = Int.random(in: 1...5000, using: &random)
      let input = Tensor(.float32, [rows, 4], try TensorStorage(byteCount: rows * 16, zeroed: true))
      _ = try session.run([.tensor(input)])
      if round >= 1000, round % 500 == 0 {
        live.append(dlp_live_bytes())
        packed.insert(session.model.weights.byteCount)
      }
    }
    #expect(session.executor.preparedStages.count <= 8)
    #expect(packed.count == 1, "plans left packed tensors behind: \(packed)")
    let growth = try #require(live.last) - live[0]
    #expect(growth < 200_000, "\(growth) bytes more after 9,000 shapes: \(live)")
  }

  @Test func memoryStaysAtTheLargestPlan() throws {
    let session = try mixture().session()
    for rows in [10, 3000, 10, 20, 3000, 5] {
      _ = try session.run([floats([Float](repeating: 1, count: rows * 4), [rows, 4])])
    }
    let blocks = session.core.arenas.byteCounts
    #expect(blocks.count <= 3)
    session.trim()
    #expect(session.core.arenas.byteCounts.isEmpty)
    #expect(try session.run([floats([1, 1, 1, 1], [1, 4])])[0].shape() == [3])
  }
}
