/// The dimensions of a tensor, outermost first; an empty shape is a scalar's.
public struct Shape: Sendable, Hashable {
  public var dims: [Dim]

  public init(_ dims: [Dim]) { self.dims = dims }
  public init(_ sizes: [Int]) { dims = sizes.map(Dim.known) }

  public var rank: Int { dims.count }

  /// The sizes, if all are known.
  public var sizes: [Int]? {
    var result: [Int] = []
    result.reserveCapacity(dims.count)
    for dim in dims {
      guard case .known(let size) = dim else { return nil }
      result.append(size)
    }
    return result
  }

  package subscript(index: Int) -> Dim {
    get { dims[index] }
    set { dims[index] = newValue }
  }

  /// The product of a range of dimensions.
  package func product(_ range: Range<Int>) -> Dim {
    range.reduce(.known(1)) { $0 * dims[$1] }
  }

  package var elementCount: Dim { product(0..<rank) }

  /// Whether both are the same in every run.
  package func provablyEquals(_ other: Shape) -> Bool {
    rank == other.rank && zip(dims, other.dims).allSatisfy { $0.provablyEquals($1) }
  }
}

extension Shape: ExpressibleByArrayLiteral {
  public init(arrayLiteral elements: Dim...) { dims = elements }
}

extension Shape: CustomStringConvertible {
  public var description: String {
    "[" + dims.map(\.description).joined(separator: ", ") + "]"
  }
}

extension [Int] {
  /// The product of the sizes, or nil when it overflows or a size is negative.
  package var checkedProduct: Int? {
    var product = 1
    for size in self {
      guard size >= 0 else { return nil }
      let (next, overflow) = product.multipliedReportingOverflow(by: size)
      if overflow {
        // A later zero still makes the tensor empty.
        return contains(0) && allSatisfy { $0 >= 0 } ? 0 : nil
      }
      product = next
    }
    return product
  }

  /// The product of sizes that were checked before.
  package var product: Int { reduce(1, &*) }

  /// The product over a part of the axes, whose total was checked before.
  package func product(_ range: Range<Int>) -> Int { range.reduce(1) { $0 &* self[$1] } }

  /// Row-major strides in elements.
  package var rowMajorStrides: [Int] {
    var strides = [Int](repeating: 1, count: count)
    var step = 1
    for axis in indices.reversed() {
      strides[axis] = step
      step = step &* self[axis]
    }
    return strides
  }
}
