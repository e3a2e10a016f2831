import DLRTGraph
import DLRTOperators

/// A flat list of steps over one arena: a plan, or the part of it up to where data decide how it goes on.
///
/// A plan without data-dependent shapes is one stage. Otherwise the nodes that must wait are left over, and when the
/// stage has run, the next one is planned for what came out (and kept, by the shapes and values that mattered).
package struct Stage: Sendable {
  /// Where a tensor's bytes are in a run.
  package enum Location: Sendable, Hashable {
    /// Given by the caller or an earlier stage: index into `starts`.
    case start(Int)
    /// A model output that is written to the caller's (or a fresh) tensor: index into the graph's outputs.
    case output(Int)
    case constant(Int)
    /// Offset into the arena.
    case arena(Int)
    /// Allocated by the step that makes it, or a container.
    case dynamic(Int)
  }

  package struct PlannedStep: Sendable {
    package let step: Step
    package let node: NodeID
    /// The first of the step's operands in `operands`: inputs, then outputs.
    package let firstOperand: Int
    package let inputCount: Int
    package let outputCount: Int
    /// Offset of the scratch memory in the arena.
    package let workspace: Int
    /// Bytes read and written, constants included.
    package let bytes: Int
    /// How often the body runs, for an image each time.
    package let images: Int
    /// For each operand, bytes from one image to the next; empty where the body runs once.
    package let imageStrides: [Int]
    /// How many of the next steps take the same images, one after the other with this one.
    package let companions: Int
    /// The weights that the next step with weights of its own begins with.
    package nonisolated(unsafe) var upcoming: UnsafeRawPointer?
  }

  /// One value as a step sees it.
  package struct Operand: Sendable {
    /// nil for an absent optional.
    package let location: Location?
    package let type: ValueType
    /// Empty for data-dependent shapes, which the run notes by dynamic index.
    package let shape: [Int]

    package static let absent = Operand(location: nil, type: .tensor(.float32), shape: [])
  }

  /// A model output that this stage delivers.
  package struct Output: Sendable {
    /// Index into the graph's outputs.
    package let index: Int
    package let operand: Operand
  }

  /// A value that a later stage needs when this stage has run.
  package struct Result: Sendable {
    package let value: ValueID
    package let operand: Operand
  }

  package var steps: [PlannedStep] = []
  package var operands: [Operand] = []
  package var constants: [Tensor] = []
  /// The packed weights that the steps read; nil where there are none.
  package var weights: StageWeights?
  package var arenaBytes = 0
  package var dynamicCount = 0
  /// The values this stage begins with, in the order of `Location.start`.
  package var starts: [ValueID] = []
  /// Model outputs that this stage leaves in their final place, and those that must be copied there.
  package var outputs: [Output] = []

  /// Nodes that wait for what this stage finds out, in order; empty in a plan's last stage.
  package var remaining: [NodeID] = []
  /// What the remaining nodes read.
  package var results: [Result] = []
  /// Values among the results whose contents (not only shapes) the next stage's shapes depend on.
  package var decisive: [ValueID] = []
}
