import CKernelSupport
import DLRTGraph
import DLRTKernels

/// ONNX Gemm (1–13): Y = alpha · A' · B' + beta · C, where A' and B' are A and B or their transposes, and C broadcasts
/// to [M, N]. Integers take alpha and beta without their fraction.
package struct Gemm: Operator {
  package static let schema = OperatorSchema(
    "Gemm", versions: [1, 6, 7, 9, 11, 13], inputs: [("A", "T"), ("B", "T"), ("C?", "T")], outputs: [("Y", "T")],
    types: ["T": .products])
  package static let promotedTypes = TypeSet.halfFloats
  private let alpha: Float
  private let beta: Float
  private let transA: Bool
  private let transB: Bool

  /// Before version 7, `broadcast` said whether C may be smaller; now it always may.
  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    if version < 7 { node.attributes["broadcast"] = nil }
  }

  package init(_ attributes: inout AttributeReader) throws {
    alpha = try attributes.float("alpha", default: 1)
    beta = try attributes.float("beta", default: 1)
    transA = try attributes.flag("transA")
    transB = try attributes.flag("transB")
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let a = try inference.shape(0, rank: 2)
    let b = try inference.shape(1, rank: 2)
    guard !a[transA ? 0 : 1].provablyDiffers(b[transB ? 1 : 0]) else {
      throw DLRTError(.invalidModel, "matrices do not fit", tensor: "B", expected: "\(a) × …", got: "\(b)")
    }
    let result = Shape([a[transA ? 1 : 0], b[transB ? 0 : 1]])
    if inference.has(2) {
      let c = try inference.shape(2)
      let joint = try inference.broadcast(result, c, inference.name(2))
      guard joint.rank == 2, !zip(joint.dims, result.dims).contains(where: { $0.provablyDiffers($1) }) else {
        throw DLRTError(
          .invalidModel, "does not broadcast to the result", tensor: "C", expected: "\(result)", got: "\(c)")
      }
    }
    inference.set(0, type, result)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let a = planning.shape(0)
    let b = planning.shape(1)
    let m = a[transA ? 1 : 0]
    let k = a[transA ? 0 : 1]
    let n = b[transB ? 0 : 1]
    let left = MatrixProduct.Matrix(columns: a[1])
    let right = MatrixProduct.Matrix(columns: b[1])
    let product = MatrixProduct(
      m: m, n: n, k: k, a: transA ? left.transposed : left, b: transB ? right.transposed : right, cRow: n)
    let type = planning.type(0)
    if type == .float32 { return try floatStep(product, planning) }
    let addend = planning.has(2) ? Broadcast(output: [m, n], inputs: [planning.shape(2)]) : nil
    let body = Body(product: product, size: type.size, alpha: Double(alpha), beta: Double(beta), addend: addend)
    return try ProductTask(body: body).dispatch(type)
  }

  private func floatStep(_ product: MatrixProduct, _ planning: Planning) throws -> Step {
    let floats = try FloatProduct(product, planning, a: planning.constant(0), b: planning.constant(1))
    let addend = planning.has(2) && beta != 0 ? FloatAddend(planning.shape(2), product, scale: beta) : nil
    let alpha = alpha
    return Step(
      kernel: floats.name, flops: product.flops, workspace: floats.workspace, skippedInputs: floats.skipped(0, 1),
      firstRead: floats.firstRead
    ) { io in
      let y = io.output(0, as: Float.self)
      var epilogue = dlk_epilogue.plain
      epilogue.scale = alpha
      addend?.attach(to: &epilogue, io.input(2, as: Float.self), y)
      floats.run(io, io.input(0, as: Float.self), io.input(1, as: Float.self), y, epilogue, scratch: io.workspace)
    }
  }

  private struct Body: ProductBody {
    let product: MatrixProduct
    let size: Int
    let alpha: Double
    let beta: Double
    let addend: Broadcast?

    func run<T: NumericElement>(_ type: T.Type) -> Step {
      let whole = T.dataType.isInteger
      let alpha = T(nearest: whole ? alpha.rounded(.towardZero) : alpha)
      let beta = T(nearest: whole ? beta.rounded(.towardZero) : beta)
      return Step(kernel: "gemm-loops", flops: product.flops, workspace: product.loopWorkspace * size) { io in
        let y = io.output(0, as: T.self)
        product.runLoops(
          io, io.input(0, as: T.self), io.input(1, as: T.self), y, scratch: io.workspace)
        let count = product.m &* product.n
        if alpha != 1 { for index in 0..<count { y[index] = .multiply(alpha, y[index]) } }
        guard let addend else { return }
        let c = io.input(2, as: T.self)
        let step = addend.innerStrides[0]
        addend.forEachRun(in: 0..<count) { position, length, offsets in
          let source = c + offsets[0]
          let target = y + position
          for index in 0..<length { target[index] = .add(target[index], .multiply(beta, source[index &* step])) }
        }
      }
    }
  }
}

/// What is added to a float32 product: one number per column, a matrix, or anything that broadcasts to one.
private struct FloatAddend: Sendable {
  private enum Form: Sendable {
    case columns
    /// A whole matrix, or (0) one row for all.
    case rows(stride: Int)
    case spread(Broadcast, columns: Int)
  }

  private let form: Form
  private let scale: Float

  init(_ shape: [Int], _ product: MatrixProduct, scale: Float) {
    self.scale = scale
    let isRow = shape.last == product.n && shape.dropLast().allSatisfy { $0 == 1 }
    form =
      if isRow, scale == 1 {
        .columns
      } else if isRow {
        .rows(stride: 0)
      } else if shape == [product.m, product.n] {
        .rows(stride: product.n)
      } else {
        .spread(Broadcast(output: [product.m, product.n], inputs: [shape]), columns: product.n)
      }
  }

  func attach(to epilogue: inout dlk_epilogue, _ c: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
    epilogue.addend_scale = scale
    switch form {
    case .columns: epilogue.bias = c
    case .rows(let stride):
      epilogue.addend = c
      epilogue.addend_row_stride = Int64(stride)
    case .spread(let walk, let columns):
      let step = walk.innerStrides[0]
      walk.forEachRun(in: 0..<walk.count) { position, length, offsets in
        for index in 0..<length { y[position &+ index] = c[offsets[0] &+ index &* step] }
      }
      epilogue.addend = UnsafePointer(y)
      epilogue.addend_row_stride = Int64(columns)
    }
  }
}
