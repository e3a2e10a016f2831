import DLRTGraph

/// How an optimiser updates parameters: the part in which Adagrad, Adam and Momentum differ.
protocol OptimizerRule: Sendable {
  /// Running averages that each parameter has.
  static var stateCount: Int { get }

  /// Updates a range of one parameter's elements.
  ///
  /// - Parameters:
  ///   - rate: the learning rate.
  ///   - time: how many updates were made before.
  func update<T: RealElement>(_ parameter: OptimizerParameter<T>, rate: T, time: T, _ range: Range<Int>)
}

/// One parameter's tensors. A rule with one kind of state finds it twice.
struct OptimizerParameter<T> {
  let x: UnsafePointer<T>
  let gradient: UnsafePointer<T>
  let first: UnsafePointer<T>
  let second: UnsafePointer<T>
  let newX: UnsafeMutablePointer<T>
  let newFirst: UnsafeMutablePointer<T>
  let newSecond: UnsafeMutablePointer<T>
}

/// What the operators of ai.onnx.preview.training share: the learning rate, the number of updates made, then all
/// parameters, all gradients and each kind of state. Outputs: all new parameters, then each kind of new state.
struct Optimizer<Rule: OptimizerRule>: Sendable {
  static func schema(_ name: String) -> OperatorSchema {
    let real = TypeSet(.float32, .float64)
    return OperatorSchema(
      name, domain: "ai.onnx.preview.training", versions: [1],
      inputs: [("R", "T1"), ("T", "T2"), ("inputs...", "T3")], outputs: [("outputs...", "T3")],
      types: ["T1": real, "T2": .int64, "T3": real])
  }

  let rule: Rule

  /// Tensors of each parameter: itself, its gradient, its states.
  private var kinds: Int { 2 + Rule.stateCount }

  func infer(_ inference: inout Inference) throws {
    for index in 0..<2 {
      guard let count = try inference.fact(index).shape?.elementCount.value, count != 1 else { continue }
      throw DLRTError(
        .invalidModel, "not a single number", tensor: inference.name(index), got: "\(count) elements")
    }
    let tensors = inference.inputCount - 2
    let parameters = tensors / kinds
    guard tensors > 0, tensors % kinds == 0, inference.outputCount <= parameters * (1 + Rule.stateCount) else {
      throw DLRTError(
        .invalidModel, "wrong number of inputs or outputs",
        expected: "\(kinds) inputs and \(1 + Rule.stateCount) outputs for each parameter",
        got: "\(tensors) and \(inference.outputCount)")
    }
    let type = try inference.type(2)
    for index in 0..<inference.outputCount { inference.setType(index, type) }
    for parameter in 0..<parameters {
      let shape = try inference.shape(2 + parameter)
      for kind in 1..<kinds {
        let other = try inference.shape(2 + kind * parameters + parameter)
        guard other.rank == shape.rank, !zip(other.dims, shape.dims).contains(where: { $0.provablyDiffers($1) }) else {
          throw DLRTError(
            .invalidModel, "a parameter's tensors differ in shape",
            tensor: "input \(2 + kind * parameters + parameter)",
            expected: "\(shape)", got: "\(other)")
        }
      }
      for kind in 0...Rule.stateCount { inference.set(kind * parameters + parameter, type, shape) }
    }
  }

  func plan(_ planning: Planning) -> Step {
    planning.type(2) == .float64 ? plan(planning, Double.self) : plan(planning, Float.self)
  }

  private func plan<T: RealElement>(_ planning: Planning, _: T.Type) -> Step {
    let parameters = (planning.inputs.count - 2) / kinds
    let loops = (0..<parameters).map { Chunks(planning.input(2 + $0).count, cost: 2) }
    let isDoubleRate = planning.type(0) == .float64
    // Outputs that nobody reads go to scratch memory.
    let workspace = loops.reduce(0) { max($0, $1.total) } &* MemoryLayout<T>.stride
    return Step(kernel: "update", workspace: workspace) { io in
      let rate = isDoubleRate ? T(io.input(0).load(as: Double.self)) : T(io.input(0).load(as: Float.self))
      let time = T(io.input(1).load(as: Int64.self))
      for (index, loop) in loops.enumerated() {
        let second = Rule.stateCount > 1 ? 2 : 1
        let parameter = OptimizerParameter(
          x: io.input(2 + index, as: T.self), gradient: io.input(2 + parameters + index, as: T.self),
          first: io.input(2 + 2 * parameters + index, as: T.self),
          second: io.input(2 + (1 + second) * parameters + index, as: T.self), newX: io.output(index, as: T.self),
          newFirst: io.output(parameters + index, as: T.self),
          newSecond: io.output(second * parameters + index, as: T.self))
        io.parallel(loop) { rule.update(parameter, rate: rate, time: time, $0) }
      }
    }
  }
}
