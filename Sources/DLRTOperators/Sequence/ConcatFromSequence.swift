import DLRTGraph
import Glibc

/// ONNX ConcatFromSequence (11): the elements joined along `axis`, or stacked along a new one. For every element type.
package struct ConcatFromSequence: Operator {
  package static let schema = OperatorSchema(
    "ConcatFromSequence", versions: [11], inputs: [("input_sequence", "S")], outputs: [("concat_result", "T")],
    types: [:])

  private let axis: Int
  private let stacks: Bool

  package init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.int("axis")
    stacks = try attributes.flag("new_axis")
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setDataDependent(0, try inference.elementType(0))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    Step(kernel: "sequence") { io in
      let tensors = try io.elements(0).compactMap(\.tensor)
      guard let first = tensors.first else {
        throw DLRTError(.invalidInput, "nothing to join", tensor: "input_sequence", expected: "1 element or more")
      }
      let rank = first.rank + (stacks ? 1 : 0)
      guard axis >= -rank, axis < rank else {
        throw DLRTError(.invalidInput, "out of range", tensor: "axis", expected: "-\(rank)..<\(rank)", got: "\(axis)")
      }
      let axis = axis < 0 ? axis + rank : axis
      let parts = try tensors.map { try part($0, like: first, axis) }
      var shape = parts[0].shape
      shape[axis] = 0
      for part in parts {
        let (total, overflow) = shape[axis].addingReportingOverflow(part.shape[axis])
        guard !overflow else { throw DLRTError(.limitExceeded, "the result has no valid size") }
        shape[axis] = total
      }
      let target = try io.allocate(output: 0, shape)
      let inner = shape.product(axis + 1..<rank) &* first.type.size
      var start = 0
      for part in parts {
        let bytes = part.shape[axis] &* inner
        for slice in 0..<shape.product(0..<axis) where bytes > 0 {
          memcpy(target + (slice &* shape[axis] &+ start) &* inner, part.pointer + slice &* bytes, bytes)
        }
        start += part.shape[axis]
      }
    }
  }

  /// An element with the new axis, if there is one, after a check that it fits the others.
  private func part(_ tensor: Tensor, like first: Tensor, _ axis: Int) throws -> Tensor {
    let fits =
      tensor.type == first.type && tensor.rank == first.rank
      && tensor.shape.indices.allSatisfy { tensor.shape[$0] == first.shape[$0] || !stacks && $0 == axis }
    guard fits else {
      throw DLRTError(
        .invalidInput, "shapes do not join along axis \(axis)", tensor: "input_sequence", expected: "\(first.shape)",
        got: "\(tensor.shape)")
    }
    guard stacks else { return tensor }
    var shape = tensor.shape
    shape.insert(1, at: axis)
    return try tensor.reshaped(shape)
  }
}
