import DLRTGraph

/// ONNX GlobalAveragePool (1, 22): the mean of each plane of `[N, C, spatial…]`. float16, bfloat16, float, double.
package struct GlobalAveragePool: Operator {
  package static let schema = OperatorSchema(
    "GlobalAveragePool", versions: [1, 22], inputs: [("X", "T")], outputs: [("Y", "T")], types: ["T": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws { try GlobalPooling.infer(&inference) }

  package func plan(_ planning: inout Planning) throws -> Step {
    try planning.type(0).dispatch(Plan(planning: planning))
  }

  private struct Plan: FloatTask {
    let planning: Planning
    func run<T: NumericElement & BinaryFloatingPoint>(_ type: T.Type) -> Step {
      GlobalPooling.step(planning) { (plane: UnsafePointer<T>, size) in
        GlobalPooling.fold(PlainSum<T>(), plane, size) / T(size)
      }
    }
  }
}

struct PlainSum<T: NumericElement>: PoolReduction {
  var initial: T { 0 }
  @inline(__always) func combine(_ result: T, _ element: T) -> T { T.add(result, element) }
}
