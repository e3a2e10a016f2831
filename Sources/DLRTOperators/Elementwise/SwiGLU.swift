import CKernelSupport
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

  package var inPlaceInputs: [Int] { [0] }

  package func plan(_ planning: inout Planning) throws -> Step {
    guard planning.type(0) == .float32 else { return try .binary(planning, .last, nil, loop) }
    let chunks = Chunks(planning.output(0).count, cost: 0.5, multiple: 64)
    let (unary, binary) = (planning.kernels.table.pointee.unary, planning.kernels.table.pointee.binary)
    let alpha = alpha
    return Step(kernel: "\(planning.kernels.isa.name)-float32-swiglu") { io in
      let (gate, value, out) = (io.input(0, as: Float.self), io.input(1, as: Float.self), io.output(0, as: Float.self))
      io.parallel(chunks) { range in
        // Parts that stay in the first cache between the two kernels.
        for start in stride(from: range.lowerBound, to: range.upperBound, by: 2048) {
          let count = min(2048, range.upperBound &- start)
          unary(DLK_UNARY_SILU, alpha, 0, gate + start, out + start, Int64(count))
          var product = dlk_binary_args()
          product.function = DLK_BINARY_MUL
          (product.rows, product.columns) = (1, Int64(count))
          (product.x, product.x_column_stride) = (UnsafePointer(out + start), 1)
          (product.y, product.y_column_stride) = (value + start, 1)
          product.out = out + start
          binary(&product)
        }
      }
    }
  }

  package func loop(_ type: DataType) throws -> BinaryLoop { try type.dispatch(Gate(alpha: alpha)) }

  private struct Gate: FloatTask {
    let alpha: Float

    func run<T: RealElement>(_ type: T.Type) -> BinaryLoop {
      let alpha = T(alpha)
      return { x, y, out, count in
        let x = x.assumingMemoryBound(to: T.self)
        let y = y.assumingMemoryBound(to: T.self)
        let out = out.assumingMemoryBound(to: T.self)
        for index in 0..<count {
          let gate = x[index]
          out[index] = gate * T.sigmoid(alpha * gate) * y[index]
        }
      }
    }
  }
}
