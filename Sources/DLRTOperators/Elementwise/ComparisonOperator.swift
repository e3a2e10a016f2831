import DLRTGraph

/// An operator that compares elements of two inputs that broadcast.
package protocol ComparisonOperator: BinaryOperator {
  func compare<T: Comparable>(_ a: T, _ b: T) -> Bool
}

extension ComparisonOperator {
  package var inPlaceInputs: [Int] { [] }

  package func infer(_ inference: inout Inference) throws { try inferBinary(&inference, .bool) }

  package func loop(_ type: DataType) throws -> BinaryLoop { try type.dispatch(Comparison(op: self)) }
}

/// The loop of a comparison, for numbers and (by `loop`) for anything that has an order.
struct Comparison<Op: ComparisonOperator>: NumericTask {
  let op: Op

  func run<T: NumericElement>(_ type: T.Type) -> BinaryLoop { loop(type) }

  func loop<T: Comparable & BitwiseCopyable>(_ type: T.Type) -> BinaryLoop {
    let op = op
    return { x, xStride, y, yStride, out, count in
      let x = x.assumingMemoryBound(to: T.self)
      let y = y.assumingMemoryBound(to: T.self)
      let out = out.assumingMemoryBound(to: Bool.self)
      for index in 0..<count { out[index] = op.compare(x[index &* xStride], y[index &* yStride]) }
    }
  }
}

extension OperatorSchema {
  static func comparison(_ name: String, versions: [Int], types: TypeSet) -> OperatorSchema {
    OperatorSchema(
      name, versions: versions, inputs: [("A", "T"), ("B", "T")], outputs: [("C", "T1")],
      types: ["T": types, "T1": .bool])
  }
}
