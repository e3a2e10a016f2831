import CKernelSupport
import DLRTGraph
import DLRTKernels

/// ONNX LayerNormalization (17; ONNX Runtime writes it into models of older versions too): rows of all axes from `axis` on are brought to mean 0 and variance 1, scaled and
/// shifted. `Mean` and `InvStdDev` have size 1 along the normalised axes.
package struct LayerNormalization: Operator {
  package static let schema = OperatorSchema(
    "LayerNormalization", versions: [1, 17], inputs: [("X", "T"), ("Scale", "T"), ("B?", "T")],
    outputs: [("Y", "T"), ("Mean?", "U"), ("InvStdDev?", "U")], types: ["T": .floats])
  package static let promotedTypes = TypeSet.halfFloats
  private let rows: RowNormalization

  package init(_ attributes: inout AttributeReader) throws { rows = try RowNormalization(&attributes) }

  package func infer(_ inference: inout Inference) throws {
    try inference.sameAsInput()
    inference.setType(1, rows.stashType)
    inference.setType(2, rows.stashType)
    let axis = try rows.checkShapes(&inference, factors: [1, 2])
    var statistics = try inference.shape(0)
    for index in axis..<statistics.rank { statistics[index] = 1 }
    inference.set(1, rows.stashType, statistics)
    inference.set(2, rows.stashType, statistics)
  }

  package func imageInputs(_ ranks: [Int]) -> [Int] { rows.imageInputs(ranks) }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let axis = rows.axis < 0 ? rows.axis + shape.count : rows.axis
    let scale = RowFactors(planning, 1, axis: axis, offset: 0)
    let bias = planning.has(2) ? RowFactors(planning, 2, axis: axis, offset: scale.workspaceCount) : nil
    let loop = LayerNormalizationLoop(
      count: shape.product(0..<axis), size: shape.product(axis..<shape.count), epsilon: Double(rows.epsilon),
      scale: scale, bias: bias, wantsMean: planning.wants(output: 1), wantsDeviation: planning.wants(output: 2),
      stashesDouble: rows.stashType == .float64)
    let sharesFactors = scale.rowStride == 0 && (bias?.rowStride ?? 0) == 0
    let isFast = planning.type(0) == .float32 && sharesFactors && rows.stashType != .float64
    return Step(
      kernel: isFast ? KernelLibrary.name("normalize", isa: planning.kernels.isa) : "layernorm",
      workspace: (scale.workspaceCount + (bias?.workspaceCount ?? 0)) * planning.type(0).size,
      isFast ? loop.kernelBody(planning.kernels) : try planning.type(0).dispatch(loop))
  }

  package var inPlaceInputs: [Int] { [0] }
}

private struct LayerNormalizationLoop: FloatTask {
  let count: Int
  let size: Int
  let epsilon: Double
  let scale: RowFactors
  let bias: RowFactors?
  let wantsMean: Bool
  let wantsDeviation: Bool
  let stashesDouble: Bool

  func run<T: RealElement>(_ type: T.Type) -> Step.Body {
    { io in
      let x = io.input(0, as: T.self)
      let y = io.output(0, as: T.self)
      let factors = scale.prepare(io, T.self)
      let shifts = bias?.prepare(io, T.self)
      let means = wantsMean ? io.output(1) : nil
      let deviations = wantsDeviation ? io.output(2) : nil
      io.parallel(Chunks(count, cost: Double(size) * 2)) { range in
        for row in range {
          let source = x + row &* size
          let target = y + row &* size
          let mean = RowSums.sum(source, size) / T(size)
          let inverse = 1 / (RowSums.squares(source, size, mean) / T(size) + T(epsilon)).squareRoot()
          let factor = factors + row &* scale.rowStride
          if let shifts {
            let shift = shifts + row &* (bias?.rowStride ?? 0)
            for index in 0..<size { target[index] = (source[index] - mean) * inverse * factor[index] + shift[index] }
          } else {
            for index in 0..<size { target[index] = (source[index] - mean) * inverse * factor[index] }
          }
          stash(mean, means, row)
          stash(inverse, deviations, row)
        }
      }
    }
  }

  /// The float32 form for factors that all rows share.
  func kernelBody(_ kernels: KernelSet) -> Step.Body {
    { io in
      var arguments = dlk_normalize_args()
      arguments.rows = Int64(count)
      arguments.columns = Int64(size)
      arguments.x = io.input(0, as: Float.self)
      arguments.x_row_stride = Int64(size)
      arguments.scale = scale.prepare(io, Float.self)
      arguments.bias = bias?.prepare(io, Float.self)
      arguments.epsilon = Float(epsilon)
      arguments.y = io.output(0, as: Float.self)
      arguments.y_row_stride = Int64(size)
      arguments.mean = wantsMean ? io.output(1, as: Float.self) : nil
      arguments.inverse_deviation = wantsDeviation ? io.output(2, as: Float.self) : nil
      io.parallel(Chunks(count, cost: Double(size) * 0.15)) { range in
        var arguments = arguments
        kernels.table.pointee.normalize(&arguments, Int64(range.lowerBound), Int64(range.upperBound))
      }
    }
  }

  private func stash<T: RealElement>(_ value: T, _ target: UnsafeMutableRawPointer?, _ row: Int) {
    guard let target else { return }
    if stashesDouble {
      target.assumingMemoryBound(to: Double.self)[row] = value.double
    } else {
      target.assumingMemoryBound(to: Float.self)[row] = Float(value.double)
    }
  }
}
