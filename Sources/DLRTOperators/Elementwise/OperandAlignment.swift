import DLRTGraph

/// Where the second operand of a binary operator meets the first one.
///
/// Since version 7 shapes are aligned at their last axes. Before, a node could say at which axis of the first operand
/// the second one begins; that is kept as the attribute `axis`, since a node's ranks are not known at import.
package struct OperandAlignment: Sendable {
  private let axis: Int?

  private init(axis: Int?) { self.axis = axis }

  /// Shapes meet at their last axes.
  package static let last = OperandAlignment(axis: nil)

  @inline(never)
  package init(_ attributes: inout AttributeReader) throws { axis = try attributes.optionalInt("axis") }

  package static func modernize(_ node: inout Node, version: Int) throws {
    guard version < 7 else { return }
    node.dropConsumedInputs(version)
    node.attributes["broadcast"] = nil
  }

  /// The second operand's shape with the axes of size 1 that make it meet the first operand's last axis.
  func aligned(_ shape: Shape, rank: Int) throws -> Shape {
    guard let axis else { return shape }
    let start = axis < 0 ? axis + rank : axis
    guard start >= 0, start + shape.rank <= rank else {
      throw DLRTError(
        .invalidModel, "out of range", tensor: "axis", expected: "0...\(rank - shape.rank)", got: "\(axis)")
    }
    return Shape(shape.dims + [Dim](repeating: 1, count: rank - start - shape.rank))
  }

  /// The same for a shape that inference has checked.
  func aligned(_ shape: [Int], rank: Int) -> [Int] {
    guard let axis else { return shape }
    let start = axis < 0 ? axis + rank : axis
    return shape + [Int](repeating: 1, count: max(0, rank - start - shape.count))
  }
}
