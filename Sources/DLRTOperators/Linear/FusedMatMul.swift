import CKernelSupport
import DLRTGraph

/// ai.dlrt FusedMatMul: f(scale · A · B + bias [+ addend]) [+ addend] over float32, with matrices and batches as in
/// ONNX's MatMul.
///
/// Inputs: A, B, a bias [N], an addend of the output's shape. Attributes: `scale`; `transB` for B as [.., N, K];
/// those of f, by `UnaryKernel`; `addend_last` adds after the activation.
package struct FusedMatMul: Operator {
  package static let schema = OperatorSchema(
    "FusedMatMul", domain: OperatorName.internalDomain, versions: [1],
    inputs: [("A", "T"), ("B", "T"), ("bias?", "T"), ("addend?", "T")], outputs: [("Y", "T")], types: ["T": .float32])

  private let scale: Float
  private let transB: Bool
  private let activation: UnaryKernel
  private let addendLast: Bool

  package init(_ attributes: inout AttributeReader) throws {
    scale = try attributes.float("scale", default: 1)
    transB = try attributes.flag("transB")
    activation = try UnaryKernel(&attributes)
    addendLast = try attributes.flag("addend_last")
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .float32)
    if transB, try inference.rank(1) < 2 {
      throw DLRTError(.invalidModel, "a vector cannot be transposed", tensor: "B", expected: "rank 2 or more")
    }
    let shape = try inference.matmulShape(0, 1, transposesRight: transB)
    if inference.has(2) {
      let bias = try inference.shape(2, rank: 1)
      guard shape.rank > 0, !bias[0].provablyDiffers(shape[shape.rank - 1]) else {
        throw DLRTError(.invalidModel, "the bias does not fit", tensor: "bias", expected: "\(shape)", got: "\(bias)")
      }
    }
    if inference.has(3) {
      let addend = try inference.shape(3)
      guard addend.rank == shape.rank, !zip(addend.dims, shape.dims).contains(where: { $0.provablyDiffers($1) }) else {
        throw DLRTError(
          .invalidModel, "the addend does not fit", tensor: "addend", expected: "\(shape)", got: "\(addend)")
      }
    }
    inference.set(0, .float32, shape)
  }

  package func imageInputs(_ ranks: [Int]) -> [Int] { MatrixProduct.imageInputs(ranks, addend: 3) }

  package func plan(_ planning: inout Planning) throws -> Step {
    var right = planning.shape(1)
    if transB { right.swapAt(right.count - 1, right.count - 2) }
    var product = MatrixProduct(matmul: planning.shape(0), right)
    if transB { product.b = MatrixProduct.Matrix(columns: product.k).transposed }
    let floats = try FloatProduct(
      product, planning, a: planning.constant(0), b: planning.constant(1), addsLast: addendLast && planning.has(3))
    var epilogue = dlk_epilogue.plain
    epilogue.scale = scale
    epilogue.activation = activation.function
    epilogue.a = activation.a
    epilogue.b = activation.b
    epilogue.addend_last = addendLast ? 1 : 0
    let hasBias = planning.has(2)
    let addendRow = planning.has(3) ? Int64(product.cRow) : nil
    // The kernel table's arguments are plain numbers until a run puts addresses in.
    nonisolated(unsafe) let prepared = epilogue
    return Step(
      kernel: floats.name, flops: product.flops, workspace: floats.workspace, skippedInputs: floats.skipped(0, 1),
      firstRead: floats.firstRead
    ) { io in
      var epilogue = prepared
      if hasBias { epilogue.bias = io.input(2, as: Float.self) }
      if let addendRow {
        epilogue.addend = io.input(3, as: Float.self)
        epilogue.addend_row_stride = addendRow
        epilogue.addend_scale = 1
      }
      floats.run(
        io, io.input(0, as: Float.self), io.input(1, as: Float.self), io.output(0, as: Float.self), epilogue,
        scratch: io.workspace)
    }
  }
}
