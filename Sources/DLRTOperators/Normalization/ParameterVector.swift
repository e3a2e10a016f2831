import DLRTGraph

/// Reads numbers of float32 or float64 tensors as float64, for parameters whose type may differ from the data's.
struct ParameterVector {
  let type: DataType
  let base: UnsafeRawPointer

  @inline(__always)
  subscript(index: Int) -> Double {
    type == .float64
      ? base.loadUnaligned(fromByteOffset: index &* 8, as: Double.self)
      : Double(base.loadUnaligned(fromByteOffset: index &* 4, as: Float.self))
  }
}

extension Inference {
  /// Checks that inputs are vectors with one element for each channel.
  func checkVectors(_ indices: [Int], count: Dim) throws {
    for index in indices {
      let shape = try shape(index, rank: 1)
      guard !shape[0].provablyDiffers(count) else {
        throw DLRTError(.invalidModel, "wrong size", tensor: name(index), expected: "[\(count)]", got: "\(shape)")
      }
    }
  }
}
