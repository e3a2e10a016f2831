import CKernelSupport
import DLRTGraph

/// ONNX Clip (1–13): min(max, max(min, x)), of floats and integers; NaN stays NaN. A bound that is absent is none.
package struct Clip: Operator {
  // Bounds may have a type of their own: those of old models were attributes, whose type is float32.
  package static let schema = OperatorSchema(
    "Clip", versions: [1, 6, 11, 12, 13], inputs: [("input", "T"), ("min?", "B*"), ("max?", "B*")],
    outputs: [("output", "T")], types: ["T": .numeric, "B*": .numeric])
  package static var promotedTypes: TypeSet { .halfFloats }

  package init(_ attributes: inout AttributeReader) throws {}

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    node.dropConsumedInputs(version)
    guard version < 11 else { return }
    var bounds: [ValueID?] = []
    for name in ["min", "max"] {
      switch node.attributes.removeValue(forKey: name) {
      case .float(let value): bounds.append(graph.addConstant(try Tensor(scalar: value)))
      case nil: bounds.append(nil)
      default: throw DLRTError(.invalidModel, "attribute has the wrong type", tensor: name, expected: "float")
      }
    }
    node.inputs = [node.input(0)] + bounds
  }

  package var inPlaceInputs: [Int] { [0] }

  package func infer(_ inference: inout Inference) throws {
    for index in 1...2 where inference.has(index) {
      if let shape = inference.inputs[index]?.shape, shape.elementCount.provablyDiffers(1) {
        throw DLRTError(
          .invalidModel, "not a scalar", tensor: inference.name(index), expected: "shape []", got: "\(shape)")
      }
    }
    try inference.sameAsInput()
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let bounds = (planning.type(1), planning.type(2))
    if planning.type(0) == .float32 { return clipFloats(planning, bounds) }
    let chunks = Chunks(planning.output(0).count, cost: 1, multiple: 64)
    let size = planning.type(0).size
    let loop = try planning.type(0).dispatch(Limit(bounds: bounds))
    return Step(kernel: "loop") { io in
      let least = io.hasInput(1) ? io.input(1) : nil
      let most = io.hasInput(2) ? io.input(2) : nil
      let x = io.input(0)
      let y = io.output(0)
      io.parallel(chunks) { range in
        loop(x + range.lowerBound &* size, least, most, y + range.lowerBound &* size, range.count)
      }
    }
  }

  private func clipFloats(_ planning: Planning, _ bounds: (DataType, DataType)) -> Step {
    let chunks = Chunks(planning.output(0).count, cost: 0.3, multiple: 64)
    let run = planning.kernels.table.pointee.unary
    return Step(kernel: "\(planning.kernels.isa.name)-float32-unary") { io in
      let least = io.hasInput(1) ? Float(element: io.input(1), bounds.0) : -.infinity
      let most = io.hasInput(2) ? Float(element: io.input(2), bounds.1) : .infinity
      let x = io.input(0, as: Float.self)
      let y = io.output(0, as: Float.self)
      io.parallel(chunks) { range in
        run(DLK_UNARY_CLIP, least, most, x + range.lowerBound, y + range.lowerBound, Int64(range.count))
      }
    }
  }

  private typealias Loop =
    @Sendable (
      _ x: UnsafeRawPointer, _ least: UnsafeRawPointer?, _ most: UnsafeRawPointer?, _ y: UnsafeMutableRawPointer,
      _ count: Int
    ) -> Void

  private struct Limit: NumericTask {
    let bounds: (DataType, DataType)

    func run<T: NumericElement>(_ type: T.Type) -> Loop {
      let bounds = bounds
      return { x, least, most, y, count in
        let low = least.map { T(element: $0, bounds.0) } ?? .lowest
        let high = most.map { T(element: $0, bounds.1) } ?? .highest
        let x = x.assumingMemoryBound(to: T.self)
        let y = y.assumingMemoryBound(to: T.self)
        if T.isByte { return Self.limit(x, low, high, y, count) }
        for index in 0..<count { y[index] = T.least(T.greatest(x[index], low), high) }
      }
    }

    @_optimize(speed) @inline(never)
    private static func limit<T: NumericElement>(
      _ x: UnsafePointer<T>, _ low: T, _ high: T, _ y: UnsafeMutablePointer<T>, _ count: Int
    ) {
      for index in 0..<count {
        let raised = x[index] < low ? low : x[index]
        y[index] = raised > high ? high : raised
      }
    }
  }
}
