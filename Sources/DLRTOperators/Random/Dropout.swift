import DLRTGraph

/// ONNX Dropout (1–22): the input; in training mode, each element is 0 with probability `ratio`, else divided by
/// 1 − ratio. The second output tells which elements were kept.
package struct Dropout: Operator {
  package static let schema = OperatorSchema(
    "Dropout", versions: [1, 6, 7, 10, 12, 13, 22],
    inputs: [("data", "T"), ("ratio?", "T1"), ("training_mode?", "T2")], outputs: [("output", "T"), ("mask", "T2")],
    types: ["T": [.floats, .float8s], "T1": [.floats, .float8s], "T2": .bool])
  package static var promotedTypes: TypeSet { [.halfFloats, .float8s] }

  private let seed: UInt64?

  package init(_ attributes: inout AttributeReader) throws {
    seed = try attributes.optionalInt("seed").map { UInt64(bitPattern: Int64($0)) }
  }

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    let wantsMask = node.output(1) != nil
    if version < 12 {
      node.dropConsumedInputs(version)
      let ratio = node.attributes.removeValue(forKey: "ratio")
      let isTest = node.attributes.removeValue(forKey: "is_test")
      // Versions 1 and 6 trained unless told otherwise; 7 and 10 never did.
      var trains = version < 7
      if case .int(let flag)? = isTest, flag != 0 { trains = false }
      if version < 10, wantsMask {
        // The mask was of the data's type.
        guard !trains else {
          throw DLRTError(.unsupportedModel, "a mask that is not of bools (before version 10)", tensor: "mask")
        }
        try addFullMask(node, to: &graph)
        return node.becomeIdentity()
      }
      if trains {
        var share: Float = 0.5
        if case .float(let value)? = ratio { share = value }
        node.inputs = [
          node.input(0), graph.addConstant(try Tensor(scalar: share)), graph.addConstant(try Tensor(scalar: true)),
        ]
        return
      }
    }
    let mode = node.input(2)
    let isInference = mode == nil || graph.constant(mode)?.integers == [0]
    if isInference && !wantsMask { node.becomeIdentity() }
  }

  /// Ones of the data's type and shape for output 1.
  private static func addFullMask(_ node: Node, to graph: inout Graph) throws {
    let shape = graph.addValue(Graph.Value(name: "", type: .tensor(.int64)))
    let ones = graph.addValue(Graph.Value(name: "", type: .tensor(.float32)))
    let one = Attribute.tensor(try Tensor([Float(1)], shape: [1]))
    graph.addNode(Node(OperatorName("Shape"), inputs: [node.input(0)], outputs: [shape]))
    graph.addNode(
      Node(OperatorName("ConstantOfShape"), attributes: ["value": one], inputs: [shape], outputs: [ones]))
    graph.addNode(Node(OperatorName("CastLike"), inputs: [ones, node.input(0)], outputs: [node.output(1)]))
  }

  package var inPlaceInputs: [Int] { [0] }
  package var isDeterministic: Bool { false }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, try inference.type(0))
    inference.setType(1, .bool)
    try inference.sameAsInput()
    inference.set(1, .bool, try inference.shape(0))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let source = RandomSource(seed: seed, planning)
    let count = planning.input(0).count
    let byteCount = planning.input(0).byteCount
    let ratioType = planning.type(1)
    let wantsMask = planning.wants(output: 1)
    let drop = try planning.type(0).dispatch(Drop())
    let chunks = Chunks(count, cost: 10, multiple: 4)
    return Step(kernel: "philox") { io in
      let ratio = io.hasInput(1) ? Double(element: io.input(1), ratioType) : 0.5
      let trains = io.hasInput(2) && io.input(2, as: UInt8.self).pointee != 0
      guard ratio >= 0, ratio < 1 else {
        throw DLRTError(.invalidInput, "out of range", tensor: "ratio", expected: "0..<1", got: "\(ratio)")
      }
      let x = io.input(0)
      let y = io.output(0)
      let mask = wantsMask ? io.output(1, as: Bool.self) : nil
      if trains && ratio > 0 {
        let generator = source.generator(io)
        io.parallel(chunks) { drop(generator, ratio, x, y, mask, $0) }
      } else {
        if x != UnsafeRawPointer(y) { y.copyMemory(from: x, byteCount: byteCount) }
        mask?.update(repeating: true, count: count)
      }
    }
  }

  private typealias Loop =
    @Sendable (
      _ generator: Philox, _ ratio: Double, _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer,
      _ mask: UnsafeMutablePointer<Bool>?, _ range: Range<Int>
    ) -> Void

  private struct Drop: FloatTask {
    func run<T: RealElement>(_ type: T.Type) -> Loop {
      { generator, ratio, x, y, mask, range in
        let x = x.assumingMemoryBound(to: T.self)
        let y = y.assumingMemoryBound(to: T.self)
        let limit = T(ratio)
        let block = 256
        withUnsafeTemporaryAllocation(of: T.self, capacity: block) { memory in
          guard let units = memory.baseAddress else { return }
          for start in stride(from: range.lowerBound, to: range.upperBound, by: block) {
            let count = min(block, range.upperBound &- start)
            T.fillUniform(generator, start..<start &+ count, units)
            Self.keep(units, limit, x + start, y + start, count)
            if let mask { for index in 0..<count { mask[start &+ index] = units[index] >= limit } }
          }
        }
      }
    }

    private static func keep<T: RealElement>(
      _ units: UnsafePointer<T>, _ limit: T, _ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>, _ count: Int
    ) {
      let scale = 1 / (1 - limit)
      for index in 0..<count {
        let scaled = x[index] * scale
        y[index] = units[index] >= limit ? scaled : 0
      }
    }
  }
}

extension Node {
  fileprivate mutating func becomeIdentity() {
    op = OperatorName("Identity")
    attributes = [:]
    inputs = [input(0)]
    outputs = [output(0)]
  }
}
