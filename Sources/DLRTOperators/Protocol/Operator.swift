import CKernelSupport
import DLRTGraph

/// One operator of ONNX (or of another domain), made from a node's attributes: it answers every question that the
/// engine has about such a node. To add an operator, write one file with a conforming type and one line in its
/// family's registry.
package protocol Operator: Sendable {
  static var schema: OperatorSchema { get }

  /// Brings a node of an older version into the newest form: attributes that became inputs become inputs, renamed
  /// operators get their new name.
  static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws

  /// Element types that are computed in float32: the planner converts inputs and outputs around the step.
  static var promotedTypes: TypeSet { get }

  /// Reads all attributes and checks what can be checked without shapes.
  init(_ attributes: inout AttributeReader) throws

  /// States types and shapes of the outputs, for symbolic shapes at load and for numbers while planning, and checks
  /// everything about the inputs that shapes tell. A step relies on these checks.
  func infer(_ inference: inout Inference) throws

  /// Makes the runnable step for concrete shapes: chooses the kernel, says which weights to pack, asks for workspace.
  func plan(_ planning: inout Planning) throws -> Step

  /// Inputs that hold as many images along their first axis as the output, of which each image depends on theirs alone if
  /// there is more than one and all other inputs are constant; empty for an operator that is not like that.
  ///
  /// - Parameter ranks: of all inputs, 0 for one that is absent.
  func imageInputs(_ ranks: [Int]) -> [Int]

  /// Inputs whose memory the first output may take over when nobody reads them later.
  var inPlaceInputs: [Int] { get }

  /// The input whose bytes are the first output's bytes, so that nothing needs to be done.
  var viewedInput: Int? { get }

  /// For an operator that only rearranges its first input: where that input's memory, laid out as `source` says, has the
  /// elements of an output; nil where they must be moved.
  func view(output index: Int, _ source: StridedView, _ planning: Planning) -> StridedView?

  /// Inputs that the step may read where rearranging operators had them from, if `reads` agrees.
  var viewableInputs: [Int] { get }

  /// Whether the step reads an input through a view.
  func reads(_ view: StridedView, input index: Int, _ planning: Planning) -> Bool

  /// True when the step writes its first output with its axes in any order in memory, but for the last one, whose elements
  /// stay adjacent.
  var writesPermuted: Bool { get }

  /// Whether the step writes its first output into a part of another tensor's memory.
  func writes(_ view: StridedView, _ planning: Planning) -> Bool

  /// False for operators whose result differs from run to run; they are never folded.
  var isDeterministic: Bool { get }

  /// True for an operator that only reads its input's shape, never its data.
  var readsOnlyShapes: Bool { get }

  /// True for an operator whose step is wanted even where all that it makes are tensors without elements.
  var runsWithoutElements: Bool { get }

  /// What an operator of one of the elementwise families does for float32.
  var elementwiseKernel: ElementwiseKernel? { get }
}

/// The kernel of an elementwise operator; nil where the table has none. Passes ask this of every node, and a question is
/// cheaper than a look for a conformance.
package enum ElementwiseKernel: Sendable {
  case unary(UnaryKernel?)
  case binary(dlk_binary?)
  case variadic(dlk_binary)
}

extension Operator {
  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {}
  package static var promotedTypes: TypeSet { [] }
  package func imageInputs(_ ranks: [Int]) -> [Int] { [] }
  package var inPlaceInputs: [Int] { [] }
  package var viewedInput: Int? { nil }
  package var isDeterministic: Bool { true }
  package var readsOnlyShapes: Bool { false }
  package var runsWithoutElements: Bool { false }
  package var elementwiseKernel: ElementwiseKernel? { nil }
}

/// A body of a control-flow operator, compiled and ready to run.
package protocol Subgraph: Sendable {
  /// Formal inputs, captured values included.
  var inputCount: Int { get }
  var outputCount: Int { get }
  /// False when the body holds random operators.
  var isDeterministic: Bool { get }
  /// What the body's outputs are, for inputs of the given facts; nil where it cannot be said.
  func infer(_ inputs: [Fact?]) throws -> [Fact]
  /// Runs the body within a run of the model.
  func run(_ inputs: [Value], in host: any RunHost) throws -> [Value]
}
