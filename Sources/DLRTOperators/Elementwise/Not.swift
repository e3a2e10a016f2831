import DLRTGraph

/// ONNX Not (1): true where the input is false.
package struct Not: UnaryOperator {
  package static let schema = OperatorSchema.unary("Not", versions: [1], types: .bool)

  package init(_ attributes: inout AttributeReader) throws {}

  package func loop(_ type: DataType) throws -> UnaryLoop {
    { x, y, count in
      invertFlags(x.assumingMemoryBound(to: UInt8.self), y.assumingMemoryBound(to: UInt8.self), count)
    }
  }
}

// Free, so that it stays compiled for speed: see docs/architecture.md.
@_optimize(speed) @inline(never)
private func invertFlags(_ x: UnsafePointer<UInt8>, _ y: UnsafeMutablePointer<UInt8>, _ count: Int) {
  for index in 0..<count { y[index] = x[index] == 0 ? 1 : 0 }
}
