import DLRTGraph
import DLRTOperators

/// The axes before heads, positions and sizes in an attention's values. Attention has one; more, such as images and the
/// windows of each, are one axis in memory already.
struct BatchAxes {
  let rank: Int
  private let leading: [Dim]

  var isOneAxis: Bool { rank == 4 }

  /// The order of axes with heads and positions exchanged.
  var swapped: [Int] { Array(0..<(rank - 3)) + [rank - 2, rank - 3, rank - 1] }

  /// - Parameter shapes: of Q, K, V and the result. Nil where several axes cannot be made one and again several: all
  ///   sizes but one of the batch must be known, and be the same in each.
  init?(_ shapes: [Shape?]) {
    guard let result = shapes.last ?? nil else { return nil }
    rank = result.rank
    leading = Array(result.dims.dropLast(3))
    if rank == 4 { return }
    let known = leading.compactMap(\.value)
    guard known.count >= leading.count - 1, known.allSatisfy({ $0 > 0 }) else { return nil }
    for shape in shapes {
      guard let shape, shape.rank == rank,
        zip(shape.dims, leading).allSatisfy({ $0.provablyEquals($1) }),
        shape.dims.dropFirst(leading.count).allSatisfy({ $0.value.map { $0 > 0 } == true })
      else { return nil }
    }
  }

  /// A value with all axes of the batch as one.
  ///
  /// - Parameter trailing: how many axes follow those of the batch.
  func joined(_ value: ValueID, trailing: Int, _ patch: inout GraphPatch, _ program: Program) -> ValueID {
    guard !isOneAxis, let fact = program.fact(value), let shape = fact.shape else { return value }
    let sizes = shape.dims.suffix(trailing).compactMap(\.value)
    let count = leading.reduce(Dim.known(1), *)
    return reshape(
      value, [-1] + sizes,
      Graph.Value(name: "", type: fact.type, shape: Shape([count] + sizes.map { .known($0) })), &patch)
  }

  /// The attention's result with the axes of the batch again.
  func split(_ value: ValueID, into result: Graph.Value, _ patch: inout GraphPatch) -> ValueID {
    guard !isOneAxis, let shape = result.shape else { return value }
    return reshape(value, shape.dims.map { $0.value ?? -1 }, result, &patch)
  }

  /// A mask without its axes for the batch, which are of size 1.
  func trimmed(_ mask: ValueID, _ patch: inout GraphPatch, _ program: Program) -> ValueID {
    guard let fact = program.fact(mask), let shape = fact.shape, shape.rank > 3 else { return mask }
    let rest = Shape(Array(shape.dims.suffix(3)))
    let axes = (0..<(shape.rank - 3)).map { Int64($0) }
    guard let axes = try? Tensor(axes, shape: [axes.count]) else { return mask }
    return patch.node(
      OperatorName("Squeeze"), inputs: [mask, patch.constant(axes)],
      output: Graph.Value(name: "", type: fact.type, shape: rest))
  }

  private func reshape(
    _ value: ValueID, _ sizes: [Int], _ result: Graph.Value, _ patch: inout GraphPatch
  ) -> ValueID {
    guard let shape = try? Tensor(sizes.map { Int64($0) }, shape: [sizes.count]) else { return value }
    return patch.node(OperatorName("Reshape"), inputs: [value, patch.constant(shape)], output: result)
  }
}
