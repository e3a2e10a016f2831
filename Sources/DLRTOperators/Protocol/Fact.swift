import DLRTGraph

/// What is known of a value before it exists: its type, as much of its shape as can be said, and its data if fixed.
package struct Fact: Sendable {
  package var type: ValueType
  /// nil when not even the rank is known.
  package var shape: Shape?
  /// The data, when it is the same in every run (or, while planning, known for this plan).
  package var constant: Tensor?
  /// The elements of a small integer tensor as far as they are known, so that chains such as
  /// Shape → Gather → Concat → Reshape keep symbols.
  package var elements: [Dim]?

  package init(_ type: ValueType, _ shape: Shape?, constant: Tensor? = nil, elements: [Dim]? = nil) {
    self.type = type
    self.shape = shape
    self.constant = constant
    self.elements = elements
  }

  package init(_ type: DataType, _ shape: Shape?, elements: [Dim]? = nil) {
    self.init(.tensor(type), shape, elements: elements)
  }

  package init(constant: Tensor) {
    self.init(.tensor(constant.type), Shape(constant.shape), constant: constant)
    guard constant.count <= Self.mostElements, constant.type.isInteger, let values = constant.integers else { return }
    // What is beyond counting was clamped.
    if constant.type == .uint64 && values.contains(Int.max) { return }
    elements = values.map(Dim.known)
  }

  /// An output as an operator states it. Numbers that its type does not hold wrap around there; what they are then is not
  /// said.
  package init(_ type: DataType, _ shape: Shape, stated elements: [Dim]?) {
    let isAll = shape.sizes.map { $0.checkedProduct == elements?.count } ?? true
    self.init(.tensor(type), shape, elements: isAll ? elements : nil)
    guard let range = type.integerRange else { return }
    self.elements = self.elements?.map { $0.value.map(range.contains) == false ? .unknown : $0 }
  }

  /// Longer integer tensors are data, not shapes.
  package static let mostElements = 64
}
