import DLRTGraph

/// ONNX BitwiseNot (18): every bit inverted.
package struct BitwiseNot: UnaryOperator {
  package static let schema = OperatorSchema.unary("BitwiseNot", versions: [18], types: .integers)

  package init(_ attributes: inout AttributeReader) throws {}

  package func loop(_ type: DataType) throws -> UnaryLoop {
    let size = type.size
    return { x, y, count in
      invertBits(x.assumingMemoryBound(to: UInt8.self), y.assumingMemoryBound(to: UInt8.self), count &* size)
    }
  }
}

// Free, so that it stays compiled for speed: see docs/architecture.md.
@_optimize(speed) @inline(never)
private func invertBits(_ x: UnsafePointer<UInt8>, _ y: UnsafeMutablePointer<UInt8>, _ count: Int) {
  for index in 0..<count { y[index] = ~x[index] }
}
