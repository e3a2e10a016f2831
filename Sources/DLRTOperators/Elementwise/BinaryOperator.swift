import CKernelSupport
import DLRTGraph

/// Combines `count` elements of `x` and `y`, which are not `out`'s memory.
package typealias BinaryLoop =
  @Sendable (
    _ x: UnsafeRawPointer, _ y: UnsafeRawPointer, _ out: UnsafeMutableRawPointer, _ count: Int
  ) -> Void

/// An operator that computes each element of its output from one element of each of two inputs that broadcast.
package protocol BinaryOperator: Operator {
  /// How models older than version 7 place the second operand.
  var alignment: OperandAlignment { get }
  /// The kernel for float32, if the table has one.
  var kernel: dlk_binary? { get }
  /// The loop for any element type that is not promoted.
  func loop(_ type: DataType) throws -> BinaryLoop
  /// The result for elements of a shape, as far as it can be said.
  func combine(_ a: Dim, _ b: Dim) -> Dim
}

extension BinaryOperator {
  package static var promotedTypes: TypeSet { .halfFloats }
  package var inPlaceInputs: [Int] { [0, 1] }
  package var kernel: dlk_binary? { nil }
  // One text for all of them.
  @_semantics("optimize.sil.specialize.generic.never")
  package var elementwiseKernel: ElementwiseKernel? { .binary(kernel) }
  package func combine(_ a: Dim, _ b: Dim) -> Dim { .unknown }

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    try OperandAlignment.modernize(&node, version: version)
  }

  package func infer(_ inference: inout Inference) throws {
    try inference.binary(try inference.type(0), alignment, combine)
  }

  package func plan(_ planning: inout Planning) throws -> Step { try .binary(planning, alignment, kernel, loop) }
}

// What is the same for all operators stays out of their specialised code: there are many of them.
extension Step {
  @inline(never)
  static func binary(
    _ planning: Planning, _ alignment: OperandAlignment, _ kernel: dlk_binary?, _ loop: (DataType) throws -> BinaryLoop
  ) throws -> Step {
    let left = planning.shape(0)
    let walk = Broadcast(
      output: planning.output(0).shape, inputs: [left, alignment.aligned(planning.shape(1), rank: left.count)])
    let run = try BinaryRun(planning, walk, kernel: kernel, loop: loop)
    return Step(kernel: run.name) { io in run(io, io.input(0), io.input(1), io.output(0)) }
  }
}

extension Inference {
  /// Output 0 has the given type and the shape to which inputs 0 and 1 broadcast.
  ///
  /// - Parameter combine: the result for elements of a shape.
  @inline(never)
  mutating func binary(_ type: DataType, _ alignment: OperandAlignment, _ combine: (Dim, Dim) -> Dim) throws {
    setType(0, type)
    let left = try shape(0)
    let right = try alignment.aligned(try shape(1), rank: left.rank)
    set(0, type, try broadcast(left, right, name(1)), elements: combined(combine))
  }

  /// The elements of a small integer result, when both inputs' elements are known at least in part.
  private func combined(_ combine: (Dim, Dim) -> Dim) -> [Dim]? {
    guard let a = inputs[0]?.elements, let b = inputs[1]?.elements, !a.isEmpty, !b.isEmpty else { return nil }
    guard a.count == b.count || a.count == 1 || b.count == 1 else { return nil }
    guard max(inputs[0]?.shape?.rank ?? 2, inputs[1]?.shape?.rank ?? 2) <= 1 else { return nil }
    return (0..<max(a.count, b.count)).map { combine(a[a.count == 1 ? 0 : $0], b[b.count == 1 ? 0 : $0]) }
  }
}

/// A formula for two operands that holds for floats and integers.
package protocol NumericFormula {
  static func apply<T: NumericElement>(_ a: T, _ b: T) -> T
}

/// The loops of a formula.
struct NumericCombine<Formula: NumericFormula>: NumericTask {
  func run<T: NumericElement>(_ type: T.Type) -> BinaryLoop {
    { x, y, out, count in
      let x = x.assumingMemoryBound(to: T.self)
      let y = y.assumingMemoryBound(to: T.self)
      let out = out.assumingMemoryBound(to: T.self)
      if T.isByte || T.self == Int64.self { return Self.combine(x, y, out, count) }
      for index in 0..<count { out[index] = Formula.apply(x[index], y[index]) }
    }
  }

  // Compiled for speed, and therefore vectorised, whatever the rest of the module is compiled for.
  @_optimize(speed) @inline(never)
  private static func combine<T: NumericElement>(
    _ x: UnsafePointer<T>, _ y: UnsafePointer<T>, _ out: UnsafeMutablePointer<T>, _ count: Int
  ) {
    for index in 0..<count { out[index] = Formula.apply(x[index], y[index]) }
  }
}

/// An operator that is such a formula.
package protocol NumericBinaryOperator: BinaryOperator, NumericFormula {}

extension NumericBinaryOperator {
  package func loop(_ type: DataType) throws -> BinaryLoop { try type.dispatch(NumericCombine<Self>()) }
}

/// An operator on bits, so that elements of any size are so many bytes.
package protocol BitwiseBinaryOperator: BinaryOperator {
  static func apply(_ a: UInt8, _ b: UInt8) -> UInt8
}

extension BitwiseBinaryOperator {
  package func loop(_ type: DataType) throws -> BinaryLoop {
    let size = type.size
    return { x, y, out, count in
      Self.combine(
        x.assumingMemoryBound(to: UInt8.self), y.assumingMemoryBound(to: UInt8.self),
        out.assumingMemoryBound(to: UInt8.self), count &* size)
    }
  }

  @_optimize(speed) @inline(never)
  private static func combine(
    _ x: UnsafePointer<UInt8>, _ y: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<UInt8>, _ count: Int
  ) {
    for index in 0..<count { out[index] = apply(x[index], y[index]) }
  }
}

extension OperatorSchema {
  /// An operator with two inputs and one output of the same type.
  @inline(never)
  static func binary(
    _ name: String, versions: [Int], types: TypeSet, inputs: (String, String) = ("A", "B"), output: String = "C"
  ) -> OperatorSchema {
    OperatorSchema(
      name, versions: versions, inputs: [(inputs.0, "T"), (inputs.1, "T")], outputs: [(output, "T")],
      types: ["T": types])
  }
}
