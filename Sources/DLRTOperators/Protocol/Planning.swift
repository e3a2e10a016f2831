import CKernelSupport
import DLRTGraph
import DLRTKernels
import DLRTParallel

/// What an operator sees when it makes its step: concrete shapes, constants, kernels, and the model's packed weights.
package struct Planning {
  package struct Operand: Sendable {
    package let type: ValueType
    package let shape: [Int]
    /// The data, when it is the same in every run of the plan.
    package let constant: Tensor?
    /// Where the elements are at the operand's address; nil for a tensor in memory of its own.
    package let view: StridedView?
    /// True for an output whose size the data decide.
    package let isOpen: Bool

    package init(
      type: ValueType, shape: [Int], constant: Tensor? = nil, view: StridedView? = nil, isOpen: Bool = false
    ) {
      self.type = type
      self.shape = shape
      self.constant = constant
      self.view = view
      self.isOpen = isOpen
    }

    package var count: Int { shape.product }
    package var byteCount: Int { count &* (type.dataType?.size ?? 0) }
  }

  package let inputs: [Operand?]
  /// nil for outputs that nobody reads. Data-dependent outputs have an empty shape.
  package let outputs: [Operand?]
  package let environment: PlanEnvironment

  package init(inputs: [Operand?], outputs: [Operand?], environment: PlanEnvironment) {
    self.inputs = inputs
    self.outputs = outputs
    self.environment = environment
  }
}

/// What all steps of a plan share.
package struct PlanEnvironment: Sendable {
  package let kernels: KernelSet
  /// The threads of a run, which also pack weights.
  package let pool: ThreadPool
  package let weights: WeightStore
  /// Where random operators without a seed of their own start.
  package let seed: UInt64
  /// Takes note of the packed weights that a step reads, for runs to borrow; where nobody does, weights are packed at
  /// once and stay.
  package var uses: PackedWeightList?

  package init(kernels: KernelSet, pool: ThreadPool, weights: WeightStore, seed: UInt64) {
    self.kernels = kernels
    self.pool = pool
    self.weights = weights
    self.seed = seed
  }

  /// The same, for a step whose weights shall be noted.
  package func noting(_ uses: PackedWeightList) -> PlanEnvironment {
    var copy = self
    copy.uses = uses
    return copy
  }
}

extension Planning {
  package var kernels: KernelSet { environment.kernels }
  package var threads: Int { environment.pool.threads }

  package func has(_ index: Int) -> Bool { index < inputs.count && inputs[index] != nil }
  package func wants(output index: Int) -> Bool { index < outputs.count && outputs[index] != nil }

  /// An input that inference has seen; an empty operand for one that is absent.
  package func input(_ index: Int) -> Operand {
    (index < inputs.count ? inputs[index] : nil) ?? Operand(type: .tensor(.float32), shape: [0])
  }

  package func output(_ index: Int) -> Operand {
    (index < outputs.count ? outputs[index] : nil) ?? Operand(type: .tensor(.float32), shape: [0])
  }

  package func shape(_ index: Int) -> [Int] { input(index).shape }
  package func constant(_ index: Int) -> Tensor? { input(index).constant }

  /// The element type of an input that inference has found to be a tensor.
  package func type(_ index: Int) -> DataType { input(index).type.dataType ?? .float32 }
  package func outputType(_ index: Int) -> DataType { output(index).type.dataType ?? .float32 }

  /// The name of a step that has kernels for float32, of its first input, and plain loops for the rest.
  package func kernelName(_ variant: String) -> String {
    type(0) == .float32 ? KernelLibrary.name(variant, isa: kernels.isa) : variant
  }

  /// A constant in a kernel's own layout, shared by all plans and threads of the model. Its address is known now; its
  /// contents are there when the step's body runs.
  ///
  /// - Parameters:
  ///   - companions: other constants of which the packed form is made.
  ///   - format: names the layout; equal formats of the same tensors and instruction set give the same bytes.
  ///   - isLater: the body reads it only after `StepIO.nextWeights`, and then nothing that was there before.
  ///   - fill: writes `byteCount` bytes, as often as they are needed anew.
  package func packed(
    _ tensor: Tensor, with companions: [Tensor?] = [], format: String, byteCount: Int, isLater: Bool = false,
    _ fill: @escaping @Sendable (WeightSource, UnsafeMutableRawPointer) throws -> Void
  ) throws -> TensorStorage {
    let weight = try packed(
      tensor, with: companions, format: format, byteCount: byteCount, units: nil, isLater: isLater
    ) { source, _, target in try fill(source, target) }
    return weight.storage
  }

  /// The same, to be read through `StepIO.withUnits`, so that a large one need not be in memory as a whole.
  package func packed(
    _ tensor: Tensor, with companions: [Tensor?] = [], format: String, byteCount: Int, units: PackedWeight.Units?,
    isLater: Bool = false, _ fill: @escaping PackedWeight.Fill
  ) throws -> PackedWeight {
    let weight = try environment.weights.weight(
      tensor, with: companions, format: "\(kernels.isa.name) \(format)", byteCount: byteCount, units: units,
      environment.pool, fill)
    if let uses = environment.uses {
      uses.note(weight, isLater: isLater)
    } else {
      try environment.weights.keep([weight], environment.pool)
    }
    return weight
  }

  /// A constant in another form, made at once, in memory that `make` finds.
  package func packed(
    _ tensor: Tensor, with companions: [Tensor?] = [], format: String, _ make: (Tensor) throws -> TensorStorage
  ) throws -> TensorStorage {
    try environment.weights.packed(tensor, with: companions, format: "\(kernels.isa.name) \(format)", make)
  }
}
