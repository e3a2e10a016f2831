import DLRTGraph

/// ONNX MatMul (1–13): the matrix product of NumPy's matmul. The last two axes are matrices, the others broadcast;
/// a vector is a row on the left and a column on the right. Integers wrap around.
package struct MatMul: Operator {
  package static let schema = OperatorSchema(
    "MatMul", versions: [1, 9, 13], inputs: [("A", "T"), ("B", "T")], outputs: [("Y", "T")],
    types: ["T": .products])
  package static let promotedTypes = TypeSet.halfFloats

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    inference.set(0, type, try inference.matmulShape(0, 1))
  }

  package func imageInputs(_ ranks: [Int]) -> [Int] { MatrixProduct.imageInputs(ranks) }

  package func plan(_ planning: inout Planning) throws -> Step {
    let product = MatrixProduct(matmul: planning.shape(0), planning.shape(1))
    let type = planning.type(0)
    guard type == .float32 else {
      return try ProductTask(body: Body(product: product, size: type.size)).dispatch(type)
    }
    let floats = try FloatProduct(product, planning, a: planning.constant(0), b: planning.constant(1))
    return Step(
      kernel: floats.name, flops: product.flops, workspace: floats.workspace, skippedInputs: floats.skipped(0, 1),
      firstRead: floats.firstRead
    ) { io in
      floats.run(
        io, io.input(0, as: Float.self), io.input(1, as: Float.self), io.output(0, as: Float.self),
        scratch: io.workspace)
    }
  }

  private struct Body: ProductBody {
    let product: MatrixProduct
    let size: Int

    func run<T: NumericElement>(_ type: T.Type) -> Step {
      Step(kernel: "matmul-loops", flops: product.flops, workspace: product.loopWorkspace * size) { io in
        product.runLoops(
          io, io.input(0, as: T.self), io.input(1, as: T.self), io.output(0, as: T.self), scratch: io.workspace)
      }
    }
  }
}

extension TypeSet {
  /// The element types of ONNX's matrix products.
  static let products: TypeSet = [.floats, TypeSet(.int32, .int64, .uint32, .uint64)]
}

extension Inference {
  /// The shape of NumPy's matmul of two inputs.
  ///
  /// - Parameter transposesRight: the right input's last two axes are exchanged first.
  package func matmulShape(_ left: Int, _ right: Int, transposesRight: Bool = false) throws -> Shape {
    let a = try shape(left)
    var b = try shape(right)
    if transposesRight, b.rank > 1 { b.dims.swapAt(b.rank - 1, b.rank - 2) }
    for (index, shape) in [(left, a), (right, b)] where shape.rank == 0 {
      throw DLRTError(.invalidModel, "a scalar has no matrix product", tensor: name(index), expected: "rank 1 or more")
    }
    let depth = b.rank == 1 ? b[0] : b[b.rank - 2]
    guard !a[a.rank - 1].provablyDiffers(depth) else {
      throw DLRTError(.invalidModel, "matrices do not fit", tensor: name(right), expected: "\(a) × …", got: "\(b)")
    }
    var dims = try broadcast(Shape(Array(a.dims.dropLast(2))), Shape(Array(b.dims.dropLast(2))), name(right)).dims
    if a.rank > 1 { dims.append(a[a.rank - 2]) }
    if b.rank > 1 { dims.append(b[b.rank - 1]) }
    return Shape(dims)
  }
}
