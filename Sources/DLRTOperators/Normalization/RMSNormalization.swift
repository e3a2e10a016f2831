import CKernelSupport
import DLRTGraph
import DLRTKernels

/// ONNX RMSNormalization (23): rows of all axes from `axis` on are divided by the root of their mean square and scaled.
/// The output has the scale's element type.
package struct RMSNormalization: Operator {
  package static let schema = OperatorSchema(
    "RMSNormalization", versions: [23], inputs: [("X", "T"), ("scale", "V")], outputs: [("Y", "V")],
    types: ["T": .floats, "V": .floats])
  package static let promotedTypes = TypeSet.halfFloats
  private let rows: RowNormalization

  package init(_ attributes: inout AttributeReader) throws { rows = try RowNormalization(&attributes) }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(1)
    inference.setType(0, type)
    _ = try rows.checkShapes(&inference, factors: [1])
    inference.set(0, type, try inference.shape(0))
  }

  package func imageInputs(_ ranks: [Int]) -> [Int] { rows.imageInputs(ranks) }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let axis = rows.axis < 0 ? rows.axis + shape.count : rows.axis
    let scale = RowFactors(planning, 1, axis: axis, offset: 0)
    let loop = RMSNormalizationLoop(
      count: shape.product(0..<axis), size: shape.product(axis..<shape.count), epsilon: Double(rows.epsilon),
      scale: scale)
    let body: Step.Body =
      switch (planning.type(0), planning.type(1)) {
      case (.float64, .float64): loop.body(Double.self, Double.self)
      case (.float64, _): loop.body(Double.self, Float.self)
      case (_, .float64): loop.body(Float.self, Double.self)
      default: scale.rowStride == 0 ? loop.kernelBody(planning.kernels) : loop.body(Float.self, Float.self)
      }
    return Step(
      kernel: planning.kernelName("rmsnorm"), workspace: scale.workspaceCount * planning.type(1).size, body)
  }
}

private struct RMSNormalizationLoop: Sendable {
  let count: Int
  let size: Int
  let epsilon: Double
  let scale: RowFactors

  /// The float32 form for factors that all rows share.
  func kernelBody(_ kernels: KernelSet) -> Step.Body {
    { io in
      var arguments = dlk_normalize_args()
      arguments.rows = Int64(count)
      arguments.columns = Int64(size)
      arguments.x = io.input(0, as: Float.self)
      arguments.x_row_stride = Int64(size)
      arguments.scale = scale.prepare(io, Float.self)
      arguments.epsilon = Float(epsilon)
      arguments.rms = 1
      arguments.y = io.output(0, as: Float.self)
      arguments.y_row_stride = Int64(size)
      io.parallel(Chunks(count, cost: Double(size) * 0.15)) { range in
        var arguments = arguments
        kernels.table.pointee.normalize(&arguments, Int64(range.lowerBound), Int64(range.upperBound))
      }
    }
  }

  func body<T: RealElement, V: RealElement>(_: T.Type, _: V.Type) -> Step.Body {
    { io in
      let x = io.input(0, as: T.self)
      let y = io.output(0, as: V.self)
      let factors = scale.prepare(io, V.self)
      io.parallel(Chunks(count, cost: Double(size) * 2)) { range in
        for row in range {
          let source = x + row &* size
          let target = y + row &* size
          let inverse = 1 / (RowSums.squares(source, size, 0) / T(size) + T(epsilon)).squareRoot()
          let factor = factors + row &* scale.rowStride
          for index in 0..<size { target[index] = V(source[index] * inverse) * factor[index] }
        }
      }
    }
  }
}
