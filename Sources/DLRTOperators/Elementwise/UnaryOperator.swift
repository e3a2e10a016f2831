import CKernelSupport
import DLRTGraph

/// A float32 function of the kernel table, with its parameters.
package struct UnaryKernel: Sendable {
  package let function: dlk_unary
  package let a: Float
  package let b: Float

  package init(_ function: dlk_unary, _ a: Float = 0, _ b: Float = 0) {
    self.function = function
    self.a = a
    self.b = b
  }
}

/// Maps `count` elements from `x` to `y`, which is other memory.
package typealias UnaryLoop = @Sendable (_ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer, _ count: Int) -> Void

/// An operator that computes each element of its output from the same element of its only input.
package protocol UnaryOperator: Operator {
  /// The kernel for float32, if the table has one.
  var kernel: UnaryKernel? { get }
  /// The loop for any element type that is not promoted.
  func loop(_ type: DataType) throws -> UnaryLoop
}

extension UnaryOperator {
  package static var promotedTypes: TypeSet { .halfFloats }
  package var inPlaceInputs: [Int] { [0] }
  package var kernel: UnaryKernel? { nil }
  // One text for all of them.
  @_semantics("optimize.sil.specialize.generic.never")
  package var elementwiseKernel: ElementwiseKernel? { .unary(kernel) }

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    node.dropConsumedInputs(version)
  }

  package func infer(_ inference: inout Inference) throws { try inference.sameAsInput() }

  package func plan(_ planning: inout Planning) throws -> Step { try .unary(planning, kernel, loop) }
}

// What is the same for all operators stays out of their specialised code: there are many of them.
extension Step {
  @inline(never)
  static func unary(
    _ planning: Planning, _ kernel: UnaryKernel?, _ loop: (DataType) throws -> UnaryLoop
  ) rethrows -> Step {
    if planning.type(0) == .float32, let kernel { return .unary(planning, kernel) }
    return .unary(planning, try loop(planning.type(0)))
  }

  @inline(never)
  static func unary(_ planning: Planning, _ kernel: UnaryKernel) -> Step {
    let chunks = Chunks(planning.output(0).count, cost: 0.3, multiple: 64)
    let run = planning.kernels.table.pointee.unary
    return Step(kernel: "\(planning.kernels.isa.name)-float32-unary") { io in
      let x = io.input(0, as: Float.self)
      let y = io.output(0, as: Float.self)
      io.parallel(chunks) { range in
        run(kernel.function, kernel.a, kernel.b, x + range.lowerBound, y + range.lowerBound, Int64(range.count))
      }
    }
  }

  @inline(never)
  static func unary(_ planning: Planning, _ loop: @escaping UnaryLoop) -> Step {
    let count = planning.output(0).count
    let chunks = Chunks(count, cost: 2, multiple: 64)
    let inputSize = planning.type(0).size
    let outputSize = planning.outputType(0).size
    let walk = Broadcast(output: [count], inputs: [[count]])
    return Step(kernel: "loop") { io in
      let x = BlockOperand(io.input(0), size: inputSize)
      let y = io.output(0)
      io.parallel(chunks) { range in
        walk.forEachBlock(in: range, [x], y, outputSize: outputSize) { loop($0[0], $1, $2) }
      }
    }
  }
}

/// An operator over floats: of float32 it has a kernel, float64 is computed one by one.
package protocol RealUnaryOperator: UnaryOperator {
  func apply(_ x: Double) -> Double
}

extension RealUnaryOperator {
  package func loop(_ type: DataType) throws -> UnaryLoop {
    guard type == .float64 else { throw type.unsupported }
    let op = self
    return { x, y, count in
      let x = x.assumingMemoryBound(to: Double.self)
      let y = y.assumingMemoryBound(to: Double.self)
      for index in 0..<count { y[index] = op.apply(x[index]) }
    }
  }
}

/// The loop of an operator over floats whose float64 have a function for many at once.
func loopOverDoubles(
  _ type: DataType,
  _ function: @escaping @Sendable (UnsafePointer<Double>, UnsafeMutablePointer<Double>, Int) -> Void
) throws -> UnaryLoop {
  guard type == .float64 else { throw type.unsupported }
  return { x, y, count in
    function(x.assumingMemoryBound(to: Double.self), y.assumingMemoryBound(to: Double.self), count)
  }
}

/// An operator with one formula for floats and integers.
package protocol NumericUnaryOperator: UnaryOperator {
  static func apply<T: NumericElement>(_ x: T) -> T
}

extension NumericUnaryOperator {
  package func loop(_ type: DataType) throws -> UnaryLoop { try type.dispatch(NumericMap<Self>()) }
}

private struct NumericMap<Op: NumericUnaryOperator>: NumericTask {
  func run<T: NumericElement>(_ type: T.Type) -> UnaryLoop {
    { x, y, count in
      let x = x.assumingMemoryBound(to: T.self)
      let y = y.assumingMemoryBound(to: T.self)
      if T.isByte { return Self.map(x, y, count) }
      for index in 0..<count { y[index] = Op.apply(x[index]) }
    }
  }

  @_optimize(speed) @inline(never)
  private static func map<T: NumericElement>(_ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>, _ count: Int) {
    for index in 0..<count { y[index] = Op.apply(x[index]) }
  }
}

extension OperatorSchema {
  /// An operator with one input and one output of the same type.
  @inline(never)
  static func unary(
    _ name: String, versions: [Int], types: TypeSet = .floats, input: String = "X", output: String = "Y"
  ) -> OperatorSchema {
    OperatorSchema(name, versions: versions, inputs: [(input, "T")], outputs: [(output, "T")], types: ["T": types])
  }
}

extension Node {
  /// Removes version 1's hint about memory, which has no effect on results.
  mutating func dropConsumedInputs(_ version: Int) {
    if version < 6 { attributes["consumed_inputs"] = nil }
  }
}
