import DLRTGraph

/// What ONNX's Reduce operators have in common: the axes are an input (an attribute in older versions); no axes mean
/// all, or none with `noop_with_empty_axes`; folded axes stay with size 1 unless `keepdims` is 0.
package protocol ReduceOperator: Operator {
  static var rule: ReductionRule { get }
  /// The version in which the axes became an input.
  static var axesInputVersion: Int { get }
  var options: ReduceOptions { get }
}

package struct ReduceOptions: Sendable {
  let keepDims: Bool
  let emptyMeansNone: Bool

  init(_ attributes: inout AttributeReader) throws {
    keepDims = try attributes.flag("keepdims", default: true)
    emptyMeansNone = try attributes.flag("noop_with_empty_axes")
  }
}

extension ReduceOperator {
  package static var axesInputVersion: Int { 18 }

  package static func reduceSchema(_ name: String, versions: [Int], _ types: TypeSet) -> OperatorSchema {
    OperatorSchema(
      name, versions: versions, inputs: [("data", "T"), ("axes?", "I")], outputs: [("reduced", "T")],
      types: ["T": types, "I": .int64])
  }

  /// float16 to double and the integers of 32 and 64 bits.
  package static var wideTypes: TypeSet { [.floats, .indices, TypeSet(.uint32, .uint64)] }

  package static var promotedTypes: TypeSet { .halfFloats }

  /// An axis that is folded has size 1, so that what still has several images has kept them apart.
  // One text for all of them.
  @_semantics("optimize.sil.specialize.generic.never")
  package func imageInputs(_ ranks: [Int]) -> [Int] { options.keepDims ? [0] : [] }

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    guard version < axesInputVersion, case .ints(let axes)? = node.attributes.removeValue(forKey: "axes") else {
      return
    }
    node.inputs = [node.input(0), graph.addConstant(try Tensor(int64: axes))]
  }

  private func axes(_ given: [Int], rank: Int, _ inference: Inference) throws -> [Int] {
    if given.isEmpty { return options.emptyMeansNone ? [] : Array(0..<rank) }
    return try inference.axes(given, rank: rank)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let shape = try inference.shape(0)
    let given = inference.has(1) ? try inference.integers(1) : []
    let axes = try axes(given, rank: shape.rank, inference)
    var dims: [Dim] = []
    for axis in 0..<shape.rank {
      if !axes.contains(axis) {
        dims.append(shape[axis])
      } else if options.keepDims {
        dims.append(1)
      }
    }
    inference.set(0, type, Shape(dims))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let type = planning.type(0)
    let given = planning.constant(1)?.integers ?? []
    let axes =
      given.isEmpty
      ? (options.emptyMeansNone ? [] : Array(shape.indices)) : given.map { $0 < 0 ? $0 + shape.count : $0 }
    let reduction = Reduction(Self.rule, shape: shape, axes: axes, type: type)
    if let step = KernelReduction(reduction, type, planning.kernels)?.step { return step }
    let loop = try reduction.loop(type)
    return Step(kernel: "reduce", workspace: reduction.workspaceCount * type.size, skippedInputs: [1]) {
      loop(reduction, $0)
    }
  }
}
