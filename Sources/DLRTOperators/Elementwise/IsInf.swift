import DLRTGraph

/// ONNX IsInf (10–20): true where x is infinite, of the signs asked for.
package struct IsInf: UnaryOperator {
  package static let schema = OperatorSchema(
    "IsInf", versions: [10, 20], inputs: [("X", "T1")], outputs: [("Y", "T2")],
    types: ["T1": [.floats, .float8s], "T2": .bool])
  package static var promotedTypes: TypeSet { [.halfFloats, .float8s] }

  private let detectsPositive: Bool
  private let detectsNegative: Bool

  package init(_ attributes: inout AttributeReader) throws {
    detectsPositive = try attributes.flag("detect_positive", default: true)
    detectsNegative = try attributes.flag("detect_negative", default: true)
  }

  package var inPlaceInputs: [Int] { [] }

  package func infer(_ inference: inout Inference) throws { try inference.boolForEachElement() }

  package func loop(_ type: DataType) throws -> UnaryLoop {
    try type.dispatch(Test(positive: detectsPositive, negative: detectsNegative))
  }

  private struct Test: FloatTask {
    let positive: Bool
    let negative: Bool

    func run<T: RealElement>(_ type: T.Type) -> UnaryLoop {
      let (positive, negative) = (positive, negative)
      return { x, y, count in
        // What is not looked for is looked for in vain.
        Self.test(
          x.assumingMemoryBound(to: T.self), y.assumingMemoryBound(to: Bool.self), count,
          positive ? .infinity : .nan, negative ? -.infinity : .nan)
      }
    }

    @_optimize(speed) @inline(never)
    private static func test<T: RealElement>(
      _ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<Bool>, _ count: Int, _ positive: T, _ negative: T
    ) {
      for index in 0..<count { y[index] = (x[index] == positive) != (x[index] == negative) }
    }
  }
}
