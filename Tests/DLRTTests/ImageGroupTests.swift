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

  /// A network of blocks that weigh their channels by what they hold (arXiv 1709.01507), with sums around them.
  private func squeezing(_ seed: UInt64, _ shape: [Int]) throws -> Network {
    var network = Network(seed: seed, shape)
    try network.conv(0, 40, kernel: 3)
    for _ in 0..<4 {
      let source = network.values.count - 1
      let (x, channels) = network.values[source]
      try network.conv(source, channels, kernel: 3, groups: network.pick(2) == 0 ? 1 : channels)
      let wide = network.values[network.values.count - 1].id
      let mean = network.builder.node("GlobalAveragePool", [wide])
      let few = network.builder.node(
        "Relu", [network.builder.node("Conv", [mean, try network.weights([8, channels, 1, 1])])])
      let gate = network.builder.node(
        "Sigmoid", [network.builder.node("Conv", [few, try network.weights([channels, 8, 1, 1])])])
      var value = network.builder.node("Mul", [wide, gate])
      switch network.pick(3) {
      case 0: value = network.builder.node("Add", [value, x])
      case 1:
        let scaled = network.builder.node("Mul", [value, try network.weights([channels, 1, 1])])
        value = network.builder.node("Tanh", [network.builder.node("Add", [scaled, x])])
      default: break
      }
      network.add(value, channels)
      try network.conv(network.values.count - 1, 24 + network.pick(40), kernel: 1)
    }
    return network
  }

  @Test(arguments: [1, 2]) func randomNetworks(_ threads: Int) throws {
    for seed in 0..<16 as Range<UInt64> {
      let images = 2 + Int(seed % 3)
      try check(seed, images, [5, 37, 50 + Int(seed % 5)], threads: threads) { try network(seed, $0) }
      try check(seed, images, [5, 61, 70], threads: threads) { shape in
        let network = try squeezing(seed, shape), last = network.values.count - 1
        let results = Set([network.values[last].id, network.values[1 + Int(seed) % last].id])
        return network.model(results.sorted { $0.index < $1.index }, all: false)
      }
    }
  }

  private func check(
    _ seed: UInt64, _ images: Int, _ size: [Int], threads: Int, _ network: ([Int]) throws -> GraphBuilder
  ) throws {
    var numbers = RandomNumbers(seed: seed)
    let x = try numbers.tensor([images] + size).array(of: Float.self)
    let together = try network([images] + size).session(SessionOptions(threads: threads))
    let alone = try network([1] + size).session()
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

  /// An operand that the old attribute `axis` lays along the images, and a reduction of a whole image: one step knows of
  /// all images, and the number of threads changes nothing.
  @Test func operandsMayFollowTheBatch() throws {
    let shape = [3, 40, 70, 70], offsets: [Float] = [1, 20, 300]
    let numbers = (0..<shape.reduce(1, *)).map { Float($0 % 97) / 50 - 1 }
    func results(_ threads: Int, optimizes: Bool) throws -> [[UInt32]] {
      var b = GraphBuilder()
      let x = b.input("x", .float32, Shape(shape))
      let sum = try b.imported(
        "Add", version: 6, [b.node("Neg", [x]), b.constant(try Tensor(offsets, shape: [3]))],
        ["broadcast": .int(1), "axis": .int(0)])[0]
      b.output(b.node("Sub", [b.node("Mul", [sum, sum]), sum]))
      b.output(try b.imported("ReduceLogSumExp", version: 11, [b.node("Abs", [sum])], ["axes": .ints([1, 2, 3])])[0])
      let session = try Session(b.model(optimizes: optimizes), options: SessionOptions(threads: threads))
      return try session.run([.tensor(try Tensor(numbers, shape: shape))]).map { try $0.floats().map(\.bitPattern) }
    }
    let expected = numbers.enumerated().map { index, x in
      let sum = offsets[index / (40 * 70 * 70)] - x
      return (sum * sum - sum).bitPattern
    }
    // So many threads would have too little to do in one image.
    let sums = try results(64, optimizes: true)[1]
    for (threads, optimizes) in [(1, false), (1, true), (2, false), (2, true)] {
      let results = try results(threads, optimizes: optimizes)
      // A million differences would take minutes to describe.
      let areEqual = results[0] == expected
      #expect(areEqual)
      #expect(results[1] == sums)
    }
  }

  /// Many small slices along the first axis are not taken one by one: a step costs more to begin than they do.
  @Test func smallSlicesStayTogether() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [100_000, 4, 4])
    b.output(b.node("ReduceSum", [b.node("Sin", [x]), b.constant(try Tensor(int64: [2]))]))
    let plan = try b.session(SessionOptions(threads: 1)).plan(shapes: [[100_000, 4, 4]])
    // What lies between the two is there as a whole.
    #expect(plan.arenaBytes >= 100_000 * 4 * 4 * 4)
  }

  /// What lies between the first and the last step of a group is one image's, and steps that come later use the memory of
  /// earlier ones again.
  @Test func batchesNeedLittleMore() throws {
    func memory(_ images: Int, _ network: ([Int]) throws -> Network) throws -> Int {
      var network = try network([images, 3, 80, 80])
      try network.conv(network.values.count - 1, 1, kernel: 1)
      let model = network.model([network.values[network.values.count - 1].id], all: false)
      return try model.session(SessionOptions(threads: 1)).plan(shapes: [[images, 3, 80, 80]]).arenaBytes
    }
    func chain(_ shape: [Int]) throws -> Network {
      var network = Network(seed: 1, shape)
      for _ in 0..<9 { try network.conv(network.values.count - 1, 40, kernel: 3) }
      return network
    }
    for network in [chain, { try squeezing(3, $0) }] {
      // Only the result, of one channel, is there for all images.
      #expect(try memory(16, network) - memory(2, network) < 14 * 80 * 80 * 4 * 2)
    }
    // Two images in turn, beside a copy of the input and the result.
    #expect(try memory(16, chain) < (2 * 40 + 16 + 3) * 82 * 82 * 4 * 5 / 4)
  }

  /// Two layers of a transformer, each of whose images attends to what its own mask leaves.
  private func transformer(_ shape: [Int]) throws -> GraphBuilder {
    var b = GraphBuilder(), numbers = RandomNumbers(seed: 3)
    let width = shape[2]
    func weights(_ sizes: [Int]) throws -> ValueID { b.constant(try numbers.tensor(sizes)) }
    let x = b.input("x", .float32, Shape(shape))
    let sums = b.node("ReduceSum", [x, b.constant(try Tensor(int64: [2]))], ["keepdims": .int(0)])
    let mask = b.node("Unsqueeze", [sums, b.constant(try Tensor(int64: [1, 2]))])
    var value = x
    for _ in 0..<2 {
      let normalized = b.node("LayerNormalization", [value, try weights([width]), try weights([width])])
      let parts = try (0..<3).map { _ in b.node("MatMul", [normalized, try weights([width, width])]) }
      let attended = b.node(
        "Attention", [parts[0], parts[1], parts[2], mask], ["q_num_heads": .int(2), "kv_num_heads": .int(2)])
      value = b.node("Add", [value, b.node("MatMul", [attended, try weights([width, width])])])
      let wide = b.node("Tanh", [b.node("MatMul", [value, try weights([width, 32 * width])])])
      value = b.node("Add", [b.node("MatMul", [wide, try weights([32 * width, width])]), value])
    }
    b.output(value)
    return b
  }

  /// Products and attention of so much that one image's share is worth staying near.
  @Test(arguments: [1, 2]) func transformers(_ threads: Int) throws {
    try check(1, 3, [1500, 32], threads: threads) { try transformer($0) }
    // Values of 66 MB in a batch, of which one image's share is in memory.
    let images = 16
    let session = try transformer([images, 1000, 32]).session(SessionOptions(threads: threads))
    let plan = try session.plan(shapes: [[images, 1000, 32]])
    #expect(plan.arenaBytes < images * 1000 * 32 * 4 * 10)
  }

  /// What is constant, but belongs to the images of the batch: a mask, matrices, factors of rows.
  @Test func constantsMayFollowTheBatch() throws {
    var numbers = RandomNumbers(seed: 5)
    var b = GraphBuilder()
    func constant(_ sizes: [Int]) throws -> ValueID { b.constant(try numbers.tensor(sizes)) }
    let x = b.input("x", .float32, [3, 700, 64])
    let y = b.node("LayerNormalization", [b.node("Neg", [x]), try constant([3, 1, 64])])
    let product = b.node("Tanh", [b.node("MatMul", [y, try constant([3, 64, 64])])])
    let masked = b.node(
      "Attention", [product, product, product, try constant([3, 1, 1, 700])],
      ["q_num_heads": .int(2), "kv_num_heads": .int(2)])
    b.output(b.node("Exp", [masked]), b.node("Neg", [b.node("MatMul", [try constant([3, 700]), x])]))
    let given = Value.tensor(try numbers.tensor([3, 700, 64]))
    // So many threads would have too little to do in one image.
    let together = try b.session(SessionOptions(threads: 64)).run([given]).map { try $0.floats().map(\.bitPattern) }
    let apart = try b.session(SessionOptions(threads: 1)).run([given]).map { try $0.floats().map(\.bitPattern) }
    let areEqual = together == apart
    #expect(areEqual)
  }
}
