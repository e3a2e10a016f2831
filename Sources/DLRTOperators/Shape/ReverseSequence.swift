import DLRTGraph
import Glibc

/// ONNX ReverseSequence (10–28): for each sample of the batch, the first `sequence_lens` steps in reverse order, the
/// rest as they were. For every element type.
package struct ReverseSequence: Operator {
  package static let schema = OperatorSchema(
    "ReverseSequence", versions: [10, 28], inputs: [("input", "T"), ("sequence_lens", "L")], outputs: [("Y", "T")],
    types: ["T": .all, "L": .int64])

  private let batchAxis: Int
  private let timeAxis: Int

  package init(_ attributes: inout AttributeReader) throws {
    batchAxis = try attributes.int("batch_axis", default: 1)
    timeAxis = try attributes.int("time_axis", default: 0)
    guard batchAxis == 0 && timeAxis == 1 || batchAxis == 1 && timeAxis == 0 else {
      throw DLRTError(
        .invalidModel, "not the first two axes", tensor: "batch_axis", expected: "0 and 1 for batch_axis and time_axis",
        got: "\(batchAxis) and \(timeAxis)")
    }
  }

  package func infer(_ inference: inout Inference) throws {
    try inference.sameAsInput()
    let shape = try inference.shape(0)
    guard shape.rank >= 2 else {
      throw DLRTError(
        .invalidModel, "wrong rank", tensor: inference.name(0), expected: "rank 2 or more", got: "shape \(shape)")
    }
    let lengths = try inference.shape(1, rank: 1)
    guard !lengths[0].provablyDiffers(shape[batchAxis]) else {
      throw DLRTError(
        .invalidModel, "not one length per sample", tensor: inference.name(1), expected: "[\(shape[batchAxis])]",
        got: "\(lengths)")
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let strides = shape.rowMajorStrides
    let size = planning.type(0).size
    let bytes = shape.product(2..<shape.count) &* size
    let batch = shape[batchAxis]
    let steps = shape[timeAxis]
    let batchStride = strides[batchAxis] &* size
    let timeStride = strides[timeAxis] &* size
    return Step(kernel: "reverse") { io in
      let lengths = io.input(1, as: Int64.self)
      for sample in 0..<batch where lengths[sample] < 0 || lengths[sample] > steps {
        throw DLRTError(
          .invalidInput, "length out of range for sample \(sample)", tensor: "sequence_lens", expected: "0...\(steps)",
          got: "\(lengths[sample])")
      }
      let source = io.input(0)
      let target = io.output(0)
      io.parallel(Chunks(batch &* steps, cost: 5 + Double(bytes) * 0.1)) { range in
        for row in range {
          let sample = row / steps
          let step = row % steps
          let length = Int(lengths[sample])
          let from = step < length ? length &- 1 &- step : step
          let base = sample &* batchStride
          memcpy(target + base + step &* timeStride, source + base + from &* timeStride, bytes)
        }
      }
    }
  }
}
