import DLRTGraph
import Glibc

/// Collects the tensors that iterations give, which become slices of one tensor.
struct SliceStack {
  private var slices: [Tensor] = []
  private(set) var byteCount = 0
  private let what: String

  /// - Parameter what: names the output in messages.
  init(_ what: String) { self.what = what }

  var count: Int { slices.count }

  /// - Throws: `invalidInput` when the slice has another type or shape than those before.
  mutating func append(_ value: Value) throws(DLRTError) {
    guard let slice = value.tensor else {
      throw DLRTError(.invalidModel, "an iteration's output is not a tensor", tensor: what, got: "\(value.type)")
    }
    if let first = slices.first, first.type != slice.type || first.shape != slice.shape {
      throw DLRTError(
        .invalidInput, "an iteration's output differs from the one before", tensor: what,
        expected: "\(first.type) \(first.shape)", got: "\(slice.type) \(slice.shape)")
    }
    byteCount = byteCount &+ slice.byteCount
    slices.append(slice)
  }

  /// All slices along a new axis.
  ///
  /// - Parameters:
  ///   - fact: what one slice would be, for the case that there is none.
  ///   - axis: counted from either end of the result's axes.
  ///   - isReversed: the last slice comes first.
  ///   - length: the size of the new axis; slices that are missing are zeros.
  func stacked(of fact: Fact? = nil, axis: Int = 0, isReversed: Bool = false, length: Int? = nil) throws -> Tensor {
    let type = slices.first?.type ?? fact?.type.dataType ?? .float32
    let slice = slices.first?.shape ?? fact?.shape?.dims.map { $0.value ?? 0 } ?? []
    guard axis >= -slice.count - 1, axis <= slice.count else {
      throw DLRTError(
        .invalidModel, "out of range", tensor: "axis of \(what)", expected: "\(-slice.count - 1)...\(slice.count)",
        got: "\(axis)")
    }
    let place = axis < 0 ? axis + slice.count + 1 : axis
    let length = length ?? count
    var shape = slice
    shape.insert(length, at: place)
    let result = try Tensor(zeros: shape, type: type)
    let outer = slice.product(0..<place)
    let inner = slice.product(place..<slice.count) &* type.size
    guard inner > 0 else { return result }
    for (index, source) in slices.enumerated() {
      let position = isReversed ? length &- 1 &- index : index
      for row in 0..<outer {
        let target = result.mutablePointer + (row &* length &+ position) &* inner
        memcpy(target, source.pointer + row &* inner, inner)
      }
    }
    // The bytes of strings belong to the slices.
    return type == .string ? try result.copied() : result
  }
}
