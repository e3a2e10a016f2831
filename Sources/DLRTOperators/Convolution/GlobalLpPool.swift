import DLRTGraph
import Glibc

/// ONNX GlobalLpPool (1, 2, 22): (Σ |x|ᵖ)^(1/p) of each plane of `[N, C, spatial…]`. float16, bfloat16, float, double.
package struct GlobalLpPool: Operator {
  package static let schema = OperatorSchema(
    "GlobalLpPool", versions: [1, 2, 22], inputs: [("X", "T")], outputs: [("Y", "T")], types: ["T": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let p: Int

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    try LpNorm.modernize(&node)
  }

  package init(_ attributes: inout AttributeReader) throws { p = try LpNorm.exponent(&attributes) }

  package func infer(_ inference: inout Inference) throws { try GlobalPooling.infer(&inference) }

  package func plan(_ planning: inout Planning) throws -> Step {
    try planning.type(0).dispatch(Plan(planning: planning, p: p))
  }

  private struct Plan: FloatTask {
    let planning: Planning
    let p: Int

    func run<T: NumericElement & BinaryFloatingPoint>(_ type: T.Type) -> Step {
      switch p {
      case 1: GlobalPooling.step(planning) { GlobalPooling.fold(AbsoluteSum<T>(), $0, $1) }
      case 2: GlobalPooling.step(planning) { GlobalPooling.fold(SquareSum<T>(), $0, $1).squareRoot() }
      default:
        GlobalPooling.step(planning) { [p = Double(p)] in
          T(pow(Double(GlobalPooling.fold(PowerSum<T>(p: p), $0, $1)), 1 / p))
        }
      }
    }
  }
}
