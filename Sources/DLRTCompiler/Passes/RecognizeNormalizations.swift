import DLRTGraph
import DLRTOperators

/// Finds LayerNormalization and RMSNormalization over the last axis that exporters write with primitives.
struct RecognizeNormalizations: Pass {
  let name = "recognize-normalizations"

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    for id in program.graph.order {
      let node = program.graph[id]
      guard node.op == OperatorName("Mul"), let scaled = node.output(0), matcher.type(scaled)?.isFloat == true,
        let (scale, normal) = matcher.split(node, { isVector($0, like: scaled, matcher) }),
        let found = layer(normal, matcher) ?? rootMeanSquare(normal, matcher),
        matcher.type(found.x) == matcher.type(scale)
      else { continue }
      var inputs = [found.x, scale]
      var result = scaled
      if found.isCentered, let reader = matcher.onlyReader(of: scaled), program.graph[reader].op == OperatorName("Add"),
        let (bias, _) = matcher.split(program.graph[reader], { isVector($0, like: scaled, matcher) }),
        let sum = program.graph[reader].output(0)
      {
        inputs.append(bias)
        result = sum
      }
      let op = OperatorName(found.isCentered ? "LayerNormalization" : "RMSNormalization")
      // Numbers of a higher rank give it to the result.
      guard matcher.haveEqualShapes(found.x, result) else { continue }
      let made = patch.node(
        op, name: node.name, attributes: ["axis": .int(-1), "epsilon": .float(Float(found.epsilon))], inputs: inputs,
        output: program.described(result))
      patch.replace(result, with: made)
    }
    return patch
  }

  private struct Normal {
    let x: ValueID
    let epsilon: Double
    let isCentered: Bool
  }

  /// A constant [C] for a value [.., C].
  private func isVector(_ value: ValueID, like result: ValueID, _ matcher: Matcher) -> Bool {
    guard let constant = matcher.constant(value), constant.rank == 1, let shape = matcher.shape(result),
      shape.rank > 0
    else { return false }
    return shape[shape.rank - 1] == .known(constant.count)
  }

  /// (x − mean(x)) / √(mean((x − mean(x))²) + epsilon)
  private func layer(_ value: ValueID, _ matcher: Matcher) -> Normal? {
    guard let (centered, epsilon) = quotient(value, matcher), let difference = matcher.node(centered, "Sub"),
      let x = difference.input(0), let mean = matcher.node(difference.input(1), "ReduceMean"), mean.input(0) == x,
      matcher.reducesLastAxis(mean)
    else { return nil }
    return Normal(x: x, epsilon: epsilon, isCentered: true)
  }

  /// x / √(mean(x²) + epsilon)
  private func rootMeanSquare(_ value: ValueID, _ matcher: Matcher) -> Normal? {
    guard let (x, epsilon) = quotient(value, matcher) else { return nil }
    return Normal(x: x, epsilon: epsilon, isCentered: false)
  }

  /// v / √(mean(v²) + epsilon), as a division or as a product with the reciprocal.
  private func quotient(_ value: ValueID, _ matcher: Matcher) -> (ValueID, Double)? {
    if let division = matcher.node(value, "Div"), let v = division.input(0),
      let epsilon = deviation(division.input(1), of: v, matcher)
    {
      return (v, epsilon)
    }
    guard let product = matcher.node(value, "Mul"),
      let (reciprocal, v) = matcher.split(product, { isReciprocal($0, matcher) })
    else { return nil }
    let root = matcher.node(reciprocal, "Reciprocal")?.input(0) ?? matcher.node(reciprocal, "Div")?.input(1)
    return deviation(root, of: v, matcher).map { (v, $0) }
  }

  private func isReciprocal(_ value: ValueID, _ matcher: Matcher) -> Bool {
    if matcher.node(value, "Reciprocal") != nil { return true }
    guard let division = matcher.node(value, "Div") else { return false }
    return matcher.isScalar(division.input(0), 1)
  }

  /// The epsilon of √(mean(v²) + epsilon).
  private func deviation(_ value: ValueID?, of v: ValueID, _ matcher: Matcher) -> Double? {
    guard let root = matcher.node(value, "Sqrt"), let sum = matcher.node(root.input(0), "Add"),
      let (constant, variance) = matcher.split(sum, { matcher.scalar($0) != nil }),
      let mean = matcher.node(variance, "ReduceMean"), matcher.reducesLastAxis(mean),
      isSquare(mean.input(0), of: v, matcher)
    else { return nil }
    return matcher.scalar(constant)
  }

  private func isSquare(_ value: ValueID?, of v: ValueID, _ matcher: Matcher) -> Bool {
    if let power = matcher.node(value, "Pow") { return power.input(0) == v && matcher.isScalar(power.input(1), 2) }
    if let product = matcher.node(value, "Mul") { return product.inputs == [v, v] }
    return false
  }
}
