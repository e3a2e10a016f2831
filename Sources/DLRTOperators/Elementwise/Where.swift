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
    return Step(kernel: "loop") { io in
      let inputs: InlineArray<3, BlockOperand> = [
        BlockOperand(io.input(0), size: 1), BlockOperand(io.input(1), size: size),
        BlockOperand(io.input(2), size: size),
      ]
      let out = io.output(0)
      io.parallel(chunks) { range in
        walk.forEachBlock(in: range, inputs, out, outputSize: size) { inputs, out, count in
          loop(inputs[0], inputs[1], inputs[2], out, count)
        }
      }
    }
  }

  private typealias Loop =
    @Sendable (
      _ condition: UnsafeRawPointer, _ x: UnsafeRawPointer, _ y: UnsafeRawPointer, _ out: UnsafeMutableRawPointer,
      _ count: Int
    ) -> Void

  private struct Choose: PlainTask {
    func run<T: BitwiseCopyable & Equatable>(_ type: T.Type) -> Loop {
      { condition, x, y, out, count in
        Self.choose(
          condition.assumingMemoryBound(to: UInt8.self), x.assumingMemoryBound(to: T.self),
          y.assumingMemoryBound(to: T.self), out.assumingMemoryBound(to: T.self), count)
      }
    }

    @_optimize(speed) @inline(never)
    private static func choose<T: BitwiseCopyable>(
      _ condition: UnsafePointer<UInt8>, _ x: UnsafePointer<T>, _ y: UnsafePointer<T>,
      _ out: UnsafeMutablePointer<T>, _ count: Int
    ) {
      for index in 0..<count {
        // Both are read, so that the choice is no jump.
        let (left, right) = (x[index], y[index])
        out[index] = condition[index] != 0 ? left : right
      }
    }
  }
}
