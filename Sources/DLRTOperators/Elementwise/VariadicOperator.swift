import CKernelSupport
import DLRTGraph

/// An operator that folds any number of inputs that broadcast, one after the other.
package protocol VariadicOperator: Operator {
  associatedtype Formula: NumericFormula
  init()
  var kernel: dlk_binary { get }
  /// True when the folded result is divided by the number of inputs.
  var isMean: Bool { get }
}

extension VariadicOperator {
  package init(_ attributes: inout AttributeReader) throws { self.init() }
  package static var promotedTypes: TypeSet { .halfFloats }
  package var inPlaceInputs: [Int] { [0] }
  package var isMean: Bool { false }
  // One text for all of them.
  @_semantics("optimize.sil.specialize.generic.never")
  package var elementwiseKernel: ElementwiseKernel? { .variadic(kernel) }

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    node.dropConsumedInputs(version)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    inference.set(0, type, try inference.broadcast(Array(0..<inference.inputCount)))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    try .fold(planning, kernel, isMean: isMean) { try $0.dispatch(NumericCombine<Formula>()) }
  }
}

extension Step {
  @inline(never)
  fileprivate static func fold(
    _ planning: Planning, _ kernel: dlk_binary, isMean: Bool, _ loop: (DataType) throws -> BinaryLoop
  ) throws -> Step {
    let output = planning.output(0).shape
    let byteCount = planning.output(0).byteCount
    guard planning.inputs.count > 1 else {
      return Step(kernel: "copy") { io in
        if io.input(0) != UnsafeRawPointer(io.output(0)) {
          io.output(0).copyMemory(from: io.input(0), byteCount: byteCount)
        }
      }
    }
    let runs = try planning.inputs.indices.dropFirst().map { index in
      let left = index == 1 ? planning.shape(0) : output
      let walk = Broadcast(output: output, inputs: [left, planning.shape(index)])
      return try BinaryRun(planning, walk, kernel: kernel, loop: loop)
    }
    let divide = isMean ? try planning.type(0).dispatch(Division(divisor: planning.inputs.count)) : nil
    let count = planning.output(0).count
    return Step(kernel: runs[0].name) { io in
      runs[0](io, io.input(0), io.input(1), io.output(0))
      for index in runs.indices.dropFirst() {
        runs[index](io, UnsafeRawPointer(io.output(0)), io.input(index &+ 1), io.output(0))
      }
      divide?(UnsafeRawPointer(io.output(0)), io.output(0), count)
    }
  }
}

private struct Division: FloatTask {
  let divisor: Int

  func run<T: RealElement>(_ type: T.Type) -> UnaryLoop {
    let divisor = T(divisor)
    return { x, y, count in
      let x = x.assumingMemoryBound(to: T.self)
      let y = y.assumingMemoryBound(to: T.self)
      for index in 0..<count { y[index] = x[index] / divisor }
    }
  }
}

extension OperatorSchema {
  @inline(never)
  static func variadic(_ name: String, versions: [Int], types: TypeSet, output: String) -> OperatorSchema {
    OperatorSchema(
      name, versions: versions, inputs: [("data_0...", "T")], outputs: [(output, "T")], types: ["T": types])
  }
}
