import DLRTGraph

/// ONNX Reshape (1–25): the same elements under another shape, for every element type.
///
/// In `shape`, 0 copies the input's size at that place (unless `allowzero`), and one -1 stands for what remains.
package struct Reshape: Operator {
  package static let schema = OperatorSchema(
    "Reshape", versions: [1, 5, 13, 14, 19, 21, 23, 24, 25], inputs: [("data", "T"), ("shape", "S")],
    outputs: [("reshaped", "T")], types: ["T": .all, "S": .int64])

  private let allowsZero: Bool

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    guard version < 5 else { return }
    node.attributes["consumed_inputs"] = nil
    try node.moveAttribute("shape", toInput: 1, in: &graph)
  }

  package init(_ attributes: inout AttributeReader) throws {
    allowsZero = try attributes.flag("allowzero")
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    if let rank = try inference.fact(1).shape?.dims.first?.value, rank >= 0, rank < 256 {
      inference.set(0, type, Shape([Dim](repeating: .unknown, count: rank)))
    }
    let target = try inference.dims(1)
    let input = try inference.shape(0)
    let shape = try resolve(target, input)
    inference.set(0, type, shape, elements: shape.rank <= 1 ? inference.inputs[0]?.elements : nil)
  }

  private func resolve(_ target: [Dim], _ input: Shape) throws(DLRTError) -> Shape {
    var dims: [Dim] = []
    var hole: Int?
    for (index, dim) in target.enumerated() {
      switch dim {
      case .known(-1):
        guard hole == nil else { throw wrong(target, "at most one -1") }
        hole = index
        dims.append(.unknown)
      case .known(0) where !allowsZero:
        guard index < input.rank else { throw wrong(target, "0 only where the input, \(input), has a size") }
        dims.append(input[index])
      case .known(let size) where size < 0: throw wrong(target, "sizes, 0 or -1")
      default: dims.append(dim)
      }
    }
    if let hole {
      guard !(allowsZero && target.contains(0)) else { throw wrong(target, "not both 0 and -1 with allowzero") }
      var others = dims
      others.remove(at: hole)
      dims[hole] = try remainder(of: input, after: others)
    } else if let left = Shape(dims).elementCount.value, let right = input.elementCount.value, left != right {
      throw wrong(target, "\(right) elements, as the input \(input) has")
    }
    return Shape(dims)
  }

  /// What is left of the input's elements when they are divided by `others`. Sizes that both have cancel out first, so
  /// that symbols do not get into the way.
  private func remainder(of input: Shape, after others: [Dim]) throws(DLRTError) -> Dim {
    var left = input.dims
    var divisors: [Dim] = []
    for dim in others {
      if let index = left.firstIndex(where: { $0.provablyEquals(dim) }) {
        left.remove(at: index)
      } else {
        divisors.append(dim)
      }
    }
    let divisor = Shape(divisors).elementCount
    let sizes = left.filter { $0.value != nil }
    let symbols = left.filter { $0.value == nil }
    let known = Shape(sizes).elementCount
    if let known = known.value, let divisor = divisor.value {
      if symbols.isEmpty {
        if divisor == 0, known == 0 { return 0 }
        guard divisor > 0, known % divisor == 0 else { throw wrong(others, "sizes that divide those of \(input)") }
        return .known(known / divisor)
      }
      if divisor > 0, known % divisor == 0 { return Shape(symbols).elementCount * .known(known / divisor) }
    }
    return Shape(left).elementCount / divisor
  }

  private func wrong(_ target: [Dim], _ expected: String) -> DLRTError {
    DLRTError(.invalidModel, "cannot reshape", tensor: "shape", expected: expected, got: "\(Shape(target))")
  }

  package func plan(_ planning: inout Planning) throws -> Step { .nothing }

  package var viewedInput: Int? { 0 }
}
