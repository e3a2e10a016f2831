import CKernelSupport
import DLRTGraph
import DLRTOperators

/// Questions that passes ask about a program while they look for patterns.
final class Matcher {
  let program: Program
  // Of the program's graph; to reach them through it copies the graph's own references each time.
  private let nodes: [Node]
  private let values: [Graph.Value]
  private let outputs: [ValueID]

  init(_ program: Program) {
    self.program = program
    nodes = program.graph.nodeTable
    values = program.graph.values
    outputs = program.graph.outputs
  }

  subscript(id: NodeID) -> Node { nodes[id.index] }
  subscript(id: ValueID) -> Graph.Value { values[id.index] }

  func constant(_ id: ValueID?) -> Tensor? { id.flatMap { values[$0.index].constant } }
  func isOutput(_ id: ValueID) -> Bool { outputs.contains(id) }

  func producer(_ value: ValueID?) -> NodeID? { value.flatMap { program.producers[$0] } }

  /// The node that makes a value, if it is of that operator of ONNX's default domain.
  func node(_ value: ValueID?, _ op: String) -> Node? {
    guard let id = producer(value) else { return nil }
    let node = self[id]
    return node.op == OperatorName(op) ? node : nil
  }

  /// How many nodes and graph outputs read a value.
  func useCount(_ value: ValueID) -> Int {
    program.readers[value].count + outputs.count(where: { $0 == value })
  }

  func readers(of value: ValueID) -> ArraySlice<NodeID> { program.readers[value] }

  func type(_ value: ValueID?) -> DataType? { program.fact(value)?.type.dataType }
  func shape(_ value: ValueID?) -> Shape? { program.fact(value)?.shape }

  /// The number that a value is in every run, if it has one element.
  func scalar(_ value: ValueID?) -> Double? {
    guard let constant = constant(value), constant.count == 1 else { return nil }
    return constant.firstNumber
  }

  /// Whether a value is a whole number, which any type of elements holds exactly.
  func isScalar(_ value: ValueID?, _ number: Int) -> Bool { scalar(value) == Double(number) }

  /// How far, relatively, a number may be from another one that it stands for among elements of a value's type. A number
  /// that is further away was learned, and means itself.
  func rounding(_ value: ValueID) -> Double {
    switch type(value) {
    case .float16: 6e-4
    case .bfloat16: 2.5e-3
    default: 1e-6
    }
  }

  /// Splits the two inputs of a commutative node into one that fits and the other.
  func split(_ node: Node, _ fits: (ValueID) -> Bool) -> (fitting: ValueID, other: ValueID)? {
    guard node.inputs.count == 2, let a = node.inputs[0], let b = node.inputs[1] else { return nil }
    if fits(a) { return (a, b) }
    if fits(b) { return (b, a) }
    return nil
  }

  /// The function of the kernel table that a node applies to its first input, if that is all it does.
  func unaryKernel(_ id: NodeID) -> UnaryKernel? {
    if case .unary(let kernel)? = program.op(id)?.elementwiseKernel { return kernel }
    let node = self[id]
    switch node.op {
    case OperatorName("Clip"):
      guard let low = bound(node.input(1), absent: -.infinity), let high = bound(node.input(2), absent: .infinity)
      else {
        return nil
      }
      return UnaryKernel(DLK_UNARY_CLIP, low, high)
    case OperatorName("Pow"):
      guard let exponent = scalar(node.input(1)), constant(node.input(1))?.rank == 0 else { return nil }
      if exponent == 2 { return UnaryKernel(DLK_UNARY_SQUARE) }
      return exponent == 0.5 ? UnaryKernel(DLK_UNARY_SQRT) : nil
    default: return nil
    }
  }

  /// A bound of a Clip: what an absent one means, or a number; nil when only a run knows it.
  private func bound(_ value: ValueID?, absent: Float) -> Float? {
    guard value != nil else { return absent }
    return scalar(value).map { Float($0) }
  }

  /// The only node that reads a value, unless the value is also an output of the graph.
  func onlyReader(of value: ValueID) -> NodeID? {
    let readers = readers(of: value)
    return readers.count == 1 && useCount(value) == 1 ? readers.first : nil
  }

  func haveEqualShapes(_ a: ValueID, _ b: ValueID) -> Bool {
    guard let left = shape(a), let right = shape(b) else { return false }
    return left.provablyEquals(right)
  }

  /// Whether a node reduces the last axis of its input and keeps it.
  func reducesLastAxis(_ node: Node) -> Bool {
    guard node.int("keepdims", 1) == 1, let axes = constant(node.input(1))?.integers, axes.count == 1 else {
      return false
    }
    if axes[0] == -1 { return true }
    guard let rank = shape(node.input(0))?.rank else { return false }
    return axes[0] == rank - 1
  }
}

extension Tensor {
  /// The first element as a number, for float tensors.
  var firstNumber: Double? {
    guard count > 0 else { return nil }
    switch type {
    case .float32: return withUnsafeBytes { Double($0.loadUnaligned(as: Float.self)) }
    case .float64: return withUnsafeBytes { $0.loadUnaligned(as: Double.self) }
    case .float16, .bfloat16: return (try? convertedToFloat32())?.elements(Float.self).first.map(Double.init)
    default: return nil
    }
  }
}
