import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

/// Parts of a Concat are made where the whole is, and that changes nothing.
@Suite struct ConcatPlaceTests {
  /// A network of convolutions, pools and Concats.
  struct Network {
    var builder = GraphBuilder()
    private var random: SeededRandom
    private(set) var values: [(id: ValueID, channels: Int)] = []

    init(seed: UInt64, _ shape: [Int]) {
      random = SeededRandom(seed)
      values.append((builder.input("x", .float32, Shape(shape)), shape[1]))
    }

    mutating func pick(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }

    mutating func weights(_ shape: [Int]) throws -> ValueID {
      let scale = 1 / Float(shape.dropFirst().reduce(1, *)).squareRoot()
      let count = shape.reduce(1, *)
      return builder.constant(
        try Tensor((0..<count).map { _ in Float.random(in: -scale...scale, using: &random) }, shape: shape))
    }

    mutating func add(_ value: ValueID, _ channels: Int) { values.append((value, channels)) }

    /// - Parameter sources: values to read, by number.
    mutating func conv(_ source: Int, _ channels: Int, kernel: Int, groups: Int = 1) throws {
      let (x, count) = values[source]
      let w = try weights([channels, count / groups, kernel, kernel])
      let pads = Attribute.ints([Int](repeating: kernel / 2, count: 4))
      let y = builder.node("Conv", [x, w, try weights([channels])], ["pads": pads, "group": .int(groups)])
      add(builder.node("Relu", [y]), channels)
    }

    mutating func concat(_ sources: [Int]) {
      let y = builder.node("Concat", sources.map { values[$0].id }, ["axis": .int(1)])
      add(y, sources.reduce(0) { $0 + values[$1].channels })
    }

    mutating func randomNode() throws {
      // Mostly the values that were made last.
      let source = max(pick(values.count), pick(values.count))
      let (x, channels) = values[source]
      let pads = Attribute.ints([1, 1, 1, 1])
      switch pick(10) {
      case 0, 1: try conv(source, 1 + pick(70), kernel: 1)
      case 2: try conv(source, 1 + pick(70), kernel: 3)
      case 3: try conv(source, channels, kernel: 3, groups: channels)
      case 4:
        let kind = pick(2) == 0 ? "MaxPool" : "AveragePool"
        add(builder.node(kind, [x], ["kernel_shape": .ints([3, 3]), "pads": pads]), channels)
      case 5:
        let y = builder.node("ConvTranspose", [x, try weights([channels, 24, 3, 3])], ["pads": pads])
        add(builder.node("Relu", [y]), 24)
      case 6:
        let y = builder.node("Mul", [x, try weights([channels, 1, 1])])
        let z = builder.node("Add", [y, try weights([channels, 1, 1])])
        add(builder.node("Relu", [z]), channels)
      default:
        var sources = (0..<2 + pick(3)).map { _ in max(pick(values.count), pick(values.count)) }
        if pick(3) == 0, let last = sources.last { sources.append(last) }
        concat(sources)
      }
    }

    /// The network with one output, or with all its values, which must then be whole.
    func model(_ results: [ValueID], all: Bool) -> GraphBuilder {
      var b = builder
      for result in results { b.output(result) }
      if all { for (value, _) in values where !results.contains(value) && value != values[0].id { b.output(value) } }
      return b
    }
  }

  private func check(_ network: Network, _ results: [ValueID], _ shape: [Int], _ seed: UInt64) throws -> [String] {
    var numbers = RandomNumbers(seed: seed)
    let x = Value.tensor(try numbers.tensor(shape))
    let expected = try network.model(results, all: true).session().run([x]).prefix(results.count)
    for threads in [1, 2] {
      let session = try network.model(results, all: false).session(SessionOptions(threads: threads))
      for _ in 0..<2 { #expect(try bits(session.run([x])) == bits(Array(expected)), "seed \(seed)") }
    }
    return try network.model(results, all: false).session().plan(shapes: [shape]).steps.map(\.kernel)
  }

  /// Inputs and outputs that change their layout are moved, and Concats that are not made in place.
  private func copies(_ kernels: [String]) -> Int { kernels.count { $0 == "strided" } }

  @Test(arguments: [1, 2]) func randomNetworks(_ batch: Int) throws {
    for seed in 0..<25 as Range<UInt64> {
      let shape = [batch, 5, 9 + Int(seed % 7), 8]
      var network = Network(seed: seed, shape)
      try network.conv(0, 20, kernel: 3)
      for _ in 0..<14 { try network.randomNode() }
      network.concat([network.values.count - 1, network.values.count - 2, network.values.count - 4])
      let last = network.values.count - 1
      try network.conv(last, 17, kernel: 1)
      _ = try check(network, [network.values[last + 1].id], shape, seed)
    }
  }

  /// Two expansions of one image, as in SqueezeNet.
  @Test func twoExpansions() throws {
    let shape = [2, 16, 15, 17]
    var network = Network(seed: 1, shape)
    try network.conv(0, 24, kernel: 1)
    try network.conv(1, 64, kernel: 1)
    try network.conv(1, 40, kernel: 3)
    network.concat([2, 3])
    try network.conv(4, 8, kernel: 1)
    #expect(try copies(check(network, [network.values[5].id], shape, 5)) == 2)
    let results = [network.values[4].id, network.values[5].id]
    #expect(try copies(check(network, results, shape, 6)) == 3)
  }

  /// The result takes no memory that its own step reads a part from.
  @Test func aPartAndTheWholeInOneStep() throws {
    let shape = [1, 16, 12, 11]
    var network = Network(seed: 3, shape)
    try network.conv(0, 32, kernel: 3)
    try network.conv(0, 32, kernel: 3)
    network.concat([1, 2])
    let (part, whole) = (network.values[1].id, network.values[3].id)
    let y = network.builder.node("Conv", [part, try network.weights([64, 32, 1, 1])])
    network.add(network.builder.node("Relu", [network.builder.node("Add", [y, whole])]), 64)
    try network.conv(4, 8, kernel: 1)
    _ = try check(network, [network.values[5].id], shape, 8)
  }

  /// One part is made before the shape of the other is known.
  @Test func partsOfSeveralStages() throws {
    var b = GraphBuilder()
    var numbers = RandomNumbers(seed: 9)
    let w = b.constant(try numbers.tensor([32, 32, 3, 3]))
    let pads: [String: Attribute] = ["pads": .ints([1, 1, 1, 1])]
    let early = b.node("Conv", [b.input("x", .float32, [1, 32, 8, 8]), w], pads)
    let image = b.node("Reshape", [b.input("y", .float32, [1, 32, 64]), b.input("sizes", .int64, [4])])
    let whole = b.node("Concat", [early, b.node("Conv", [image, w], pads)], ["axis": .int(1)])
    b.output(b.node("Conv", [whole, b.constant(try numbers.tensor([16, 64, 1, 1]))]))
    let inputs: [Value?] = [
      .tensor(try numbers.tensor([1, 32, 8, 8])), .tensor(try numbers.tensor([1, 32, 64])),
      .tensor(try Tensor(int64: [1, 32, 8, 8])),
    ]
    let expected = try Session(b.model(optimizes: false)).run(inputs)[0].tensor
    let got = try b.run(inputs)[0].tensor
    #expect(try got?.isNear(#require(expected), 1e-2) == true)
  }

  /// Each layer reads all before it, as in DenseNet.
  @Test func denseBlock() throws {
    let shape = [1, 24, 14, 13]
    var network = Network(seed: 2, shape)
    try network.conv(0, 32, kernel: 3)
    var layers = [1]
    for _ in 0..<4 {
      if layers.count > 1 { network.concat(layers) }
      let x = network.values[network.values.count - 1]
      let y = network.builder.node("Mul", [x.id, try network.weights([x.channels, 1, 1])])
      let z = network.builder.node("Add", [y, try network.weights([x.channels, 1, 1])])
      network.add(network.builder.node("Relu", [z]), x.channels)
      try network.conv(network.values.count - 1, 16, kernel: 3)
      layers.append(network.values.count - 1)
    }
    network.concat(layers)
    try network.conv(network.values.count - 1, 40, kernel: 1)
    #expect(try copies(check(network, [network.values[network.values.count - 1].id], shape, 7)) == 2)
  }
}
