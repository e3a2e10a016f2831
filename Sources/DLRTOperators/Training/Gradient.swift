import DLRTGraph

/// ai.onnx.preview.training Gradient (1): the derivatives of the tensor named `y` with respect to those named `xs`.
///
/// Inputs: values for the tensors named in `xs`, then `zs`; outputs: a derivative for each of `xs`, with ones as the
/// derivative of `y`. It exists only in files: reading a model puts the operators of the backward pass in its place, by
/// one rule for each operator between `xs` and `y` (`GradientRules`).
package struct Gradient: Operator {
  package static let schema = OperatorSchema(
    "Gradient", domain: "ai.onnx.preview.training", versions: [1], inputs: [("Inputs...", "T1")],
    outputs: [("Outputs...", "T2")], types: [:])

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    guard case .strings(let xs)? = node.attributes["xs"], case .string(let y)? = node.attributes["y"] else {
      throw DLRTError(.invalidModel, "a required attribute is missing", tensor: "xs, y")
    }
    var zs: [String] = []
    if case .strings(let names)? = node.attributes["zs"] { zs = names }
    guard node.inputs.count == xs.count + zs.count, node.outputs.count <= xs.count else {
      throw DLRTError(
        .invalidModel, "wrong number of inputs or outputs", expected: "\(xs.count + zs.count) and \(xs.count)",
        got: "\(node.inputs.count) and \(node.outputs.count)")
    }
    var differentiator = Differentiator(graph, label: node.name)
    let given = try (xs + zs).map { try differentiator.find($0) }
    let inputs = try zip(xs + zs, node.inputs).map { name, input in
      guard let input else { throw DLRTError(.invalidModel, "a required input is missing", tensor: name) }
      return input
    }
    let target = try differentiator.restate(try differentiator.find(y), at: Dictionary(zip(given, inputs)) { $1 })
    let results = try differentiator.differentiate(target, with: Array(inputs.prefix(xs.count)), stoppingAt: inputs)
    var first: (result: ValueID, output: ValueID)?
    for (result, output) in zip(results, node.outputs) {
      guard let output else { continue }
      if first == nil {
        first = (result, output)
      } else {
        differentiator.name(result, as: output)
      }
    }
    graph = differentiator.graph
    // The node itself becomes the first derivative's name.
    node.op = Identity.schema.op
    node.attributes = [:]
    node.inputs = [first?.result ?? inputs.first]
    node.outputs = [first?.output]
  }

  package init(_ attributes: inout AttributeReader) throws {
    throw DLRTError(.unsupportedModel, "derivatives are taken when a model is read, not later")
  }

  package func infer(_ inference: inout Inference) throws {}

  package func plan(_ planning: inout Planning) throws -> Step { .nothing }
}
