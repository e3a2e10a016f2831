import CKernelSupport
import DLRTGraph
import DLRTOperators

/// Gives a matrix product what follows it: a scale, a bias, an activation, an addition. The kernel does them while the
/// result is still in registers.
struct FuseMatMul: Pass {
  let name = "fuse-matmul"

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    var taken: Set<NodeID> = []
    for id in program.graph.order where !taken.contains(id) {
      guard var product = FusedProduct(id, matcher) else { continue }
      product.grow(matcher, taken)
      guard product.members.count > 1 else { continue }
      taken.formUnion(product.members)
      let made = patch.node(
        OperatorName("FusedMatMul", domain: OperatorName.internalDomain), name: program.graph[id].name,
        attributes: product.attributes, inputs: product.inputs, output: program.described(product.result))
      patch.replace(product.result, with: made)
      for member in product.members { patch.remove(member) }
    }
    return patch
  }
}

/// A MatMul or Gemm with the nodes that it can take over.
private struct FusedProduct {
  private(set) var members: [NodeID]
  private(set) var result: ValueID
  private let a: ValueID
  private let b: ValueID
  private let transB: Bool
  private var scale: Float = 1
  private var bias: ValueID?
  private var addend: ValueID?
  private var activation: UnaryKernel?
  private var addsLast = false

  init?(_ id: NodeID, _ matcher: Matcher) {
    let node = matcher[id]
    guard let output = node.output(0), matcher.type(output) == .float32, let a = node.input(0), let b = node.input(1)
    else { return nil }
    members = [id]
    result = output
    self.a = a
    self.b = b
    switch node.op {
    case OperatorName("MatMul"): transB = false
    case OperatorName("Gemm"):
      guard node.int("transA", 0) == 0, node.float("alpha", 1) == 1, node.float("beta", 1) == 1 else { return nil }
      transB = node.int("transB", 0) != 0
      if let c = node.input(2) {
        guard isBias(c, for: output, matcher) else { return nil }
        bias = c
      }
    case OperatorName("FusedMatMul", domain: OperatorName.internalDomain):
      // Another pass made it with a bias at most.
      guard node.attributes.keys.allSatisfy({ $0 == "transB" }), node.input(3) == nil else { return nil }
      transB = node.int("transB", 0) != 0
      bias = node.input(2)
    default: return nil
    }
  }

  var inputs: [ValueID?] {
    var inputs: [ValueID?] = [a, b, bias, addend]
    while let last = inputs.last, last == nil { inputs.removeLast() }
    return inputs
  }

  var attributes: [String: Attribute] {
    var attributes: [String: Attribute] = [:]
    if transB { attributes["transB"] = .int(1) }
    if scale != 1 { attributes["scale"] = .float(scale) }
    if let activation { attributes.merge(activation.attributes) { $1 } }
    if addsLast { attributes["addend_last"] = .int(1) }
    return attributes
  }

  /// A constant [N] for a value [.., N]. A matrix by a vector gives a value whose last axis is the matrix's rows.
  private func isBias(_ value: ValueID, for result: ValueID, _ matcher: Matcher) -> Bool {
    guard let factor = matcher.shape(b), factor.rank >= 2, let constant = matcher.constant(value),
      constant.rank == 1, constant.type == .float32,
      let shape = matcher.shape(result), shape.rank > 0
    else { return false }
    return shape[shape.rank - 1] == .known(constant.count)
  }

  /// Takes over one reader after the other, as long as the result has no other.
  mutating func grow(_ matcher: Matcher, _ taken: Set<NodeID>) {
    while let reader = matcher.onlyReader(of: result), !taken.contains(reader), take(reader, matcher) {}
  }

  private mutating func take(_ id: NodeID, _ matcher: Matcher) -> Bool {
    let node = matcher[id]
    guard let output = node.output(0), node.outputs.count == 1, let rank = matcher.shape(result)?.rank,
      matcher.shape(output)?.rank == rank
    else { return false }
    let isPlain = bias == nil && activation == nil && addend == nil
    switch node.op {
    case OperatorName("Mul") where isPlain, OperatorName("Div") where isPlain:
      guard let other = node.inputs.first(where: { $0 != result }) ?? nil, let number = matcher.scalar(other),
        node.op.name == "Mul" || (node.input(0) == result && number != 0)
      else { return false }
      let factor = scale * Float(node.op.name == "Mul" ? number : 1 / number)
      // One product of factors may leave the range in which one after the other stays.
      guard factor.isNormal else { return false }
      scale = factor
    case OperatorName("Add"):
      guard addend == nil, let (_, other) = matcher.split(node, { $0 == result }), other != result else { return false }
      // Before version 7, `axis` says where a bias lies.
      if isPlain, node.attributes["axis"] == nil, isBias(other, for: result, matcher) {
        bias = other
      } else if matcher.type(other) == .float32, matcher.haveEqualShapes(other, result) {
        addend = other
        addsLast = activation != nil
      } else {
        return false
      }
    default:
      guard activation == nil, !addsLast, node.input(0) == result, let kernel = matcher.unaryKernel(id) else {
        return false
      }
      activation = kernel
    }
    members.append(id)
    result = output
    return true
  }
}
