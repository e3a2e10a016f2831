import DLRTGraph
import DLRTOperators

/// Makes one Transpose of several: of those in a chain of nodes that only rearrange, with Reshapes that join and split axes
/// between them; and of those on both sides of what does the same to all rows of a value, or takes one slice of it.
/// PyTorch's attention is written with the batch behind the positions, and turns it back at its end.
struct SimplifyTransposes: Pass {
  let name = "simplify-transposes"
  var repeats: Bool { true }

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let arranger = Arranger(program)
    var patch = GraphPatch(program.graph)
    for id in program.graph.order {
      switch program.graph[id].op {
      case OperatorName("Transpose"), OperatorName("Reshape"), OperatorName("Squeeze"), OperatorName("Unsqueeze"):
        arranger.shorten(id, &patch)
      case OperatorName("Gather"): arranger.moveSlice(id, &patch)
      case OperatorName("MatMul"), OperatorName("Gemm"): arranger.moveRows(id, &patch)
      default: break
      }
    }
    return patch
  }
}

private final class Arranger {
  private let matcher: Matcher
  private let program: Program

  init(_ program: Program) {
    self.program = program
    matcher = Matcher(program)
  }

  /// What a node that only rearranges does.
  private enum Arrangement {
    case transpose([Int])
    case reshape(Shape)
  }

  /// As much of a chain as is looked at; what is longer becomes shorter turn by turn.
  private static let longestChain = 16

  private func arrangement(_ id: NodeID) -> Arrangement? {
    let node = matcher[id]
    guard let output = node.output(0), let shape = matcher.shape(output) else { return nil }
    switch node.op {
    case OperatorName("Transpose"):
      // Axes may be counted from the end.
      let order = node.ints("perm") ?? (0..<shape.rank).reversed()
      return .transpose(order.map { $0 < 0 ? $0 + shape.rank : $0 })
    case OperatorName("Reshape"):
      // Of a list of sizes whose length is unknown, only what the model declares is known, which may be wrong.
      return matcher.shape(node.input(1))?.dims.first?.value == nil ? nil : .reshape(shape)
    case OperatorName("Squeeze"), OperatorName("Unsqueeze"):
      return node.input(1) == nil || matcher.constant(node.input(1)) != nil ? .reshape(shape) : nil
    default: return nil
    }
  }

  /// The longest chain of nodes that only rearrange and make a value, and what the first of them reads.
  private func chain(before value: ValueID) -> (source: ValueID, chain: AxisChain)? {
    var (source, steps) = (value, [(arrangement: Arrangement, input: ValueID)]())
    while steps.count < Self.longestChain, let id = matcher.producer(source), let step = arrangement(id),
      let input = matcher[id].input(0)
    {
      steps.append((step, input))
      source = input
    }
    while let first = steps.last {
      if let shape = matcher.shape(first.input), var chain = AxisChain(shape),
        steps.reversed().allSatisfy({ Self.apply($0.arrangement, to: &chain) })
      {
        return (first.input, chain)
      }
      steps.removeLast()
    }
    return nil
  }

  private static func apply(_ step: Arrangement, to chain: inout AxisChain) -> Bool {
    switch step {
    case .transpose(let order):
      chain.transpose(order)
      return true
    case .reshape(let shape): return chain.reshape(shape)
    }
  }
}

// MARK: What is rewritten

extension Arranger {
  /// Several changes of the order of axes become one.
  func shorten(_ id: NodeID, _ patch: inout GraphPatch) {
    guard let output = matcher[id].output(0), !isWithinChain(output), let (source, chain) = chain(before: output),
      chain.moves > 1, let nodes = written(chain, from: matcher.shape(source), to: matcher.shape(output))
    else { return }
    patch.replace(output, with: add(nodes, to: source, as: program.described(output), matcher[id].name, &patch))
  }

  /// Whether all that reads a value only rearranges it once more.
  private func isWithinChain(_ value: ValueID) -> Bool {
    let readers = matcher.readers(of: value)
    return !matcher.isOutput(value) && !readers.isEmpty && readers.allSatisfy { arrangement($0) != nil }
  }

  /// A slice is taken before what was rearranged, so that this can become one with what rearranges the slice.
  func moveSlice(_ id: NodeID, _ patch: inout GraphPatch) {
    let node = matcher[id]
    guard let data = node.input(0), let output = node.output(0), let index = matcher.constant(node.input(1)),
      index.rank == 0, let (source, chain) = chain(before: data), chain.moves > 0
    else { return }
    let given = node.int("axis", 0), axis = given < 0 ? given + chain.axes.count : given
    guard chain.axes.indices.contains(axis), chain.axes[axis].count == 1 else { return }
    let piece = chain.axes[axis][0]
    // The source with the piece as an axis of its own, then without it.
    let cut = chain.cut(at: piece)
    guard let place = cut.axes.firstIndex(of: [piece]) else { return }
    var rest = cut.axes
    rest.remove(at: place)
    let shape = cut.with(axes: rest).shape
    guard let first = written(cut, from: matcher.shape(source), to: cut.shape),
      let last = written(chain.without(piece), from: shape, to: matcher.shape(output))
    else { return }
    let slice = patch.node(
      node.op, name: node.name, attributes: ["axis": .int(place)],
      inputs: [add(first, to: source, as: unnamed(cut.shape, like: source), node.name, &patch), node.input(1)],
      output: unnamed(shape, like: source))
    patch.replace(output, with: add(last, to: slice, as: program.described(output), node.name, &patch))
  }

  /// Rows are multiplied with a constant matrix in any order.
  func moveRows(_ id: NodeID, _ patch: inout GraphPatch) {
    guard let product = RowProduct(id, matcher) else { return }
    if !arrangeFirst(product, &patch) { arrangeLast(product, &patch) }
  }

  /// What rearranges the rows of the result does so with the rows that are multiplied, if these are rearranged anyhow.
  private func arrangeFirst(_ product: RowProduct, _ patch: inout GraphPatch) -> Bool {
    guard let (source, before) = chain(before: product.a), before.moves > 0, let columns = before.axes.last,
      !columns.isEmpty, let (value, after) = rowsRearranged(after: product, before), let shape = matcher.shape(value)
    else { return false }
    let rows = after.with(axes: after.axes + [columns])
    // What cuts the rows further is better done last: attention exchanges heads and positions by itself.
    guard rows.steps.order.count <= before.steps.order.count,
      let nodes = written(rows, from: matcher.shape(source), to: rows.shape)
    else { return false }
    let a = add(nodes, to: source, as: unnamed(rows.shape, like: source), product.name, &patch)
    patch.replace(value, with: product.made(of: a, shape, matcher[value].name, program, &patch))
    return true
  }

  /// The last value after a product in which its rows, and nothing but these, are rearranged, and how they are then.
  ///
  /// - Parameter before: how the rows that are multiplied, and their columns, were rearranged.
  private func rowsRearranged(after product: RowProduct, _ before: AxisChain) -> (ValueID, AxisChain)? {
    guard let width = matcher.shape(product.result)?.dims.last, width != 1 else { return nil }
    var chain = before.with(axes: Array(before.axes.dropLast()))
    let own = chain.append(width)
    var (value, found) = (product.result, nil as (ValueID, AxisChain)?)
    while let reader = matcher.onlyReader(of: value), let step = arrangement(reader),
      let next = matcher[reader].output(0), Self.apply(step, to: &chain)
    {
      value = next
      if chain.moves > (found?.1.moves ?? before.moves), chain.axes.last == [own], chain.axes.count > 1,
        chain.shape.dims.last == width
      {
        found = (value, chain.without(own))
      }
    }
    return found
  }

  /// Rows are rearranged after they are multiplied, if the result is rearranged anyhow.
  private func arrangeLast(_ product: RowProduct, _ patch: inout GraphPatch) {
    guard let id = matcher.producer(product.a), case .transpose(let order)? = arrangement(id),
      let x = matcher[id].input(0), let shape = matcher.shape(x), order.last == order.count - 1,
      var chain = AxisChain(shape), let result = matcher.shape(product.result), let width = result.dims.last,
      var after = AxisChain(result)
    else { return }
    chain.transpose(order)
    guard chain.moves > 0 else { return }
    // How the result is rearranged, as far as it is read by one node after the other.
    var value = product.result
    while after.moves == 0, let reader = onlyDataReader(of: value), let step = arrangement(reader),
      let next = matcher[reader].output(0), Self.apply(step, to: &after)
    {
      value = next
    }
    guard after.moves > 0 else { return }
    let made = product.made(of: x, Shape(shape.dims.dropLast() + [width]), "", program, &patch)
    let turned = patch.node(
      OperatorName("Transpose"), name: product.name, attributes: ["perm": .ints(order)], inputs: [made],
      output: program.described(product.result))
    patch.replace(product.result, with: turned)
  }

  /// The only node that reads a value's elements.
  private func onlyDataReader(of value: ValueID) -> NodeID? {
    if matcher.isOutput(value) { return nil }
    let readers = matcher.readers(of: value).filter { program.op($0)?.readsOnlyShapes != true }
    return readers.count == 1 ? readers.first : nil
  }
}

// MARK: What is written

extension Arranger {
  private func unnamed(_ shape: Shape, like value: ValueID) -> Graph.Value {
    Graph.Value(name: "", type: program.fact(value)?.type, shape: shape)
  }

  /// A node that rearranges, and the shape that it makes.
  private struct Written {
    let op: String
    let attributes: [String: Attribute]
    let operand: Tensor?
    let shape: Shape
  }

  /// What does the same as a chain with a value of a shape; nil where a shape cannot be written down.
  private func written(_ chain: AxisChain, from shape: Shape?, to result: Shape?) -> [Written]? {
    guard let shape, let result, chain.isWhole else { return nil }
    let (cut, order) = chain.steps
    var nodes: [Written] = [], own = shape
    func reshape(_ wanted: Shape) -> Bool {
      guard !own.provablyEquals(wanted) else { return true }
      guard let operand = Self.operand(wanted, from: own) else { return false }
      nodes.append(Written(op: "Reshape", attributes: [:], operand: operand, shape: wanted))
      own = wanted
      return true
    }
    if !order.elementsEqual(order.indices) {
      guard reshape(cut) else { return nil }
      own = Shape(order.map { cut[$0] })
      nodes.append(Written(op: "Transpose", attributes: ["perm": .ints(order)], operand: nil, shape: own))
    }
    return reshape(result) ? nodes : nil
  }

  /// - Parameter name: of the nodes.
  private func add(
    _ nodes: [Written], to source: ValueID, as result: Graph.Value, _ name: String, _ patch: inout GraphPatch
  ) -> ValueID {
    var value = source
    for (index, node) in nodes.enumerated() {
      let output = Graph.Value(name: "", type: result.type, shape: node.shape)
      value = patch.node(
        OperatorName(node.op), name: name, attributes: node.attributes,
        inputs: [value] + (node.operand.map { [patch.constant($0)] } ?? []),
        output: index == nodes.count - 1 ? result : output)
    }
    return value
  }

  /// The sizes of a Reshape: of those that only a run knows, one may be anything, and others are as they were.
  private static func operand(_ shape: Shape, from before: Shape) -> Tensor? {
    let sizes = shape.dims.enumerated().map { axis, dim in
      dim.value.map(Int64.init) ?? (axis < before.rank && before[axis].provablyEquals(dim) ? 0 : -1)
    }
    guard sizes.count(where: { $0 == -1 }) <= 1 else { return nil }
    return try? Tensor(sizes, shape: [sizes.count])
  }
}

/// A product of rows with a constant matrix, and the bias that is added to each.
private final class RowProduct {
  let a: ValueID
  private(set) var result: ValueID
  private let node: Node
  var name: String { node.name }
  /// The addition of a bias that is a node of its own, and which of its inputs the product is.
  private var addition: (node: Node, input: Int)?

  init?(_ id: NodeID, _ matcher: Matcher) {
    node = matcher[id]
    guard let a = node.input(0), let output = node.output(0), matcher.constant(node.input(1))?.rank == 2,
      let rank = matcher.shape(output)?.rank, rank > 1, matcher.shape(a)?.rank == rank
    else { return nil }
    self.a = a
    result = output
    if node.op == OperatorName("Gemm") {
      guard matcher.type(output) == .float32, node.int("transA", 0) == 0, node.float("alpha", 1) == 1,
        node.float("beta", 1) == 1, node.input(2).map({ Self.isBias($0, of: output, matcher) }) ?? true
      else { return nil }
    }
    // Before version 7, `axis` says where a bias lies.
    if let reader = matcher.onlyReader(of: output), matcher[reader].op == OperatorName("Add"),
      matcher[reader].attributes["axis"] == nil, let input = matcher[reader].inputs.firstIndex(of: output),
      let sum = matcher[reader].output(0),
      Self.isBias(matcher[reader].input(1 - input), of: output, matcher)
    {
      addition = (matcher[reader], input)
      result = sum
    }
  }

  private static func isBias(_ value: ValueID?, of result: ValueID, _ matcher: Matcher) -> Bool {
    guard let bias = matcher.constant(value), bias.rank == 1, bias.type == matcher.type(result) else { return false }
    return matcher.shape(result)?.dims.last == .known(bias.count)
  }

  /// The same with other rows.
  func made(of rows: ValueID, _ shape: Shape, _ name: String, _ program: Program, _ patch: inout GraphPatch) -> ValueID
  {
    let output = Graph.Value(name: name, type: program.fact(result)?.type, shape: shape)
    let last = addition == nil ? output : Graph.Value(name: "", type: output.type, shape: shape)
    var (op, attributes) = (node.op, node.attributes)
    if op == OperatorName("Gemm") {
      // It takes matrices alone.
      op = OperatorName("FusedMatMul", domain: OperatorName.internalDomain)
      attributes = ["transB": .int(node.int("transB", 0))]
    }
    let product = patch.node(
      op, name: node.name, attributes: attributes, inputs: [rows] + node.inputs.dropFirst(), output: last)
    guard let (sum, input) = addition else { return product }
    var operands = sum.inputs
    operands[input] = product
    return patch.node(sum.op, name: sum.name, attributes: sum.attributes, inputs: operands, output: output)
  }
}
