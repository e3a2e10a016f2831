import DLRTGraph
import Glibc

/// ONNX MaxUnpool (9, 11, 22): puts each element of X where MaxPool found it and zeros elsewhere. Indices count within the
/// whole output that kernel, strides and pads imply; output_shape may be larger, then zeros follow at the ends.
/// float16, bfloat16, float, double.
package struct MaxUnpool: Operator {
  package static let schema = OperatorSchema(
    "MaxUnpool", versions: [9, 11, 22], inputs: [("X", "T1"), ("I", "T2"), ("output_shape?", "T2")],
    outputs: [("output", "T1")], types: ["T1": .floats, "T2": .int64])

  private let window: WindowAttributes
  private let kernel: [Int]

  package init(_ attributes: inout AttributeReader) throws {
    window = try WindowAttributes(&attributes)
    guard let kernel = window.kernelShape else {
      throw DLRTError(.invalidModel, "a required attribute is missing", tensor: "kernel_shape")
    }
    self.kernel = kernel
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let input = try inference.shape(0)
    guard input.rank >= 3 else {
      throw DLRTError(
        .invalidModel, "wrong rank", tensor: inference.name(0), expected: "at least 3", got: "shape \(input)")
    }
    let indices = try inference.shape(1, rank: input.rank)
    for (a, b) in zip(input.dims, indices.dims) where a.provablyDiffers(b) {
      throw DLRTError(
        .invalidModel, "wrong shape", tensor: inference.name(1), expected: "\(input)", got: "\(indices)")
    }
    try window.check(axes: input.rank - 2)
    let implied = Shape(input.dims.prefix(2) + zip(0..., input.dims.dropFirst(2)).map { unpooled($0, $1) })
    guard inference.has(2) else {
      if let sizes = implied.sizes, sizes.contains(where: { $0 < 0 }) {
        throw DLRTError(.invalidModel, "the padding is larger than the output", tensor: "pads", got: "\(implied)")
      }
      return inference.set(0, type, implied)
    }
    let declared = try inference.dims(2)
    guard declared.count == input.rank, declared.allSatisfy({ ($0.value ?? 0) >= 0 }) else {
      throw DLRTError(
        .invalidModel, "no shape of this rank", tensor: inference.name(2), expected: "\(input.rank) sizes",
        got: "\(declared)")
    }
    inference.set(0, type, Shape(declared))
  }

  private func unpooled(_ axis: Int, _ input: Dim) -> Dim {
    let pads = window.pads(axis)
    if input == 0 { return 0 }
    return (input - 1) * .known(window.stride(axis)) + .known(kernel[axis] - pads.begin - pads.end)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let input = planning.shape(0)
    let output = planning.output(0).shape
    let spatial = zip(0..., input.dropFirst(2)).map { unpooled($0, Dim.known($1)).value ?? 0 }
    let implied = Array(input.prefix(2)) + spatial
    let count = input.product
    let size = planning.type(0).size
    let bytes = planning.output(0).byteCount
    let places = PlaceMap(from: implied, to: output)
    return Step(kernel: "unpool") { io in
      let (values, indices, target) = (io.input(0), io.input(1, as: Int64.self), io.output(0))
      memset(target, 0, bytes)
      for index in 0..<count {
        guard let place = places[Int(indices[index])] else {
          throw DLRTError(
            .invalidInput, "index is out of range", tensor: "I", expected: "0..<\(implied.product)",
            got: "\(indices[index])")
        }
        if size == 4 {
          let element = values.load(fromByteOffset: index &* 4, as: UInt32.self)
          target.storeBytes(of: element, toByteOffset: place &* 4, as: UInt32.self)
        } else {
          memcpy(target + place &* size, values + index &* size, size)
        }
      }
    }
  }
}

/// Where an element of one row-major array lies in another, of which the first fills the corner.
private struct PlaceMap: Sendable {
  private let from: [Int]
  private let to: [Int]
  private let count: Int
  private let isSame: Bool

  init(from: [Int], to: [Int]) {
    self.from = from
    self.to = to
    count = from.checkedProduct ?? 0
    isSame = from == to
  }

  /// nil for an index outside of either array.
  subscript(index: Int) -> Int? {
    guard index >= 0, index < count else { return nil }
    if isSame { return index }
    var rest = index
    var place = 0
    var step = 1
    for axis in from.indices.reversed() {
      let coordinate = rest % from[axis]
      rest /= from[axis]
      guard coordinate < to[axis] else { return nil }
      place = place &+ coordinate &* step
      step = step &* to[axis]
    }
    return place
  }
}
