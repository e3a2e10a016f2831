import DLRTGraph

/// ONNX IsNaN (9–20): true where x is not a number.
package struct IsNaN: UnaryOperator {
  package static let schema = OperatorSchema(
    "IsNaN", versions: [9, 13, 20], inputs: [("X", "T1")], outputs: [("Y", "T2")],
    types: ["T1": [.floats, .float8s], "T2": .bool])
  package static var promotedTypes: TypeSet { [.halfFloats, .float8s] }

  package init(_ attributes: inout AttributeReader) throws {}

  package var inPlaceInputs: [Int] { [] }

  package func infer(_ inference: inout Inference) throws { try inference.boolForEachElement() }

  package func loop(_ type: DataType) throws -> UnaryLoop { try type.dispatch(Test()) }

  private struct Test: FloatTask {
    func run<T: RealElement>(_ type: T.Type) -> UnaryLoop {
      { x, y, count in
        Self.test(x.assumingMemoryBound(to: T.self), y.assumingMemoryBound(to: Bool.self), count)
      }
    }

    @_optimize(speed) @inline(never)
    private static func test<T: RealElement>(_ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<Bool>, _ count: Int) {
      for index in 0..<count { y[index] = x[index] != x[index] }
    }
  }
}

extension Inference {
  /// Output 0 says something about every element of input 0.
  mutating func boolForEachElement() throws {
    setType(0, .bool)
    set(0, .bool, try shape(0))
  }
}
