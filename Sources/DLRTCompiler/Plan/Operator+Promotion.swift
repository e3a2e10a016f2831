import DLRTGraph
import DLRTOperators

extension Operator {
  /// The operator's step; around it, conversions for element types that it computes in float32.
  package func plannedStep(_ planning: Planning) throws -> Step {
    let promoted = Self.promotedTypes
    let inputs = planning.inputs.map { promotes($0, promoted) }
    let outputs = planning.outputs.map { promotes($0, promoted) }
    guard inputs.contains(true) || outputs.contains(true) else {
      var planning = planning
      return try plan(&planning)
    }
    return try promotedStep(planning, inputs, outputs)
  }

  private func promotes(_ operand: Planning.Operand?, _ types: TypeSet) -> Bool {
    operand?.type.dataType.map { types.contains($0) } ?? false
  }

  private func promotedStep(_ planning: Planning, _ inputs: [Bool], _ outputs: [Bool]) throws -> Step {
    func widened(_ operand: Planning.Operand?, _ isPromoted: Bool) throws -> Planning.Operand? {
      guard let operand, isPromoted else { return operand }
      let constant = try operand.constant.map { tensor in
        let storage = try planning.packed(tensor, format: "float32") { try $0.convertedToFloat32().storage }
        return Tensor(.float32, tensor.shape, storage)
      }
      return Planning.Operand(type: .tensor(.float32), shape: operand.shape, constant: constant)
    }
    var inner = Planning(
      inputs: try zip(planning.inputs, inputs).map { try widened($0, $1) },
      outputs: try zip(planning.outputs, outputs).map { try widened($0, $1) },
      environment: planning.environment)
    let step = try plan(&inner)
    return Step.converting(step, planning, inner: inner, inputs: inputs, outputs: outputs)
  }
}
