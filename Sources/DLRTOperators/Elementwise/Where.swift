import DLRTGraph

/// ONNX Where (9–16): x where the condition holds, else y; all three broadcast. Takes every element type.
package struct Where: Operator {
  package static let schema = OperatorSchema(
    "Where", versions: [9, 16], inputs: [("condition", "B"), ("X", "T"), ("Y", "T")], outputs: [("output", "T")],
    types: ["B": .bool, "T": .all])

  package init(_ attributes: inout AttributeReader) throws {}

  package var inPlaceInputs: [Int] { [1, 2] }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(1)
    inference.setType(0, type)
    let shape = try inference.broadcast([0, 1, 2])
    inference.set(0, type, shape, elements: chosen(inference, shape))
  }

  /// The elements of a small integer result, where the condition's are known.
  private func chosen(_ inference: Inference, _ shape: Shape) -> [Dim]? {
    guard shape.rank <= 1, let count = shape.elementCount.value, count <= Fact.mostElements,
      let conditions = try? inference.dims(0), let x = inference.inputs[1]?.elements,
      let y = inference.inputs[2]?.elements, !conditions.isEmpty, !x.isEmpty, !y.isEmpty
    else { return nil }
    return (0..<count).map { index in
      let element = { (list: [Dim]) in list[list.count == 1 ? 0 : min(index, list.count - 1)] }
      return switch element(conditions) {
      case .known(let flag): element(flag != 0 ? x : y)
      default: element(x).provablyEquals(element(y)) ? element(x) : .unknown
      }
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let walk = Broadcast(output: planning.output(0).shape, inputs: (0..<3).map { planning.shape($0) })
    let chunks = Chunks(walk.count, cost: 1, multiple: 64)
    let loop = try planning.type(1).dispatch(Choose())
    let size = planning.type(1).size
    let strides = walk.innerStrides
    return Step(kernel: "loop") { io in
      let condition = io.input(0, as: UInt8.self)
      let (x, y, out) = (io.input(1), io.input(2), io.output(0))
      io.parallel(chunks) { range in
        walk.forEachRun(in: range) { position, length, offsets in
          loop(
            condition + offsets[0], strides[0], x + offsets[1] &* size, strides[1], y + offsets[2] &* size, strides[2],
            out + position &* size, length)
        }
      }
    }
  }

  private typealias Loop =
    @Sendable (
      _ condition: UnsafePointer<UInt8>, _ conditionStride: Int, _ x: UnsafeRawPointer, _ xStride: Int,
      _ y: UnsafeRawPointer, _ yStride: Int, _ out: UnsafeMutableRawPointer, _ count: Int
    ) -> Void

  private struct Choose: PlainTask {
    func run<T: BitwiseCopyable & Equatable>(_ type: T.Type) -> Loop {
      { condition, conditionStride, x, xStride, y, yStride, out, count in
        let x = x.assumingMemoryBound(to: T.self)
        let y = y.assumingMemoryBound(to: T.self)
        let out = out.assumingMemoryBound(to: T.self)
        for index in 0..<count {
          out[index] = condition[index &* conditionStride] != 0 ? x[index &* xStride] : y[index &* yStride]
        }
      }
    }
  }
}
