import DLRTGraph

/// ONNX SwiGLU (28): a / (1 + e^(−alpha · a)) · b for two inputs of one shape.
package struct SwiGLU: BinaryOperator {
  package static let schema = OperatorSchema.binary("SwiGLU", versions: [28], types: .floats, output: "Y")

  private let alpha: Float

  package init(_ attributes: inout AttributeReader) throws { alpha = try attributes.float("alpha", default: 1) }

  package var alignment: OperandAlignment { .last }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let (left, right) = (try inference.shape(0), try inference.shape(1))
    guard left.rank == right.rank, !zip(left.dims, right.dims).contains(where: { $0.provablyDiffers($1) }) else {
      throw DLRTError(.invalidModel, "the shapes differ", tensor: "B", expected: "\(left)", got: "\(right)")
    }
    inference.set(0, type, left)
  }

  package func loop(_ type: DataType) throws -> BinaryLoop { try type.dispatch(Gate(alpha: alpha)) }

  private struct Gate: FloatTask {
    let alpha: Float

    func run<T: RealElement>(_ type: T.Type) -> BinaryLoop {
      let alpha = T(alpha)
      return { x, xStride, y, yStride, out, count in
        let x = x.assumingMemoryBound(to: T.self)
        let y = y.assumingMemoryBound(to: T.self)
        let out = out.assumingMemoryBound(to: T.self)
        for index in 0..<count {
          let gate = x[index &* xStride]
          out[index] = gate * T.sigmoid(alpha * gate) * y[index &* yStride]
        }
      }
    }
  }
}
