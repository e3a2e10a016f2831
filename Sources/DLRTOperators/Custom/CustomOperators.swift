import DLRTGraph

/// Operators of the user's own, for `Model.Options`.
public struct CustomOperators: Sendable {
  private var kinds: [OperatorKind] = []

  public init() {}

  /// Adds an operator.
  ///
  /// - Parameter make: makes the operator of one node from its attributes, all of which it must read: one that is left
  ///   over is refused.
  /// - Throws: `invalidArgument` for a name or count that cannot be, and for an operator that is there already, in dlrt
  ///   itself or in this set.
  public mutating func add(
    _ signature: OperatorSignature, make: @escaping @Sendable (inout OperatorAttributes) throws -> any CustomOperator
  ) throws {
    let op = OperatorName(signature.name, domain: signature.domain)
    func refuse(_ message: String, expected: String? = nil, got: String? = nil) -> DLRTError {
      DLRTError(.invalidArgument, message, operatorName: op.description, expected: expected, got: got)
    }
    guard !op.name.isEmpty else { throw refuse("an operator has no name") }
    guard op.domain != OperatorName.internalDomain else { throw refuse("the domain is dlrt's own") }
    guard OperatorRegistry.standard[op] == nil else { throw refuse("dlrt has this operator itself") }
    guard !kinds.contains(where: { $0.schema.op == op }) else { throw refuse("the operator is there already") }
    guard (1...Self.latestVersion).contains(signature.sinceVersion) else {
      throw refuse(
        "no such version", expected: "1 to \(Self.latestVersion)", got: "\(signature.sinceVersion)")
    }
    for (what, range, least) in [("inputs", signature.inputs, 0), ("outputs", signature.outputs, 1)] {
      guard range.lowerBound >= least, range.upperBound <= Self.mostOperands else {
        throw refuse(
          "no such number of \(what)", expected: "\(least) to \(Self.mostOperands)",
          got: "\(range.lowerBound) to \(range.upperBound)")
      }
    }
    kinds.append(
      OperatorKind(schema: OperatorSchema(op, signature)) { reader in try CustomNode(signature, &reader, make) })
  }

  /// Adds an operator that has no attributes.
  public mutating func add(
    _ signature: OperatorSignature,
    infer: @escaping @Sendable ([TensorDescription?]) throws -> [TensorDescription],
    compute: @escaping @Sendable (borrowing OperatorCall) throws -> Void
  ) throws {
    try add(signature) { _ in ClosureOperator(inferring: infer, computing: compute) }
  }

  private static let latestVersion = Int(Int32.max)
  private static let mostOperands = 4096

  /// dlrt's operators and these.
  package var registry: OperatorRegistry {
    kinds.isEmpty ? .standard : OperatorRegistry.standard.adding(kinds)
  }
}

/// An operator that two functions make up.
private struct ClosureOperator: CustomOperator {
  let inferring: @Sendable ([TensorDescription?]) throws -> [TensorDescription]
  let computing: @Sendable (borrowing OperatorCall) throws -> Void

  func infer(_ inputs: [TensorDescription?]) throws -> [TensorDescription] { try inferring(inputs) }
  func compute(_ run: borrowing OperatorCall) throws { try computing(run) }
}

extension OperatorSchema {
  fileprivate init(_ op: OperatorName, _ signature: OperatorSignature) {
    func formals(_ what: String, _ range: ClosedRange<Int>) -> [(String, String)] {
      (0..<range.upperBound).map { ("\(what) \($0)\($0 < range.lowerBound ? "" : "?")", "any") }
    }
    self.init(
      op.name, domain: op.domain, versions: [signature.sinceVersion], inputs: formals("input", signature.inputs),
      outputs: formals("output", signature.outputs), types: [:])
  }
}
