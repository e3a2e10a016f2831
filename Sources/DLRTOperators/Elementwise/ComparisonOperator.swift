import DLRTGraph

/// An operator that compares elements of two inputs that broadcast.
package protocol ComparisonOperator: BinaryOperator {
  static func compare<T: Comparable>(_ a: T, _ b: T) -> Bool
}

extension ComparisonOperator {
  package var inPlaceInputs: [Int] { [] }

  package func infer(_ inference: inout Inference) throws { try inference.binary(.bool, alignment, combine) }

  package func loop(_ type: DataType) throws -> BinaryLoop { try type.dispatch(Comparison<Self>()) }
}

/// The loops of a comparison, for numbers and (by `loop`) for anything that has an order.
struct Comparison<Op: ComparisonOperator>: NumericTask {
  func run<T: NumericElement>(_ type: T.Type) -> BinaryLoop {
    guard T.isByte || T.self == Float.self else { return loop(type) }
    return { x, y, out, count in
      Self.compare(
        x.assumingMemoryBound(to: T.self), y.assumingMemoryBound(to: T.self), out.assumingMemoryBound(to: Bool.self),
        count)
    }
  }

  func loop<T: Comparable & BitwiseCopyable>(_ type: T.Type) -> BinaryLoop {
    { x, y, out, count in
      let x = x.assumingMemoryBound(to: T.self)
      let y = y.assumingMemoryBound(to: T.self)
      let out = out.assumingMemoryBound(to: Bool.self)
      for index in 0..<count { out[index] = Op.compare(x[index], y[index]) }
    }
  }

  @_optimize(speed) @inline(never)
  private static func compare<T: NumericElement>(
    _ x: UnsafePointer<T>, _ y: UnsafePointer<T>, _ out: UnsafeMutablePointer<Bool>, _ count: Int
  ) {
    for index in 0..<count { out[index] = Op.compare(x[index], y[index]) }
  }

  /// The same with the operands exchanged.
  static func exchanged(_ type: DataType) throws -> BinaryLoop {
    let loop = try type.dispatch(Self())
    return { x, y, out, count in loop(y, x, out, count) }
  }
}

extension OperatorSchema {
  @inline(never)
  static func comparison(_ name: String, versions: [Int], types: TypeSet) -> OperatorSchema {
    OperatorSchema(
      name, versions: versions, inputs: [("A", "T"), ("B", "T")], outputs: [("C", "T1")],
      types: ["T": types, "T1": .bool])
  }
}
