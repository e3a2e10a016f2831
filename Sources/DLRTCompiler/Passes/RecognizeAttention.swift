import DLRTGraph
import DLRTOperators

/// Finds scaled dot-product attention that exporters write with primitives: softmax(scale · Q · Kᵀ + mask) · V over four
/// axes or more. Where heads were split from and are merged to one axis, the whole becomes the packed form, without
/// transposes.
struct RecognizeAttention: Pass {
  let name = "recognize-attention"

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    for id in program.graph.order {
      guard let pattern = AttentionPattern(id, matcher) else { continue }
      var attributes: [String: Attribute] = ["scale": .float(pattern.scale)]
      if !pattern.unseenIsZero { attributes[Attention.unseenIsNaN] = .int(1) }
      let name = program.graph[id].name
      let packed = pattern.packed(matcher)
      if let packed {
        attributes["q_num_heads"] = .int(packed.heads)
        attributes["kv_num_heads"] = .int(packed.keyHeads)
      }
      let output = packed?.output ?? pattern.output, batch = pattern.batch
      let trailing = packed == nil ? 3 : 2
      var inputs = [packed?.q ?? pattern.q, packed?.k ?? pattern.key(&patch, program), packed?.v ?? pattern.v]
        .map { batch.joined($0, trailing: trailing, &patch, program) as ValueID? }
      inputs[0] = pattern.weighted(inputs[0], &patch, program)
      inputs.append(pattern.mask(for: packed?.k ?? pattern.v, axis: packed == nil ? 2 : 1, &patch, program))
      let fact = program.fact(output)
      let result = Graph.Value(name: program.graph[output].name, type: fact?.type, shape: fact?.shape)
      let made = patch.node(
        OperatorName("Attention"), name: name, attributes: attributes, inputs: inputs,
        output: batch.isOneAxis ? result : Graph.Value(name: "", type: fact?.type))
      patch.replace(output, with: batch.split(made, into: result, &patch))
    }
    return patch
  }
}

/// The parts of an attention: Q and V as [batch…, heads, positions, size], K before it is transposed.
private struct AttentionPattern {
  let batch: BatchAxes
  let output: ValueID
  let q: ValueID
  /// Each head of K and V may serve several heads of Q.
  let v: ValueID
  private let mask: ValueID?
  /// More that is added to the scores, of four axes.
  private let constants: [Tensor]
  /// The mask's last axis may be 1, which to Attention means one key and not all of them.
  private let maskMayRepeat: Bool
  private(set) var scale: Float = 1
  /// A query all of whose keys are hidden gets zeros.
  let unseenIsZero: Bool
  /// A factor for each head, which the scores are multiplied with.
  private let headFactor: ValueID?
  /// What the transposition that makes Kᵀ reads, and its permutation.
  private let keySource: ValueID
  private let keyPermutation: [Int]

  /// - Parameter id: the product with V.
  init?(_ id: NodeID, _ matcher: Matcher) {
    let node = matcher[id]
    guard node.op == OperatorName("MatMul"), let output = node.output(0), let v = node.input(1),
      let rank = matcher.shape(output)?.rank, rank >= 4, matcher.shape(v)?.rank == rank,
      matcher.type(output)?.isFloat == true,
      let (softmax, unseenIsZero) = Self.softmax(node.input(0), matcher), var scores = softmax.input(0)
    else { return nil }
    var mask: ValueID?
    let constants = Self.constantMasks(&scores, matcher)
    if let sum = matcher.node(scores, "Add"), matcher.useCount(scores) == 1,
      let (product, other) = matcher.split(sum, { Self.isScores($0, matcher) })
    {
      guard let shape = matcher.shape(other), (1...rank).contains(shape.rank),
        matcher.type(other) == matcher.type(product),
        Self.isMask(shape, matcher.shape(product))
      else { return nil }
      mask = other
      scores = product
    }
    let (plain, headFactor) = Self.headScaled(scores, matcher)
    guard let (product, factor) = Self.scaled(plain, matcher), matcher.useCount(product) == 1,
      let matmul = matcher.node(product, "MatMul"), let left = matmul.input(0), let right = matmul.input(1),
      let (q, queryScale) = Self.scaled(left, matcher), let (transposed, keyScale) = Self.scaled(right, matcher),
      matcher.shape(q)?.rank == rank, let (source, permutation) = Self.keys(transposed, matcher, rank: rank),
      let batch = BatchAxes([q, source, v, output].map { matcher.shape($0) }),
      Self.repeatsNothing(
        [(q, [0, 1]), (source, permutation == [0, 1, 3, 2] ? [0, 1] : [0, 2]), (v, [0, 1])], output, matcher)
    else { return nil }
    self.batch = batch
    self.unseenIsZero = unseenIsZero
    self.headFactor = headFactor
    guard batch.isOneAxis || headFactor == nil else { return nil }
    let (shared, isShared) = (Self.shared(source, matcher), Self.shared(v, matcher))
    self.output = output
    self.q = q
    // Keys and values must be shared alike.
    let heads = shared.flatMap { matcher.shape($0)?[1] }
    let sharesHeads =
      permutation == [0, 1, 3, 2] && heads != nil
      && isShared.flatMap { matcher.shape($0)?[1] }.map { heads?.provablyEquals($0) == true } == true
    self.v = sharesHeads ? isShared ?? v : v
    self.mask = mask
    self.constants = constants
    // Masks that are added up need as many columns as there are keys.
    guard constants.isEmpty || mask.map({ Self.endsWithKeys(matcher.shape($0), matcher.shape(product)) }) != false
    else { return nil }
    maskMayRepeat = mask.map { !Self.endsWithKeys(matcher.shape($0), matcher.shape(product)) } ?? false
    guard batch.isOneAxis || !maskMayRepeat else { return nil }
    scale = Float(factor * queryScale * keyScale)
    keySource = sharesHeads ? shared ?? source : source
    keyPermutation = permutation
  }

  /// Whether operands have the result's batch and heads at the given two of their last four axes. A product would repeat
  /// one of size 1, as Attention does not.
  private static func repeatsNothing(_ operands: [(ValueID, [Int])], _ output: ValueID, _ matcher: Matcher) -> Bool {
    guard let result = matcher.shape(output)?.dims.suffix(4) else { return false }
    // Of a number and a symbol, the symbol may stand for 1; the result's size, which is either, tells nothing then.
    let agree = (0..<2).allSatisfy { index in
      let sizes = operands.compactMap { value, axes in
        matcher.shape(value).map { $0[$0.rank - 4 + axes[index]] }
      }
      return !sizes.contains { $0.value != nil } || !sizes.contains { $0.value == nil && $0.isNamed }
    }
    guard agree else { return false }
    return operands.allSatisfy { value, axes in
      guard let own = matcher.shape(value)?.dims.suffix(4) else { return false }
      return axes.enumerated().allSatisfy { index, axis in
        let (a, b) = (own[own.startIndex + axis], result[result.startIndex + index])
        // Of two names, one may stand for 1.
        return a.provablyEquals(b) || !(a.isNamed && b.isNamed) && !a.provablyDiffers(b) && (a == 1) == (b == 1)
      }
    }
  }

  /// The Softmax that makes the probabilities, and whether they are zeros, not NaN, where all keys of a query are hidden.
  private static func softmax(_ value: ValueID?, _ matcher: Matcher) -> (Node, unseenIsZero: Bool)? {
    guard let value, matcher.useCount(value) == 1 else { return nil }
    var (found, unseenIsZero) = (matcher.node(value, "Softmax"), false)
    if let choice = matcher.node(value, "Where"), matcher.scalar(choice.input(1)) == 0, let chosen = choice.input(2),
      let test = matcher.node(choice.input(0), "IsNaN"), test.input(0) == chosen, matcher.useCount(chosen) == 2
    {
      (found, unseenIsZero) = (matcher.node(chosen, "Softmax"), true)
    }
    return found.flatMap { isOverLastAxis($0, matcher) ? ($0, unseenIsZero) : nil }
  }

  /// Takes additions of constants off the scores, leaving the first addition; such as one for each window of an image,
  /// which needs one more axis in front while it is added.
  private static func constantMasks(_ scores: inout ValueID, _ matcher: Matcher) -> [Tensor] {
    var found: [Tensor] = []
    while matcher.useCount(scores) == 1, let shape = matcher.shape(scores), shape.rank == 4 {
      var (sum, isWide) = (scores, false)
      if let joined = matcher.node(scores, "Reshape"), let inner = joined.input(0), matcher.useCount(inner) == 1,
        isOneMoreAxis(matcher.shape(inner), shape)
      {
        (sum, isWide) = (inner, true)
      }
      var (next, tensors) = (sum, [Tensor]())
      while tensors.isEmpty || isWide, matcher.useCount(next) == 1, let addition = matcher.node(next, "Add"),
        let (constant, rest) = matcher.split(addition, { matcher.constant($0) != nil }),
        let tensor = matcher.constant(constant), tensor.type == matcher.type(scores)
      {
        tensors.append(tensor)
        next = rest
      }
      if isWide {
        guard let split = matcher.node(next, "Reshape"), let source = split.input(0), matcher.useCount(next) == 1,
          isOneMoreAxis(matcher.shape(next), matcher.shape(source)),
          tensors.allSatisfy({ $0.rank == 5 && $0.shape[0] == 1 })
        else { return found }
        next = source
      }
      let plain = tensors.compactMap { tensor in
        let own = isWide ? Array(tensor.shape.dropFirst()) : tensor.shape
        guard own.count == 4, isMask(Shape(own), shape), endsWithKeys(Shape(own), shape) else { return nil as Tensor? }
        return try? tensor.reshaped(own)
      }
      guard !tensors.isEmpty, plain.count == tensors.count, matcher.node(next, "Add") != nil else { return found }
      found += plain
      scores = next
    }
    return found
  }

  /// Whether a shape is another one with an axis of size 1 before it.
  private static func isOneMoreAxis(_ wide: Shape?, _ narrow: Shape?) -> Bool {
    guard let wide, let narrow, narrow.rank == 4, wide.rank == 5, wide[0] == 1 else { return false }
    return (0..<4).allSatisfy { wide[$0 + 1].provablyEquals(narrow[$0]) }
  }

  /// K as it is before it becomes Kᵀ, and the permutation that makes it so.
  private static func keys(
    _ value: ValueID, _ matcher: Matcher, rank: Int
  ) -> (source: ValueID, permutation: [Int])? {
    if let transpose = matcher.node(value, "Transpose"), let source = transpose.input(0),
      matcher.shape(source)?.rank == rank, case .ints(let permutation)? = transpose.attributes["perm"]
    {
      // What stands before the last three axes matters to none of this.
      let leading = rank - 4, own = permutation.dropFirst(leading).map { $0 - leading }
      guard permutation.prefix(leading).elementsEqual(0..<leading) else { return nil }
      return own == [0, 1, 3, 2] || own == [0, 2, 3, 1] ? (source, own) : nil
    }
    // With batch and heads as one axis meanwhile.
    guard let back = matcher.node(value, "Reshape"), let transpose = matcher.node(back.input(0), "Transpose"),
      case .ints([0, 2, 1])? = transpose.attributes["perm"], let joined = matcher.node(transpose.input(0), "Reshape"),
      let source = joined.input(0), let from = matcher.shape(source), let to = matcher.shape(value), from.rank == 4,
      to.rank == 4, from[0].provablyEquals(to[0]), from[1].provablyEquals(to[1]), from[3].provablyEquals(to[2]),
      let flat = matcher.shape(transpose.input(0)), flat.rank == 3, flat[1].provablyEquals(from[2]),
      flat[2].provablyEquals(from[3])
    else { return nil }
    return (source, [0, 1, 3, 2])
  }

  /// The source [batch, key heads, positions, size] of a value that repeats each of its heads for several others.
  private static func shared(_ value: ValueID, _ matcher: Matcher) -> ValueID? {
    guard let joined = matcher.node(value, "Reshape"), let expand = matcher.node(joined.input(0), "Expand"),
      let unsqueeze = matcher.node(expand.input(0), "Unsqueeze"), let source = unsqueeze.input(0),
      let from = matcher.shape(source), let wide = matcher.shape(expand.output(0)),
      let narrow = matcher.shape(unsqueeze.output(0)), let to = matcher.shape(value), from.rank == 4, to.rank == 4,
      wide.rank == 5, narrow.rank == 5, narrow[2] == 1, let heads = from[1].value, let copies = wide[2].value,
      to[1].provablyEquals(.known(heads) * .known(copies)), wide[1] == from[1], from[3].provablyEquals(to[3]),
      [0, 1, 3, 4].allSatisfy({ wide[$0].provablyEquals(narrow[$0]) })
    else { return nil }
    return source
  }

  private static func isOverLastAxis(_ softmax: Node, _ matcher: Matcher) -> Bool {
    guard case .int(let axis)? = softmax.attributes["axis"] else { return true }
    return axis == -1 || axis + 1 == matcher.shape(softmax.input(0))?.rank
  }

  private static func isScores(_ value: ValueID, _ matcher: Matcher) -> Bool {
    guard let (product, _) = scaled(headScaled(value, matcher).scores, matcher) else { return false }
    return matcher.node(product, "MatMul") != nil
  }

  private static func endsWithKeys(_ mask: Shape?, _ scores: Shape?) -> Bool {
    guard let last = mask?.dims.last, let keys = scores?.dims.last else { return false }
    return last.provablyEquals(keys)
  }

  private static func isMask(_ mask: Shape, _ scores: Shape?) -> Bool {
    guard let scores, scores.rank >= mask.rank else { return false }
    // Several axes of the batch become one, along which a mask is the same.
    if scores.rank > 4, !mask.dims.dropLast(3).allSatisfy({ $0 == 1 }) { return false }
    let offset = scores.rank - mask.rank
    let leading = (0..<(mask.rank - 1)).allSatisfy { axis in
      mask[axis] == 1 || mask[axis].provablyEquals(scores[axis + offset])
    }
    return leading
  }

  /// Scores before each head's are multiplied with a number of its own, as those of unit queries and keys are, and these
  /// numbers.
  private static func headScaled(_ value: ValueID, _ matcher: Matcher) -> (scores: ValueID, factor: ValueID?) {
    guard let node = matcher.node(value, "Mul"), matcher.useCount(value) == 1, let shape = matcher.shape(value),
      shape.rank == 4,
      let (factor, scores) = matcher.split(node, { isPerHead(matcher.shape($0), shape) }),
      let whole = matcher.shape(scores), whole.rank == 4,
      zip(whole.dims, shape.dims).allSatisfy({ $0.provablyEquals($1) }),
      matcher.type(factor) == matcher.type(scores)
    else { return (value, nil) }
    return (scores, factor)
  }

  private static func isPerHead(_ factor: Shape?, _ scores: Shape) -> Bool {
    guard let factor, (3...4).contains(factor.rank), factor.dims.suffix(2).allSatisfy({ $0 == 1 }) else { return false }
    let heads = factor[factor.rank - 3]
    return heads.provablyEquals(scores[1]) && (factor.rank == 3 || factor[0] == 1)
  }

  /// A value without the numbers that it is multiplied with, and their product.
  private static func scaled(_ value: ValueID, _ matcher: Matcher) -> (ValueID, Double)? {
    if let node = matcher.node(value, "Mul"), let (factor, rest) = matcher.split(node, { matcher.scalar($0) != nil }),
      let number = matcher.scalar(factor), matcher.useCount(value) == 1
    {
      return (rest, number)
    }
    if let node = matcher.node(value, "Div"), let rest = node.input(0), let number = matcher.scalar(node.input(1)),
      number != 0, matcher.useCount(value) == 1
    {
      return (rest, 1 / number)
    }
    return (value, 1)
  }

  /// Queries multiplied with what the scores would be, which are more.
  func weighted(_ queries: ValueID?, _ patch: inout GraphPatch, _ program: Program) -> ValueID? {
    guard let headFactor, let queries, let fact = program.fact(queries) else { return queries }
    return patch.node(
      OperatorName("Mul"), inputs: [queries, headFactor],
      output: Graph.Value(name: "", type: fact.type, shape: fact.shape))
  }

  /// The mask with as many columns as there are keys.
  ///
  /// - Parameter keys: a value whose `axis` counts the keys.
  func mask(for keys: ValueID, axis: Int, _ patch: inout GraphPatch, _ program: Program) -> ValueID? {
    var mask = mask
    for constant in constants {
      let other = patch.constant(constant)
      mask = mask.map {
        patch.node(
          OperatorName("Add"), inputs: [$0, other], output: Graph.Value(name: "", type: .tensor(constant.type)))
      }
    }
    if let own = mask, !batch.isOneAxis { mask = batch.trimmed(own, &patch, program) }
    guard let mask, maskMayRepeat, let fact = program.fact(mask), let rank = fact.shape?.rank else { return mask }
    func part(_ value: ValueID, _ range: Range<Int>) -> ValueID {
      patch.node(
        OperatorName("Shape"), attributes: ["start": .int(range.lowerBound), "end": .int(range.upperBound)],
        inputs: [value], output: Graph.Value(name: ""))
    }
    let leading = rank > 1 ? [part(mask, 0..<(rank - 1))] : []
    let shape = patch.node(
      OperatorName("Concat"), attributes: ["axis": .int(0)], inputs: leading + [part(keys, axis..<(axis + 1))],
      output: Graph.Value(name: ""))
    return patch.node(
      OperatorName("Expand"), inputs: [mask, shape], output: Graph.Value(name: "", type: fact.type))
  }

  /// K as [batch…, heads, positions, size].
  func key(_ patch: inout GraphPatch, _ program: Program) -> ValueID {
    if keyPermutation == [0, 1, 3, 2] { return keySource }
    let fact = program.fact(keySource)
    let order = batch.swapped
    let shape = fact?.shape.map { shape in Shape(order.map { shape[$0] }) }
    return patch.node(
      OperatorName("Transpose"), attributes: ["perm": .ints(order)], inputs: [keySource],
      output: Graph.Value(name: "", type: fact?.type, shape: shape))
  }
}

// MARK: The packed form

extension AttentionPattern {
  struct Packed {
    let q: ValueID
    let k: ValueID
    let v: ValueID
    let output: ValueID
    let heads: Int
    let keyHeads: Int
  }

  /// Q, K, V as [batch…, positions, heads · size] if that is where they come from and where the output goes.
  func packed(_ matcher: Matcher) -> Packed? {
    guard headFactor == nil, let query = split(q, matcher), let value = split(v, matcher),
      query.heads % max(value.heads, 1) == 0,
      let key = keyPermutation == [0, 2, 3, 1] ? joined(keySource, matcher) : split(keySource, matcher),
      key.heads == value.heads, let reader = matcher.onlyReader(of: output), isSwap(matcher[reader]),
      let swapped = matcher[reader].output(0), let last = matcher.onlyReader(of: swapped),
      matcher[last].op == OperatorName("Reshape"), let result = matcher[last].output(0),
      let shape = matcher.shape(result), let before = matcher.shape(swapped), shape.rank == before.rank - 1,
      (0..<(shape.rank - 1)).allSatisfy({ shape[$0].provablyEquals(before[$0]) }),
      batch.isOneAxis || shape.dims.count(where: { $0.value == nil }) <= 1
    else { return nil }
    return Packed(
      q: query.source, k: key.source, v: value.source, output: result, heads: query.heads, keyHeads: key.heads)
  }

  private func isSwap(_ node: Node) -> Bool {
    guard node.op == OperatorName("Transpose"), case .ints(let permutation)? = node.attributes["perm"] else {
      return false
    }
    return permutation == batch.swapped
  }

  /// The source of Transpose(Reshape(source)) that makes heads an axis of their own and puts it first.
  private func split(_ value: ValueID, _ matcher: Matcher) -> (source: ValueID, heads: Int)? {
    guard let transpose = matcher.node(value, "Transpose"), isSwap(transpose), let inner = transpose.input(0) else {
      return nil
    }
    return joined(inner, matcher)
  }

  /// The source [batch…, positions, heads · size] of a Reshape to [batch…, positions, heads, size].
  private func joined(_ value: ValueID, _ matcher: Matcher) -> (source: ValueID, heads: Int)? {
    guard let reshape = matcher.node(value, "Reshape"), let source = reshape.input(0),
      let from = matcher.shape(source), let to = matcher.shape(value), to.rank == batch.rank, from.rank == to.rank - 1,
      let heads = to[to.rank - 2].value, let size = to[to.rank - 1].value,
      from[from.rank - 1].provablyEquals(.known(heads) * .known(size)),
      (0..<(from.rank - 1)).allSatisfy({ from[$0].provablyEquals(to[$0]) })
    else { return nil }
    return (source, heads)
  }
}
