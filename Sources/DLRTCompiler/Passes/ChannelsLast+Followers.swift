import DLRTGraph
import DLRTOperators

/// The operators that work in either layout once their axes are renamed.
extension ChannelsLastWalk {
  /// Converts a node of which an input is in the new layout, if there is a rule for it.
  mutating func follow(_ id: NodeID, _ node: Node) throws {
    switch node.op.name {
    case "MaxPool", "AveragePool": pool(id, node)
    case "GlobalAveragePool": try globalPool(id, node, "ReduceMean")
    case "GlobalMaxPool": try globalPool(id, node, "ReduceMax")
    case "QuantizeLinear", "DequantizeLinear": quantization(id, node)
    case "QLinearAdd", "QLinearMul": try quantizedBinary(id, node)
    case "Concat": concat(id, node)
    case "InstanceNormalization", "GroupNormalization": normalize(id, node)
    case "Split", "Softmax", "LogSoftmax", "LpNormalization": renameAxis(id, node)
    case "ArgMax", "ArgMin": argument(id, node)
    case "Pad": try renameVector(id, node, parts: 2)
    case "Slice": try slice(id, node)
    case "Resize": try resize(id, node)
    case "Transpose": transpose(id, node)
    case "Shape": try shape(id, node)
    case "Flatten", "Reshape": if try !shuffle(id, node) { try flatten(id, node) }
    case let name where name.hasPrefix("Reduce"): try reduce(id, node)
    default: try elementwise(id, node)
    }
  }

  /// A node with its first input in the new layout.
  private func withTwin(_ node: Node) -> Node? {
    guard let twin = twin(node.input(0)) else { return nil }
    var made = node
    made.inputs[0] = twin
    return made
  }
}

// MARK: Pools and reductions

extension ChannelsLastWalk {
  private mutating func pool(_ id: NodeID, _ node: Node) {
    guard var made = withTwin(node), let rank = rank(node.input(0)), (3...5).contains(rank),
      let type = matcher.type(node.input(0)), PoolNHWC.takes(type, isMax: node.op.name == "MaxPool"),
      node.outputs.dropFirst().allSatisfy({ $0 == nil })
    else { return }
    made.op = OperatorName("PoolNHWC", domain: OperatorName.internalDomain)
    made.attributes["storage_order"] = nil
    made.attributes["function"] = .string(
      (node.op.name == "MaxPool" ? PoolNHWC.Function.max : .average).rawValue)
    made.outputs = [node.outputs[0]]
    convert(id, made)
  }

  private mutating func globalPool(_ id: NodeID, _ node: Node, _ reduction: String) throws {
    guard var made = withTwin(node), let rank = rank(node.input(0)), rank >= 3 else { return }
    made.op = OperatorName(reduction)
    made.attributes = ["keepdims": .int(1)]
    made.inputs.append(constant(try Tensor(int64: Array(1..<(rank - 1)))))
    convert(id, made)
  }

  /// A reduction of given axes keeps its rank; without keepdims only one that leaves no order to keep is taken.
  private mutating func reduce(_ id: NodeID, _ node: Node) throws {
    guard var made = withTwin(node), let rank = rank(node.input(0)), let given = node.input(1),
      let axes = matcher.constant(given)?.integers.flatMap({ Layout.axes($0, rank) }), !axes.isEmpty
    else { return }
    made.inputs[1] = constant(try Tensor(int64: axes))
    if node.int("keepdims", 1) != 0 {
      convert(id, made)
    } else if Set(axes).isSuperset(of: 1..<(rank - 1)) || axes == [rank - 1] {
      replace(id, made)
    }
  }

  private mutating func argument(_ id: NodeID, _ node: Node) {
    guard var made = withTwin(node), let rank = rank(node.input(0)), let axis = Layout.axis(node.int("axis", 0), rank)
    else { return }
    made.attributes["axis"] = .int(axis)
    if node.int("keepdims", 1) != 0 {
      convert(id, made)
    } else if axis == rank - 1 {
      replace(id, made)
    }
  }
}

// MARK: Bytes

extension ChannelsLastWalk {
  /// One scale for all, or one for each index of an axis.
  private mutating func quantization(_ id: NodeID, _ node: Node) {
    guard var made = withTwin(node), let rank = rank(node.input(0)), let scale = matcher.shape(node.input(1)),
      node.int("block_size", 0) == 0
    else { return }
    if scale.elementCount != 1 {
      guard let axis = Layout.axis(node.int("axis", 1), rank) else { return }
      made.attributes["axis"] = .int(axis)
    }
    convert(id, made)
  }

  private mutating func quantizedBinary(_ id: NodeID, _ node: Node) throws {
    guard let rank = rank(node.output(0)), rank >= 3 else { return }
    var made = node
    for index in [0, 3] {
      guard let input = node.input(index), let operand = try operand(input, rank) else { return }
      made.inputs[index] = operand
    }
    convert(id, made)
  }
}

extension ChannelsLastWalk {
  /// Normalisations of planes, where scale and bias are given for each channel.
  private mutating func normalize(_ id: NodeID, _ node: Node) {
    guard var made = withTwin(node), let input = matcher.shape(node.input(0)), input.rank >= 3,
      matcher.type(node.input(0)).map({ $0 == .float32 || $0 == .float16 || $0 == .bfloat16 }) == true,
      let scale = matcher.shape(node.input(1)), scale.rank == 1, scale[0].provablyEquals(input[1]),
      node.attributes["parameters_per_group"] == nil
    else { return }
    made.op = OperatorName("NormalizationNHWC", domain: OperatorName.internalDomain)
    made.attributes = ["num_groups": .int(node.int("num_groups", 0))]
    made.attributes["epsilon"] = node.attributes["epsilon"]
    convert(id, made)
  }
}

// MARK: Axes

extension ChannelsLastWalk {
  /// Operators with one attribute `axis`, whose default is the last one.
  private mutating func renameAxis(_ id: NodeID, _ node: Node) {
    guard var made = withTwin(node), let rank = rank(node.input(0)),
      let axis = Layout.axis(node.int("axis", node.op.name == "Split" ? 0 : -1), rank)
    else { return }
    made.attributes["axis"] = .int(axis)
    convert(id, made)
  }

  private mutating func concat(_ id: NodeID, _ node: Node) {
    guard let rank = rank(node.output(0)), rank >= 3, let axis = Layout.axis(node.int("axis", 1), rank) else { return }
    var made = node
    for (index, input) in node.inputs.enumerated() {
      guard let input, self.rank(input) == rank, let twin = transposed(input) else { return }
      made.inputs[index] = twin
    }
    made.attributes["axis"] = .int(axis)
    convert(id, made)
  }

  /// Pad: a vector input with `parts` numbers for each axis, either of all axes or of those in input 3.
  private mutating func renameVector(_ id: NodeID, _ node: Node, parts: Int) throws {
    guard var made = withTwin(node), let rank = rank(node.input(0)), let vector = node.input(1) else { return }
    if let axes = node.input(3) {
      guard let renamed = matcher.constant(axes)?.integers.flatMap({ Layout.axes($0, rank) }) else { return }
      made.inputs[3] = constant(try Tensor(int64: renamed))
    } else {
      made.inputs[1] = try reordered(vector, rank, parts: parts)
    }
    convert(id, made)
  }

  /// A vector of one or two runs of a number for each axis, in the new order.
  private mutating func reordered(_ vector: ValueID, _ rank: Int, parts: Int = 1) throws -> ValueID {
    let order = Layout.toChannelsLast(rank)
    let indices = (0..<parts).flatMap { part in order.map { $0 + part * rank } }
    return addNode("Gather", [vector, constant(try Tensor(int64: indices))], ["axis": .int(0)])
  }

  private mutating func slice(_ id: NodeID, _ node: Node) throws {
    guard var made = withTwin(node), let rank = rank(node.input(0)) else { return }
    let axes: [Int]
    if let given = node.input(3) {
      guard let values = matcher.constant(given)?.integers else { return }
      axes = values
    } else {
      guard case .known(let count)? = matcher.shape(node.input(1))?.dims.first else { return }
      axes = Array(0..<count)
    }
    guard let renamed = Layout.axes(axes, rank) else { return }
    while made.inputs.count < 4 { made.inputs.append(nil) }
    made.inputs[3] = constant(try Tensor(int64: renamed))
    convert(id, made)
  }

  private mutating func resize(_ id: NodeID, _ node: Node) throws {
    guard var made = withTwin(node), let rank = rank(node.input(0)) else { return }
    if let axes = node.ints("axes") {
      guard let renamed = Layout.axes(axes, rank) else { return }
      made.attributes["axes"] = .ints(renamed)
    } else {
      for (index, parts) in [(1, 2), (2, 1), (3, 1)] {
        guard let vector = node.input(index), matcher.shape(vector)?.elementCount != 0 else { continue }
        made.inputs[index] = try reordered(vector, rank, parts: parts)
      }
    }
    convert(id, made)
  }

  private mutating func transpose(_ id: NodeID, _ node: Node) {
    guard var made = withTwin(node), let rank = rank(node.input(0)), let output = node.output(0) else { return }
    let given = node.ints("perm") ?? Array((0..<rank).reversed())
    guard given.count == rank, let perm = Layout.axes(given, rank) else { return }
    if perm == Array(0..<rank), let twin = made.input(0) { return remove(id, output: output, with: twin) }
    made.attributes["perm"] = .ints(perm)
    replace(id, made)
  }

  /// A reader of the shape alone must not keep the old layout alive.
  private mutating func shape(_ id: NodeID, _ node: Node) throws {
    guard let twin = twin(node.input(0)), let rank = rank(node.input(0)), let output = node.output(0) else { return }
    func clamped(_ position: Int) -> Int { min(max(position < 0 ? position + rank : position, 0), rank) }
    let start = clamped(node.int("start", 0))
    let end = max(start, clamped(node.int("end", rank)))
    let order = Array(Layout.toChannelsFirst(rank)[start..<end])
    let sizes = addNode("Shape", [twin])
    let chosen = addNode("Gather", [sizes, constant(try Tensor(int64: order))], ["axis": .int(0)])
    remove(id, output: output, with: chosen)
  }

  /// Images of one pixel have the same elements in the same order in both layouts; and one that only joins the spatial
  /// axes gives a sequence with channels last.
  private mutating func flatten(_ id: NodeID, _ node: Node) throws {
    guard var made = withTwin(node), let input = matcher.shape(node.input(0)) else { return }
    let spatial = input.dims.dropFirst(2)
    let target = matcher.constant(node.input(1))?.integers
    if spatial.allSatisfy({ $0 == 1 }) {
      // A zero keeps the size of an axis, which only the first one has at the same place.
      let isFlatten = node.op.name == "Flatten" && node.int("axis", 1) == 1
      if isFlatten || target.map({ !$0.dropFirst().contains(0) }) ?? false { replace(id, made) }
      return
    }
    guard node.op.name == "Reshape", let target, target.count == 3, node.int("allowzero", 0) == 0,
      let output = matcher.shape(node.output(0)), output.rank == 3, output[0].provablyEquals(input[0]),
      output[1].provablyEquals(input[1])
    else { return }
    made.inputs[1] = constant(try Tensor(int64: [0, -1, input[1].value ?? 0]))
    guard input[1].value != nil, input.dims.allSatisfy({ $0 != 0 }) else { return }
    convert(id, made)
  }
}

// MARK: Elementwise

extension ChannelsLastWalk {
  private static let elementwise: Set<String> = ["Cast", "Clip", "PRelu", "Where", "Identity", "Dropout", "Not", "Mod"]

  private func isElementwise(_ id: NodeID, _ node: Node) -> Bool {
    guard let op = matcher.program.op(id), node.outputs.count == 1, node.attributes["axis"] == nil else { return false }
    return op.elementwiseKernel != nil || Self.elementwise.contains(node.op.name)
  }

  private mutating func elementwise(_ id: NodeID, _ node: Node) throws {
    guard isElementwise(id, node), let rank = rank(node.output(0)), rank >= 3 else { return }
    var made = node
    for (index, input) in node.inputs.enumerated() {
      guard let input else { continue }
      guard let operand = try operand(input, rank) else { return }
      made.inputs[index] = operand
    }
    convert(id, made)
  }

  /// An operand that broadcasts in the new layout as its old form did in the old one; nil if there is none.
  private mutating func operand(_ value: ValueID, _ rank: Int) throws -> ValueID? {
    guard let shape = matcher.shape(value) else { return nil }
    if shape.rank < rank, shape.elementCount == 1 { return twin(value) ?? value }
    if let known = matcher.constant(value), shape.rank <= rank {
      let padded = try known.reshaped(Array(repeating: 1, count: rank - known.rank) + known.shape)
      return constant(try padded.transposed(Layout.toChannelsLast(rank)))
    }
    return shape.rank == rank ? transposed(value) : nil
  }
}

extension Tensor {
  /// The elements with axes in another order: output axis `i` is axis `perm[i]`.
  func transposed(_ perm: [Int]) throws -> Tensor {
    let sizes = perm.map { shape[$0] }
    // Only axes of more than one element have an order.
    let order = perm.filter { shape[$0] > 1 }
    if order == order.sorted() { return try reshaped(sizes) }
    let result = try Tensor(uninitialized: sizes, type: type)
    let (strides, targets) = (shape.rowMajorStrides, sizes.rowMajorStrides)
    let size = type.size
    for index in 0..<count {
      var from = 0
      for axis in sizes.indices { from += index / targets[axis] % sizes[axis] * strides[perm[axis]] }
      (result.mutablePointer + index * size).copyMemory(from: pointer + from * size, byteCount: size)
    }
    return result
  }
}
