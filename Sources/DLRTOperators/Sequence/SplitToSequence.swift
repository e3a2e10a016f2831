import DLRTGraph
import Glibc

/// ONNX SplitToSequence (11–24): the parts of a tensor along `axis`: of the sizes in `split`, of one size if that is a
/// scalar (the last may be smaller), or of size 1, then without the axis unless `keepdims`. For every element type.
package struct SplitToSequence: Operator {
  package static let schema = OperatorSchema(
    "SplitToSequence", versions: [11, 24], inputs: [("input", "T"), ("split?", "I")],
    outputs: [("output_sequence", "S")], types: ["T": .all, "I": .indices])

  private let axis: Int
  private let keepsAxis: Bool

  package init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.int("axis", default: 0)
    keepsAxis = try attributes.flag("keepdims", default: true)
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .sequence(.tensor(try inference.type(0))))
    _ = try inference.axis(axis, rank: try inference.rank(0))
    guard inference.has(1), let split = try inference.fact(1).shape else { return }
    guard split.rank <= 1 else {
      throw DLRTError(
        .invalidModel, "wrong rank", tensor: inference.name(1), expected: "a scalar or one axis", got: "shape \(split)")
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let axis = axis < 0 ? axis + shape.count : axis
    let type = planning.type(0)
    let hasSplit = planning.has(1)
    let isScalar = hasSplit && planning.shape(1).isEmpty
    let dropsAxis = !hasSplit && !keepsAxis
    let size = shape[axis]
    let outer = shape.product(0..<axis)
    let inner = shape.product(axis + 1..<shape.count) &* type.size
    return Step(kernel: "sequence") { io in
      let given = hasSplit ? try io.value(1).tensor?.integers ?? [] : [1]
      guard hasSplit && !isScalar || size / max(given.first ?? 1, 1) <= Self.mostParts else {
        throw DLRTError(
          .limitExceeded, "too many parts", tensor: "split", expected: "at most \(Self.mostParts)", got: "\(shape)")
      }
      let sizes = hasSplit && !isScalar ? given : try Self.equalParts(size, given.first ?? 1)
      try Self.check(sizes, size)
      var elements: [Value] = []
      var start = 0
      for count in sizes {
        var part = shape
        part[axis] = count
        var tensor = try Tensor(uninitialized: part, type: type)
        for slice in 0..<outer where count &* inner > 0 {
          memcpy(
            tensor.mutablePointer + slice &* count &* inner, io.input(0) + (slice &* size &+ start) &* inner,
            count &* inner)
        }
        if dropsAxis {
          part.remove(at: axis)
          tensor = try tensor.reshaped(part)
        }
        // Strings live elsewhere; a sequence holds its own.
        elements.append(.tensor(type == .string ? try tensor.copied() : tensor))
        start += count
      }
      try io.setValue(0, .sequence(elements, of: .tensor(type)))
    }
  }

  private static func equalParts(_ size: Int, _ part: Int) throws(DLRTError) -> [Int] {
    guard part > 0 else {
      throw DLRTError(.invalidInput, "not a size of parts", tensor: "split", expected: "1 or more", got: "\(part)")
    }
    return stride(from: 0, to: size, by: part).map { min(part, size - $0) }
  }

  private static let mostParts = 1 << 24

  private static func check(_ sizes: [Int], _ size: Int) throws(DLRTError) {
    guard sizes.checkedSum == size else {
      throw DLRTError(
        .invalidInput, "parts do not fill the axis", tensor: "split", expected: "sizes with sum \(size)",
        got: "\(sizes.prefix(64))")
    }
  }
}

extension [Int] {
  /// The sum of the sizes, or nil when it overflows or a size is negative.
  fileprivate var checkedSum: Int? {
    var sum = 0
    for size in self {
      let (next, overflow) = sum.addingReportingOverflow(size)
      if overflow || size < 0 { return nil }
      sum = next
    }
    return sum
  }
}
