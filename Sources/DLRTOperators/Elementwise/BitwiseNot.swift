import DLRTGraph

/// ONNX BitwiseNot (18): every bit inverted.
package struct BitwiseNot: UnaryOperator {
  package static let schema = OperatorSchema.unary("BitwiseNot", versions: [18], types: .integers)

  package init(_ attributes: inout AttributeReader) throws {}

  package func loop(_ type: DataType) throws -> UnaryLoop {
    let size = type.size
    return { x, y, count in
      let x = x.assumingMemoryBound(to: UInt8.self)
      let y = y.assumingMemoryBound(to: UInt8.self)
      for index in 0..<count &* size { y[index] = ~x[index] }
    }
  }
}
