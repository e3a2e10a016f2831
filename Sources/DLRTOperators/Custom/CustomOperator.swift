import DLRTGraph

/// An operator of the user's own, made from one node of a model: what its outputs are, and how they are computed.
///
/// One instance serves all sessions of the model and may be asked by several threads at once.
public protocol CustomOperator: Sendable {
  /// States what the outputs are for inputs of these types and shapes, nil for optional ones that are absent.
  ///
  /// It is asked at load, when sizes may be symbols, and again for the sizes of each run's inputs. A dimension that is
  /// `.unknown` in the second case, or a shape that is nil, is one that the data decide: `compute` allocates that output.
  ///
  /// - Returns: one description for each output of the node, or more.
  /// - Throws: whatever is wrong with the inputs; a `DLRTError` keeps its code.
  func infer(_ inputs: [TensorDescription?]) throws -> [TensorDescription]

  /// Computes the outputs. Nothing of `run` may be kept beyond the call.
  func compute(_ run: borrowing OperatorCall) throws
}

/// What is known of a tensor before it exists.
public struct TensorDescription: Sendable {
  public var type: DataType
  /// nil when not even the rank is known, which inputs never are.
  public var shape: Shape?
  /// An input's elements, when they are the same in every run.
  public let constant: Tensor?

  public init(_ type: DataType, _ shape: Shape?) {
    self.type = type
    self.shape = shape
    constant = nil
  }

  init(_ type: DataType, _ shape: Shape, constant: Tensor?) {
    self.type = type
    self.shape = shape
    self.constant = constant
  }
}

/// How models call an operator of the user's own, and how many inputs and outputs it has.
public struct OperatorSignature: Sendable {
  public var name: String
  /// The domain that models import it from.
  public var domain: String
  /// The first version of the domain's operator set that has the operator.
  public var sinceVersion: Int
  public var inputs: ClosedRange<Int>
  public var outputs: ClosedRange<Int>
  /// False when equal inputs may give other results: such a node is never computed at load, nor merged with another.
  public var isDeterministic: Bool

  public init(
    _ name: String, domain: String, sinceVersion: Int = 1, inputs: ClosedRange<Int>, outputs: ClosedRange<Int> = 1...1,
    isDeterministic: Bool = true
  ) {
    self.name = name
    self.domain = domain
    self.sinceVersion = sinceVersion
    self.inputs = inputs
    self.outputs = outputs
    self.isDeterministic = isDeterministic
  }
}
