import DLRTGraph

/// Repeatable numbers for tests: a small linear congruential generator.
package struct RandomNumbers {
  private var state: UInt64

  package init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1 }

  /// A number in −1...1.
  package mutating func next() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(state >> 11) / Double(1 << 53) * 2 - 1
  }

  package mutating func tensor(_ shape: [Int]) throws -> Tensor {
    try Tensor((0..<shape.product).map { _ in Float(next()) }, shape: shape)
  }
}

extension Tensor {
  /// The same numbers in float64, in which operators compute without the kernels.
  package var widened: Tensor {
    get throws { try Tensor(array(of: Float.self).map(Double.init), shape: shape) }
  }

  /// Whether numbers of float32 or float64 lie near another tensor's; NaN is near NaN.
  package func isNear(_ other: Tensor, _ tolerance: Double = 1e-4) throws -> Bool {
    guard shape == other.shape else { return false }
    func numbers(_ tensor: Tensor) throws -> [Double] {
      tensor.type == .float64 ? try tensor.array() : try tensor.array(of: Float.self).map(Double.init)
    }
    return try zip(numbers(self), numbers(other)).allSatisfy {
      $0 == $1 || ($0.isNaN && $1.isNaN) || ($0 - $1).magnitude <= tolerance * max(1, $1.magnitude)
    }
  }
}
