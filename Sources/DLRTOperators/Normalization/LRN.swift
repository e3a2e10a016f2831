import DLRTGraph

/// ONNX LRN (1, 13): X / (bias + alpha / size · s)^beta, where s sums the squares of `size` neighbouring channels of
/// `[N, C, spatial…]`. float16, bfloat16, float, double.
package struct LRN: Operator {
  package static let schema = OperatorSchema(
    "LRN", versions: [1, 13], inputs: [("X", "T")], outputs: [("Y", "T")], types: ["T": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let alpha: Float
  private let beta: Float
  private let bias: Float
  private let size: Int

  package init(_ attributes: inout AttributeReader) throws {
    alpha = try attributes.float("alpha", default: 1e-4)
    beta = try attributes.float("beta", default: 0.75)
    bias = try attributes.float("bias", default: 1)
    size = try attributes.int("size")
    guard size >= 1, size <= 1 << 31 else {
      throw DLRTError(.invalidModel, "out of range", tensor: "size", expected: "≥ 1", got: "\(size)")
    }
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, try inference.type(0))
    let input = try inference.shape(0)
    guard input.rank >= 2 else {
      throw DLRTError(.invalidModel, "wrong rank", tensor: inference.name(0), expected: "at least 2", got: "\(input)")
    }
    try inference.sameAsInput()
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    try planning.type(0).dispatch(Plan(op: self, layout: ChannelLayout(planning.shape(0))))
  }

  private struct Plan: FloatTask {
    let op: LRN
    let layout: ChannelLayout

    func run<T: RealElement>(_ type: T.Type) -> Step {
      let (before, after) = ((op.size - 1) / 2, op.size / 2)
      let chunks = Chunks(layout.planes, cost: Double(layout.size) * Double(min(op.size, layout.channels) + 10))
      let (alpha, beta, bias) = (T(op.alpha) / T(op.size), T(op.beta), T(op.bias))
      // The usual exponent needs no power.
      let isThreeQuarters = op.beta == 0.75
      return Step(kernel: "channel-window") { [layout] io in
        let (x, y) = (io.input(0, as: T.self), io.output(0, as: T.self))
        io.parallel(chunks) { range in
          for plane in range {
            let channel = plane % layout.channels
            let first = plane &- min(channel, before)
            let last = plane &+ min(layout.channels &- 1 &- channel, after)
            let result = y + plane &* layout.size
            result.update(repeating: 0, count: layout.size)
            for other in first...last { Self.addSquares(x + other &* layout.size, result, layout.size) }
            let own = x + plane &* layout.size
            if isThreeQuarters {
              Self.divide(own, result, layout.size, bias, alpha)
            } else {
              for index in 0..<layout.size {
                result[index] = own[index] / T.pow(bias + alpha * result[index], beta)
              }
            }
          }
        }
      }
    }

    @_optimize(speed) @inline(never)
    private static func addSquares<T: RealElement>(
      _ x: UnsafePointer<T>, _ sums: UnsafeMutablePointer<T>, _ count: Int
    ) {
      for index in 0..<count { sums[index] += x[index] * x[index] }
    }

    @_optimize(speed) @inline(never)
    private static func divide<T: RealElement>(
      _ x: UnsafePointer<T>, _ sums: UnsafeMutablePointer<T>, _ count: Int, _ bias: T, _ alpha: T
    ) {
      for index in 0..<count {
        let root = (bias + alpha * sums[index]).squareRoot()
        sums[index] = x[index] / (root * root.squareRoot())
      }
    }
  }
}
