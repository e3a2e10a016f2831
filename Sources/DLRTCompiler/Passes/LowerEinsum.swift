import DLRTGraph
import DLRTOperators

/// Writes an Einsum that is a matrix product as MatMul, which other passes know: they give it what follows, and find the
/// attention that it is a part of. Operands whose axes stand in another order need Transpose; that is only done for
/// attention, which reads any order, and for constants.
struct LowerEinsum: Pass {
  let name = "lower-einsum"

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    for id in program.graph.order {
      guard let einsum = program.op(id) as? Einsum, let found = LoweredProduct(id, einsum, matcher) else { continue }
      let node = program.graph[id], fact = program.fact(found.output)
      let result = Graph.Value(name: program.graph[found.output].name, type: fact?.type, shape: fact?.shape)
      let order = found.product.resultOrder
      let left = transposed(found.left, found.product.leftOrder, &patch, program)
      let right = transposed(found.right, found.product.rightOrder, &patch, program)
      if isIdentity(order) {
        let made = patch.node(OperatorName("MatMul"), name: node.name, inputs: [left, right], output: result)
        patch.replace(found.output, with: made)
      } else {
        let made = patch.node(
          OperatorName("MatMul"), name: node.name, inputs: [left, right],
          output: Graph.Value(name: "", type: fact?.type))
        let last = patch.node(
          OperatorName("Transpose"), attributes: ["perm": .ints(order)], inputs: [made], output: result)
        patch.replace(found.output, with: last)
      }
    }
    return patch
  }

  private func transposed(
    _ value: ValueID, _ order: [Int], _ patch: inout GraphPatch, _ program: Program
  ) -> ValueID {
    if isIdentity(order) { return value }
    let fact = program.fact(value)
    return patch.node(
      OperatorName("Transpose"), attributes: ["perm": .ints(order)], inputs: [value],
      output: Graph.Value(
        name: "", type: fact?.type, shape: fact?.shape.map { shape in Shape(order.map { shape[$0] }) }))
  }
}

private func isIdentity(_ order: [Int]) -> Bool { order.elementsEqual(order.indices) }

private struct LoweredProduct {
  let product: EinsumProduct
  let left: ValueID
  let right: ValueID
  let output: ValueID

  init?(_ id: NodeID, _ einsum: Einsum, _ matcher: Matcher) {
    let node = matcher[id]
    guard node.inputs.count == 2, let a = node.inputs[0], let b = node.inputs[1], let output = node.output(0),
      let shapes = matcher.shape(a).flatMap({ first in matcher.shape(b).map { [first, $0] } }),
      matcher.type(output)?.isFloat == true, let product = einsum.product(shapes)
    else { return nil }
    self.product = product
    self.output = output
    (left, right) = product.left == 0 ? (a, b) : (b, a)
    let moved = [(left, product.leftOrder), (right, product.rightOrder)]
      .filter { !isIdentity($0.1) && matcher.constant($0.0) == nil }
    guard moved.isEmpty && isIdentity(product.resultOrder) || Self.isAttention(left, output, matcher) else {
      return nil
    }
  }

  /// Whether the left operand is made by a Softmax, or the result becomes one's input.
  private static func isAttention(_ left: ValueID, _ output: ValueID, _ matcher: Matcher) -> Bool {
    if matcher.node(left, "Softmax") != nil { return true }
    var value = output
    for _ in 0..<4 {
      guard let reader = matcher.onlyReader(of: value), let next = matcher[reader].output(0) else { return false }
      switch matcher[reader].op {
      case OperatorName("Softmax"): return true
      case OperatorName("Add"), OperatorName("Mul"), OperatorName("Div"): value = next
      default: return false
      }
    }
    return false
  }
}
