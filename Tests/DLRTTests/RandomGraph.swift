import DLRT
import DLRTGraph
import DLRTTestSupport

/// An array whose every operation gives new memory.
struct PlainArray: Equatable {
  var shape: [Int]
  var elements: [Float]

  var strides: [Int] { shape.rowMajorStrides }

  init(_ shape: [Int], _ elements: [Float]) {
    self.shape = shape
    self.elements = elements
  }

  /// An array by a rule from index to element.
  init(_ shape: [Int], _ element: ([Int]) -> Float) {
    self.shape = shape
    let strides = shape.rowMajorStrides
    elements = (0..<shape.product).map { flat in element(zip(shape, strides).map { flat / $1 % $0 }) }
  }

  /// The element at an index of an array that this one broadcasts to.
  subscript(index: [Int]) -> Float {
    let own = index.suffix(shape.count)
    return elements[zip(zip(own, shape), strides).reduce(0) { $0 + ($1.0.1 == 1 ? 0 : $1.0.0) * $1.1 }]
  }

  func value() throws -> Value { .tensor(try Tensor(elements, shape: shape)) }
}

/// A random graph of operators that move, share and overwrite memory, with what each value is by plain arithmetic.
///
/// All numbers are small integers, so that every order of computing gives the same bits.
struct RandomGraph {
  private(set) var builder = GraphBuilder("random")
  private var random: SeededRandom
  /// All values in the order in which they were made, with a shape each.
  private var ids: [ValueID] = []
  private var shapes: [[Int]] = []
  /// How each value that is not an input follows from the earlier ones.
  private var rules: [([PlainArray]) -> PlainArray] = []
  private var runtimeShapes: [[Int]] = []
  private var inputCount = 0
  private(set) var outputs: [Int] = []

  private static let mostElements = 400

  init(seed: UInt64, nodes: Int) throws {
    random = SeededRandom(seed)
    let count = Int.random(in: 1...3, using: &random)
    for index in 0..<count {
      let shape = randomShape()
      ids.append(builder.input("x\(index)", .float32, Shape(shape)))
      shapes.append(shape)
    }
    inputCount = count
    for _ in 0..<nodes { try addNode() }
    // Any value may be an output, some more than once; the last always, so that the graph does not shrink to nothing.
    outputs = (0..<4).map { _ in Int.random(in: 0..<ids.count, using: &random) } + [ids.count - 1]
    for index in outputs { builder.output(ids[index]) }
  }

  private mutating func randomShape() -> [Int] {
    let rank = Int.random(in: 1...3, using: &random)
    return (0..<rank).map { _ in Int.random(in: 1...4, using: &random) }
  }

  /// Inputs of the model for a round, and the outputs that plain arithmetic gives.
  func example(_ round: UInt64) throws -> (inputs: [Value?], outputs: [PlainArray]) {
    var random = SeededRandom(round)
    var values = shapes[..<inputCount].map { shape in
      PlainArray(shape) { _ in Float(Int.random(in: -9...9, using: &random)) }
    }
    let inputs = try values.map { try $0.value() } + runtimeShapes.map { try int64s($0.map(Int64.init)) }
    for rule in rules { values.append(rule(values)) }
    return (inputs, outputs.map { values[$0] })
  }

  private mutating func add(_ id: ValueID, _ shape: [Int], _ rule: @escaping ([PlainArray]) -> PlainArray) {
    ids.append(id)
    shapes.append(shape)
    rules.append(rule)
  }

  private mutating func pick() -> Int {
    // Recent values more often: long chains reuse memory.
    let reach = Bool.random(using: &random) ? ids.count : min(3, ids.count)
    return ids.count - 1 - Int.random(in: 0..<reach, using: &random)
  }

  private mutating func addNode() throws {
    let a = pick()
    switch Int.random(in: 0..<10, using: &random) {
    case 0, 1: addUnary(a)
    case 2, 3, 4: addBinary(a, pick())
    case 5: try addReshape(a)
    case 6: addTranspose(a)
    case 7: addConcat(a)
    case 8: try addSplit(a)
    default: try addConstant()
    }
  }

  private mutating func addUnary(_ a: Int) {
    let rules: [(String, (Float) -> Float)] = [
      ("Neg", { -$0 }), ("Abs", { $0.magnitude }), ("Relu", { $0 > 0 ? $0 : 0 }), ("Identity", { $0 }),
    ]
    let (op, rule) = rules[Int.random(in: 0..<rules.count, using: &random)]
    add(builder.node(op, [ids[a]]), shapes[a]) { PlainArray($0[a].shape, $0[a].elements.map(rule)) }
  }

  private mutating func addBinary(_ a: Int, _ b: Int) {
    let rules: [(String, (Float, Float) -> Float)] = [
      ("Max", { max($0, $1) }), ("Min", { min($0, $1) }), ("Sub", { $0 - $1 }), ("Add", { $0 + $1 }),
    ]
    let rank = max(shapes[a].count, shapes[b].count)
    func padded(_ shape: [Int]) -> [Int] { Array(repeating: 1, count: rank - shape.count) + shape }
    let pairs = Array(zip(padded(shapes[a]), padded(shapes[b])))
    guard pairs.allSatisfy({ $0 == $1 || $0 == 1 || $1 == 1 }) else { return addUnary(a) }
    let shape = pairs.map(max)
    guard shape.product <= Self.mostElements else { return addUnary(a) }
    let (op, rule) = rules[Int.random(in: 0..<rules.count, using: &random)]
    add(builder.node(op, [ids[a], ids[b]]), shape) { values in
      PlainArray(shape) { rule(values[a][$0], values[b][$0]) }
    }
  }

  private mutating func addReshape(_ a: Int) throws {
    let choices = [[shapes[a].product], shapes[a].reversed(), [1] + shapes[a]]
    let shape = Array(choices[Int.random(in: 0..<choices.count, using: &random)])
    // Some shapes are known only when the model runs, which ends a stage of the plan.
    let target: ValueID
    if runtimeShapes.count < 2, Int.random(in: 0..<4, using: &random) == 0 {
      target = builder.input("shape\(runtimeShapes.count)", .int64, [.known(shape.count)])
      runtimeShapes.append(shape)
    } else {
      target = try builder.constant(Tensor(int64: shape))
    }
    add(builder.node("Reshape", [ids[a], target]), shape) { PlainArray(shape, $0[a].elements) }
  }

  private mutating func addTranspose(_ a: Int) {
    let order = Array(shapes[a].indices.shuffled(using: &random))
    let shape = order.map { shapes[a][$0] }
    add(builder.node("Transpose", [ids[a]], ["perm": .ints(order)]), shape) { values in
      PlainArray(shape) { index in
        var source = index
        for (axis, from) in order.enumerated() { source[from] = index[axis] }
        return values[a][source]
      }
    }
  }

  private mutating func addConcat(_ a: Int) {
    let axis = Int.random(in: 0..<shapes[a].count, using: &random)
    let partners = ids.indices.filter { other in
      shapes[other].count == shapes[a].count
        && shapes[other].indices.allSatisfy { $0 == axis || shapes[other][$0] == shapes[a][$0] }
    }
    let b = partners[Int.random(in: 0..<partners.count, using: &random)]
    var shape = shapes[a]
    let border = shape[axis]
    shape[axis] += shapes[b][axis]
    guard shape.product <= Self.mostElements else { return addUnary(a) }
    add(builder.node("Concat", [ids[a], ids[b]], ["axis": .int(axis)]), shape) { values in
      PlainArray(shape) { index in
        guard index[axis] >= border else { return values[a][index] }
        var other = index
        other[axis] -= border
        return values[b][other]
      }
    }
  }

  private mutating func addSplit(_ a: Int) throws {
    guard let axis = shapes[a].indices.first(where: { shapes[a][$0] > 1 }) else { return addUnary(a) }
    let first = Int.random(in: 1..<shapes[a][axis], using: &random)
    let sizes = [first, shapes[a][axis] - first]
    let split = try builder.constant(Tensor(int64: sizes))
    let parts = builder.nodes("Split", [ids[a], split], ["axis": .int(axis)], outputs: 2)
    for (part, start) in zip(parts.indices, [0, first]) {
      var shape = shapes[a]
      shape[axis] = sizes[part]
      add(parts[part], shape) { [shape] values in
        PlainArray(shape) { index in
          var source = index
          source[axis] += start
          return values[a][source]
        }
      }
    }
  }

  private mutating func addConstant() throws {
    let shape = randomShape()
    let array = PlainArray(shape) { _ in Float(Int.random(in: -9...9, using: &random)) }
    try add(builder.constant(Tensor(array.elements, shape: shape)), shape) { _ in array }
  }
}
