import DLRT
import DLRTGraph

/// Runs one node as a model of its own.
package enum OperatorRun {
  /// - Parameters:
  ///   - inputs: nil where an optional input is absent.
  ///   - constants: inputs that are constants of the model; the others are given to the run.
  ///   - outputs: how many outputs to ask for.
  package static func tensors(
    _ op: String, domain: String = "", _ inputs: [Tensor?], _ attributes: [String: Attribute] = [:],
    constants: Set<Int> = [], outputs: Int = 1, options: SessionOptions = SessionOptions(threads: 1)
  ) throws -> [Tensor] {
    var builder = GraphBuilder()
    var given: [Value?] = []
    let arguments = inputs.enumerated().map { index, tensor -> ValueID? in
      guard let tensor else { return nil }
      if constants.contains(index) { return builder.constant(tensor) }
      given.append(.tensor(tensor))
      // The rank alone is declared, so that shapes are inferred from the run.
      let shape = Shape((0..<tensor.rank).map { Dim.symbol("d\(index)_\($0)") })
      return builder.input("i\(index)", tensor.type, shape)
    }
    let results = builder.nodes(op, domain: domain, arguments, attributes, outputs: outputs)
    for result in results { builder.output(result) }
    return try builder.run(given, options: options).compactMap(\.tensor)
  }

  /// The only output.
  package static func tensor(
    _ op: String, domain: String = "", _ inputs: [Tensor?], _ attributes: [String: Attribute] = [:],
    constants: Set<Int> = []
  ) throws -> Tensor {
    try tensors(op, domain: domain, inputs, attributes, constants: constants)[0]
  }
}
