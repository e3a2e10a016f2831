import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

@testable import DLRTFiles

/// Several changes of the order of axes that become one, or none.
@Suite struct SimplifyTransposesTests: PassChecks {
  private func transposed(_ b: inout GraphBuilder, _ x: ValueID, _ order: [Int]) -> ValueID {
    b.node("Transpose", [x], ["perm": .ints(order)])
  }

  private func reshaped(_ b: inout GraphBuilder, _ x: ValueID, _ sizes: [Int64]) throws -> ValueID {
    b.node("Reshape", [x, b.constant(try Tensor(sizes, shape: [sizes.count]))])
  }

  private func integers(_ b: inout GraphBuilder, _ values: Int64...) throws -> ValueID {
    b.constant(try Tensor(values, shape: [values.count]))
  }

  /// A size of a value as a list of one number.
  private func size(_ b: inout GraphBuilder, _ x: ValueID, _ axis: Int64) throws -> ValueID {
    b.node("Gather", [b.node("Shape", [x]), try integers(&b, axis)])
  }

  /// Weights so small that no softmax is ill-conditioned.
  private func weights(_ shape: [Int], seed: Int) throws -> Tensor {
    try Tensor(input(shape, seed: seed).array(of: Float.self).map { $0 / 20 }, shape: shape)
  }

  /// PyTorch's attention, in which the batch is the second axis, between values in which it is the first.
  private func attention(positions: Int, heads: Int, size: Int) throws -> GraphBuilder {
    let (l, h, d) = (Int64(positions), Int64(heads), Int64(size)), e = h * d
    var b = GraphBuilder()
    let x = b.input("x", .float32, [.symbol("N"), .known(positions), .known(heads * size)])
    let first = transposed(&b, x, [1, 0, 2])
    let batch = try self.size(&b, first, 1)
    let matrix = b.constant(try weights([heads * size, 3 * heads * size], seed: 3))
    let product = b.node(
      "Add", [b.constant(try weights([3 * heads * size], seed: 4)), b.node("MatMul", [first, matrix])])
    let wide = b.node(
      "Concat", [try integers(&b, l), batch, try integers(&b, 3, e)], ["axis": .int(0)])
    let cut = b.node("Unsqueeze", [b.node("Reshape", [product, wide]), try integers(&b, 0)])
    let three = b.node("Squeeze", [transposed(&b, cut, [3, 1, 2, 0, 4]), try integers(&b, -2)])
    let joined = b.node(
      "Concat", [try integers(&b, l), b.node("Mul", [batch, try integers(&b, h)]), try integers(&b, d)],
      ["axis": .int(0)])
    let split = b.node("Concat", [batch, try integers(&b, h, l, d)], ["axis": .int(0)])
    let parts = try (0..<3).map { index in
      let part = b.node("Gather", [three, b.constant(try Tensor(scalar: Int64(index) - 3))])
      return b.node("Reshape", [transposed(&b, b.node("Reshape", [part, joined]), [1, 0, 2]), split])
    }
    let scores = b.node("MatMul", [parts[0], transposed(&b, parts[1], [0, 1, 3, 2])])
    let weighted = b.node("MatMul", [b.node("Softmax", [scores], ["axis": .int(-1)]), parts[2]])
    let rows = b.node("Mul", [batch, try integers(&b, l)])
    let flat = b.node("Concat", [rows, try integers(&b, e)], ["axis": .int(0)])
    let last = b.node(
      "Gemm",
      [
        b.node("Reshape", [transposed(&b, weighted, [2, 0, 1, 3]), flat]),
        b.constant(try weights([heads * size, heads * size], seed: 5)),
        b.constant(try weights([heads * size], seed: 6)),
      ], ["transB": .int(1)])
    let deep = b.node("Concat", [try integers(&b, l), batch, try integers(&b, e)], ["axis": .int(0)])
    b.output(b.node("Add", [transposed(&b, b.node("Reshape", [last, deep]), [1, 0, 2]), x]))
    return b
  }

  @Test(arguments: [1, 3, 8]) func attentionWithTheBatchBehind(batch: Int) throws {
    let b = try attention(positions: 7, heads: 3, size: 4)
    try check(
      b, [try input([batch, 7, 12])],
      leaves: ["ai.dlrt::FusedMatMul": 2, "Attention": 1, "Gather": 3, "Reshape": 1])
    #expect(try b.model().graphDescription.contains("Transpose(") == false)
  }

  @Test func attentionOfNoBatch() throws {
    let b = try attention(positions: 7, heads: 3, size: 4)
    let result = try b.run([.tensor(try Tensor([Float](), shape: [0, 7, 12]))])
    #expect(result[0].tensor?.shape == [0, 7, 12])
  }

  /// Axes joined, split and exchanged at random, of which a run knows one, or none.
  @Test(arguments: 0..<60) func randomChains(seed: Int) throws {
    var random = SplitMix(state: UInt64(seed) * 7919 + 1)
    func pick(_ range: Range<Int>) -> Int { Int.random(in: range, using: &random) }
    var b = GraphBuilder()
    let batches = [1, 2, 5]
    // By batch; the symbol's axis differs.
    var shapes = batches.map { [$0, 4, 6, 1, 10] }
    let isKnown = seed % 3 == 0
    let x = b.input("x", .float32, isKnown ? [5, 4, 6, 1, 10] : [.symbol("N"), 4, 6, 1, 10])
    var value = x, middle = x
    let count = 3 + pick(0..<6)
    for step in 0..<count {
      let rank = shapes[0].count
      var groups = (0..<rank).map { [$0] }
      var wide: [Int]? = nil
      switch pick(0..<5) {
      case 0, 1:
        let order = (0..<rank).shuffled(using: &random)
        value = transposed(&b, value, order)
        shapes = shapes.map { shape in order.map { shape[$0] } }
        middle = step == count / 2 ? value : middle
        continue
      case 2 where rank > 2:
        let at = pick(0..<rank - 1)
        groups[at] += groups.remove(at: at + 1)
      case 3:
        let axis = pick(0..<rank), factor = 2
        guard shapes.allSatisfy({ $0[axis] == shapes[0][axis] && $0[axis] % factor == 0 }) else { continue }
        wide = [axis, factor]
      default:
        if pick(0..<2) == 0 {
          let axis = pick(0..<rank + 1)
          value = b.node("Unsqueeze", [value, try integers(&b, Int64(axis))])
          for index in shapes.indices { shapes[index].insert(1, at: axis) }
          continue
        }
        let axes = (0..<rank).filter { axis in shapes.allSatisfy { $0[axis] == 1 } }
        guard let axis = axes.first else { continue }
        value = b.node("Squeeze", [value, try integers(&b, Int64(axis) - Int64(rank))])
        for index in shapes.indices { shapes[index].remove(at: axis) }
        continue
      }
      shapes = shapes.map { shape in
        var sizes = groups.map { $0.reduce(1) { $1 >= 0 ? $0 * shape[$1] : $0 } }
        if let wide { sizes.replaceSubrange(wide[0]...wide[0], with: [wide[1], sizes[wide[0]] / wide[1]]) }
        return sizes
      }
      let sizes = shapes[0].indices.map { axis in
        Set(shapes.map { $0[axis] }).count == 1 ? Int64(shapes[0][axis]) : -1
      }
      value = try reshaped(&b, value, sizes)
    }
    b.output(b.node("Neg", [value]), b.node("Abs", [middle]))
    for (batch, shape) in zip(batches, shapes) where !isKnown || batch == 5 {
      let given = Value?.some(.tensor(try input([batch, 4, 6, 1, 10])))
      let plain = try Session(b.model(optimizes: false), options: SessionOptions(threads: 1)).run([given])
      let got = try b.run([given])
      #expect(got[0].tensor?.shape == shape)
      for (a, b) in zip(got, plain) {
        #expect(try Comparison.difference(a, b, Tolerance(relative: 0, absolute: 0)) == nil, "seed \(seed)")
      }
    }
    #expect((try b.model().operatorCounts["Transpose"] ?? 0) <= 2)
  }

  /// Rows before and after a product in random orders, and a part of what comes out.
  @Test(arguments: 0..<40) func randomProducts(seed: Int) throws {
    var random = SplitMix(state: UInt64(seed) * 104_729 + 5)
    var b = GraphBuilder()
    let x = b.input("x", .float32, [.symbol("N"), 5, 6, 8])
    var order = [0, 1, 2].shuffled(using: &random)
    var shape: [Int64] = order.map { [-1, 5, 6][$0] }
    var value = transposed(&b, x, order + [3])
    let isFlat = Bool.random(using: &random)
    if isFlat { value = try reshaped(&b, value, [-1, 8]) }
    let weights = b.constant(try input(isFlat ? [12, 8] : [8, 12], seed: seed))
    if isFlat {
      value = b.node("Gemm", [value, weights, b.constant(try input([12], seed: 2))], ["transB": .int(1)])
      if Bool.random(using: &random) { value = b.node("Add", [value, b.constant(try input([12], seed: 9))]) }
      value = try reshaped(&b, value, shape + [12])
    } else {
      value = b.node("MatMul", [value, weights])
      if Bool.random(using: &random) { value = b.node("Add", [b.constant(try input([12], seed: 9)), value]) }
    }
    let isSplit = Bool.random(using: &random)
    if isSplit { value = try reshaped(&b, value, shape + [3, 4]) }
    order = Array(0..<(isSplit && Bool.random(using: &random) ? 5 : 3)).shuffled(using: &random)
    let rank = isSplit ? 5 : 4
    order += Array(order.count..<rank)
    value = transposed(&b, value, order)
    shape = order.map { (shape + (isSplit ? [3, 4] : [12]))[$0] }
    if Bool.random(using: &random), !isSplit {
      // The columns, or the last row axis, are cut; then all is put in another order.
      let wide = shape.last == 12 ? Array(shape.dropLast()) + [3, 4] : shape.dropLast() + [shape.last ?? 1, 1]
      value = transposed(&b, try reshaped(&b, value, wide), (0..<wide.count).shuffled(using: &random))
    } else if Bool.random(using: &random) {
      let axis = Int.random(in: 0..<rank, using: &random)
      let last = max(shape[axis], 1) - 1
      value = b.node(
        "Gather", [value, b.constant(try Tensor(scalar: Bool.random(using: &random) ? last : -last - 1))],
        ["axis": .int(axis - rank)])
    }
    b.output(value)
    for batch in [1, 3] {
      let given = Value?.some(.tensor(try input([batch, 5, 6, 8])))
      let plain = try Session(b.model(optimizes: false), options: SessionOptions(threads: 1)).run([given])
      for (a, b) in zip(try b.run([given]), plain) {
        #expect(try Comparison.difference(a, b, Tolerance(relative: 1e-5, absolute: 1e-4)) == nil, "seed \(seed)")
      }
    }
  }

  /// What follows the rows of a product cuts them, or the columns, further, or cannot be followed.
  @Test(arguments: [[8, 2, 3, 32], [4, 2, 6, 32], [4, 3, 128, 1], [8, 6, 4, 8], [16, 3, 32], [8, 6, 2, 2, 8]])
  func rowsThatAreCutLater(_ sizes: [Int64]) throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [8, 6, 5])
    let product = b.node("MatMul", [transposed(&b, x, [1, 0, 2]), b.constant(try input([5, 32]))])
    let cut = try reshaped(&b, transposed(&b, product, [1, 0, 2]), sizes)
    b.output(transposed(&b, cut, Array((0..<sizes.count).reversed())))
    try checkNear(b, [8, 6, 5])
  }

  private func checkNear(_ b: GraphBuilder, _ shape: [Int]) throws {
    let given = Value?.some(.tensor(try input(shape)))
    let plain = try Session(b.model(optimizes: false), options: SessionOptions(threads: 1)).run([given])
    #expect(try Comparison.difference(b.run([given])[0], plain[0], Tolerance(relative: 1e-5, absolute: 1e-4)) == nil)
  }

  /// Before version 7, `axis` says which axis of a sum a vector belongs to.
  @Test(arguments: [0, 1, 2]) func vectorsAlongOtherAxesAreNoBias(axis: Int) throws {
    for turns in [false, true] {
      var b = GraphBuilder()
      let x = b.input("x", .float32, [4, 4, 4])
      let rows = turns ? transposed(&b, x, [1, 0, 2]) : x
      let product = b.node("MatMul", [rows, b.constant(try input([4, 4]))])
      let offsets = b.constant(try Tensor([Float](arrayLiteral: 1, 20, 300, 4000), shape: [4]))
      let sum = try b.imported("Add", version: 6, [product, offsets], ["broadcast": .int(1), "axis": .int(axis)])[0]
      b.output(turns ? transposed(&b, sum, [1, 0, 2]) : sum)
      try checkNear(b, [4, 4, 4])
    }
  }

  /// Transpose counts axes from the end, too.
  @Test func axesFromTheEnd() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [2, 3, 5])
    b.output(transposed(&b, transposed(&b, x, [-1, 0, -2]), [1, -3, 2]))
    try check(b, [try input([2, 3, 5])], leaves: ["Transpose": 1])
    var product = GraphBuilder()
    let rows = transposed(&product, product.input("x", .float32, [2, 3, 5]), [1, 0, -1])
    let wide = product.node("MatMul", [rows, product.constant(try input([5, 4]))])
    product.output(transposed(&product, wide, [-2, -3, -1]))
    try checkNear(product, [2, 3, 5])
  }

  /// Windows of an image: the exchange of heads and positions stays with the attention, which needs no transpose for it.
  @Test func finerRearrangementsStayBehindProducts() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [4, 3, 6, 8])
    let rows = try reshaped(&b, transposed(&b, x, [0, 2, 1, 3]), [4, 6, 24])
    let product = b.node("MatMul", [rows, b.constant(try input([24, 10]))])
    b.output(transposed(&b, try reshaped(&b, product, [2, 2, 2, 3, 10]), [0, 2, 1, 3, 4]))
    try check(b, [try input([4, 3, 6, 8])], leaves: ["Transpose": 2, "Reshape": 2, "MatMul": 1])
  }
}
