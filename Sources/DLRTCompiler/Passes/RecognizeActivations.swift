import DLRTGraph
import DLRTOperators

/// Finds activations that exporters write as products: Gelu (both forms), Swish, HardSwish and Mish. A PRelu with one
/// known slope is a LeakyRelu.
///
/// A product tree is taken apart into factors first, so the order in which an exporter multiplies does not matter.
struct RecognizeActivations: Pass {
  let name = "recognize-activations"

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    var covered: Set<ValueID> = []
    // From the end, so that the largest product is seen before its parts.
    for id in program.graph.order.reversed() {
      let node = program.graph[id]
      guard ["Mul", "Div", "PRelu"].contains(node.op.name), node.op.domain.isEmpty, let output = node.output(0),
        !covered.contains(output), matcher.type(output)?.isFloat == true
      else { continue }
      let product = Product(output, matcher)
      guard let found = leakyRelu(node, matcher) ?? product?.activation(matcher),
        // Numbers of a higher rank give it to the result.
        matcher.haveEqualShapes(found.x, output)
      else { continue }
      covered.formUnion(product?.inner ?? [])
      let made = patch.node(
        OperatorName(found.op), name: node.name, attributes: found.attributes, inputs: [found.x],
        output: program.described(output))
      patch.replace(output, with: made)
      patch.remove(id)
    }
    return patch
  }

  private func leakyRelu(_ node: Node, _ matcher: Matcher) -> Product.Activation? {
    guard node.op.name == "PRelu", let x = node.input(0), let slope = matcher.scalar(node.input(1)),
      Double(Float(slope)) == slope
    else { return nil }
    return Product.Activation(op: "LeakyRelu", x: x, attributes: ["alpha": .float(Float(slope))])
  }
}

/// A tree of multiplications (and divisions by constants) as its factors and a constant.
private struct Product {
  private(set) var factors: [ValueID] = []
  private(set) var constant = 1.0
  /// Products within this one.
  private(set) var inner: Set<ValueID> = []
  /// How far a number may be from what it stands for, by rounding to the type of its elements.
  private let rounding: Double

  struct Activation {
    let op: String
    let x: ValueID
    var attributes: [String: Attribute] = [:]
  }

  init?(_ root: ValueID, _ matcher: Matcher) {
    rounding = matcher.rounding(root)
    var pending = [root]
    while let value = pending.popLast() {
      guard factors.count < 4 else { return nil }
      if let number = matcher.scalar(value) {
        constant *= number
      } else if let node = matcher.node(value, "Mul"), value == root || matcher.useCount(value) == 1 {
        if value != root { inner.insert(value) }
        pending += node.inputs.compactMap { $0 }
      } else if let node = matcher.node(value, "Div"), let divisor = matcher.scalar(node.input(1)), divisor != 0,
        value == root || matcher.useCount(value) == 1, let dividend = node.input(0)
      {
        if value != root { inner.insert(value) }
        constant /= divisor
        pending.append(dividend)
      } else {
        factors.append(value)
      }
    }
  }

  private func near(_ a: Double, _ b: Double) -> Bool { (a - b).magnitude <= rounding * b.magnitude }

  /// The same of a number that exporters write with a few digits.
  private func isAbout(_ a: Double, _ b: Double) -> Bool { (a - b).magnitude <= max(1e-4, rounding) * b.magnitude }

  func activation(_ matcher: Matcher) -> Activation? {
    guard factors.count == 2 else { return nil }
    for (x, gate) in [(factors[0], factors[1]), (factors[1], factors[0])] {
      if let found = gelu(x, gate, matcher) ?? sigmoid(x, gate, matcher) ?? hardSwish(x, gate, matcher)
        ?? mish(x, gate, matcher)
      {
        return found
      }
    }
    return nil
  }

  /// x · (1 + erf(x / √2)) / 2, or with tanh(√(2/π) · (x + 0.044715 · x³)).
  private func gelu(_ x: ValueID, _ gate: ValueID, _ matcher: Matcher) -> Activation? {
    guard near(constant, 0.5), let sum = matcher.node(gate, "Add"),
      let (_, inner) = matcher.split(sum, { matcher.isScalar($0, 1) })
    else { return nil }
    if let erf = matcher.node(inner, "Erf"), let argument = erf.input(0).flatMap({ Product($0, matcher) }),
      argument.factors == [x], isAbout(argument.constant, 0.5.squareRoot())
    {
      return Activation(op: "Gelu", x: x)
    }
    if let tanh = matcher.node(inner, "Tanh"), let argument = tanh.input(0).flatMap({ Product($0, matcher) }),
      isTanhArgument(argument, x, matcher)
    {
      return Activation(op: "Gelu", x: x, attributes: ["approximate": .string("tanh")])
    }
    return nil
  }

  private func isTanhArgument(_ argument: Product, _ x: ValueID, _ matcher: Matcher) -> Bool {
    let scale = 0.7978845608
    if argument.factors.count == 1, isAbout(argument.constant, scale),
      let sum = matcher.node(argument.factors[0], "Add"),
      let (_, cubic) = matcher.split(sum, { $0 == x }), let cube = Product(cubic, matcher)
    {
      return cube.isCube(of: x, matcher) && isAbout(cube.constant, 0.044715)
    }
    // x · (1 + 0.044715 · x²)
    guard argument.factors.count == 2, isAbout(argument.constant, scale), argument.factors.contains(x),
      let other = argument.factors.first(where: { $0 != x }), let sum = matcher.node(other, "Add"),
      let (_, quadratic) = matcher.split(sum, { matcher.isScalar($0, 1) }), let square = Product(quadratic, matcher)
    else { return false }
    return isAbout(square.constant, 0.044715) && (square.factors == [x, x] || square.isPower(of: x, 2, matcher))
  }

  private func isCube(of x: ValueID, _ matcher: Matcher) -> Bool {
    factors == [x, x, x] || isPower(of: x, 3, matcher)
  }

  private func isPower(of x: ValueID, _ exponent: Int, _ matcher: Matcher) -> Bool {
    guard factors.count == 1, let power = matcher.node(factors[0], "Pow") else { return false }
    return power.input(0) == x && matcher.isScalar(power.input(1), exponent)
  }

  /// x · sigmoid(alpha · x)
  private func sigmoid(_ x: ValueID, _ gate: ValueID, _ matcher: Matcher) -> Activation? {
    guard near(constant, 1), let sigmoid = matcher.node(gate, "Sigmoid"), let input = sigmoid.input(0) else {
      return nil
    }
    if input == x { return Activation(op: "Swish", x: x) }
    guard let argument = Product(input, matcher), argument.factors == [x] else { return nil }
    return Activation(op: "Swish", x: x, attributes: ["alpha": .float(Float(argument.constant))])
  }

  /// x · clip(x + 3, 0, 6) / 6, or with HardSigmoid.
  private func hardSwish(_ x: ValueID, _ gate: ValueID, _ matcher: Matcher) -> Activation? {
    if near(constant, 1), let hard = matcher.node(gate, "HardSigmoid"), hard.input(0) == x,
      near(Double(hard.float("alpha", 0.2)), 1 / 6), hard.float("beta", 0.5) == 0.5
    {
      return Activation(op: "HardSwish", x: x)
    }
    guard near(constant, 1 / 6), let clip = matcher.node(gate, "Clip"), isZero(clip.input(1), matcher),
      matcher.isScalar(clip.input(2), 6), let sum = matcher.node(clip.input(0), "Add"),
      let (_, other) = matcher.split(sum, { matcher.isScalar($0, 3) }), other == x
    else { return nil }
    return Activation(op: "HardSwish", x: x)
  }

  private func isZero(_ value: ValueID?, _ matcher: Matcher) -> Bool { matcher.scalar(value) == 0 }

  /// x · tanh(softplus(x))
  private func mish(_ x: ValueID, _ gate: ValueID, _ matcher: Matcher) -> Activation? {
    guard near(constant, 1), let tanh = matcher.node(gate, "Tanh"),
      let softplus = matcher.node(tanh.input(0), "Softplus"), softplus.input(0) == x
    else { return nil }
    return Activation(op: "Mish", x: x)
  }
}
