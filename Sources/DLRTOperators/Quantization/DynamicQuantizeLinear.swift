import DLRTGraph

/// ONNX DynamicQuantizeLinear (11): uint8 numbers, their scale and their zero point for float32 data, from the data's
/// own range, 0 included. Data that are all 0 get the scale 1.
package struct DynamicQuantizeLinear: Operator {
  package static let schema = OperatorSchema(
    "DynamicQuantizeLinear", versions: [11], inputs: [("x", "T1")],
    outputs: [("y", "T2"), ("y_scale", "S"), ("y_zero_point", "T2")],
    types: ["T1": .float32, "T2": .uint8, "S": .float32])

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    inference.set(1, .float32, [])
    inference.set(2, .uint8, [])
    inference.setType(0, .uint8)
    inference.set(0, .uint8, try inference.shape(0))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let count = planning.input(0).count
    let chunks = Chunks(count, cost: 0.5, multiple: 64)
    let (wantsScale, wantsZero) = (planning.wants(output: 1), planning.wants(output: 2))
    let loop = planning.kernels.quantizing(.uint8)
    // Ranges of the parts.
    let workspace = 2 * max(chunks.count, 1) * MemoryLayout<Float>.stride
    return Step(kernel: "\(planning.kernels.isa.name)-uint8-quantize", workspace: workspace) { io in
      let x = io.input(0, as: Float.self)
      let y = io.output(0, as: UInt8.self)
      let ends = io.workspace.assumingMemoryBound(to: Float.self)
      (ends[0], ends[1]) = (0, 0)
      io.parallel(chunks) { range in
        let part = chunks.size == 0 ? 0 : range.lowerBound / chunks.size
        (ends[2 * part], ends[2 * part + 1]) = bounds(x, range)
      }
      var (least, greatest): (Float, Float) = (0, 0)
      for part in 0..<chunks.count {
        least = min(least, ends[2 * part])
        greatest = max(greatest, ends[2 * part + 1])
      }
      let scale = greatest == least ? 1 : (greatest - least) / 255
      let origin = (-least / scale).rounded(.toNearestOrEven)
      let zero = UInt8(nearest: Double(origin))
      if wantsScale { io.output(1, as: Float.self).pointee = scale }
      if wantsZero { io.output(2, as: UInt8.self).pointee = zero }
      withUnsafePointer(to: scale) { scale in
        withUnsafePointer(to: zero) { zero in
          io.parallel(chunks) { range in
            loop(x + range.lowerBound, scale, zero, 0, y + range.lowerBound, range.count)
          }
        }
      }
    }
  }
}

/// The range of a part of the data, 0 included; NaN counts as nothing.
private func bounds(_ x: UnsafePointer<Float>, _ range: Range<Int>) -> (Float, Float) {
  var least = SIMD8<Float>(repeating: 0)
  var greatest = SIMD8<Float>(repeating: 0)
  var index = range.lowerBound
  while index + 8 <= range.upperBound {
    let values = UnsafeRawPointer(x + index).loadUnaligned(as: SIMD8<Float>.self)
    least.replace(with: values, where: values .< least)
    greatest.replace(with: values, where: values .> greatest)
    index += 8
  }
  while index < range.upperBound {
    least[0] = min(least[0], x[index].isNaN ? 0 : x[index])
    greatest[0] = max(greatest[0], x[index].isNaN ? 0 : x[index])
    index += 1
  }
  return (least.min(), greatest.max())
}
