import DLRTGraph

/// What both forms of Scan share: a body that walks along tensors slice by slice, handing states on.
struct ScanBody: Sendable {
  /// One tensor that is walked along.
  struct Track: Sendable {
    let axis: Int
    let isReversed: Bool
  }

  let body: any Subgraph
  let stateCount: Int
  let scanCount: Int
  let captureCount: Int
  let stackedCount: Int

  /// - Parameter inputCount: the operator's states and scanned tensors.
  init(_ attributes: inout AttributeReader, inputCount: Int) throws {
    body = try attributes.subgraph("body")
    scanCount = try attributes.int("num_scan_inputs")
    captureCount = attributes.node.captureCount
    guard scanCount > 0, scanCount <= inputCount else {
      throw DLRTError(
        .invalidModel, "out of range", tensor: "num_scan_inputs", expected: "1...\(inputCount)", got: "\(scanCount)")
    }
    stateCount = inputCount - scanCount
    guard body.inputCount == inputCount + captureCount else {
      throw DLRTError.bodyArity("inputs", expected: inputCount + captureCount, got: body.inputCount)
    }
    stackedCount = body.outputCount - stateCount
    let outputs = attributes.node.outputs.count
    guard stackedCount >= 0, outputs <= body.outputCount else {
      throw DLRTError.bodyArity("outputs", expected: max(outputs, stateCount), got: body.outputCount)
    }
  }

  /// A list of flags or axes, one for each tensor; zeros where the attribute is absent.
  static func list(_ attributes: inout AttributeReader, _ name: String, count: Int) throws -> [Int] {
    guard let list = try attributes.optionalInts(name), !list.isEmpty else { return Array(repeating: 0, count: count) }
    guard list.count == count else {
      throw DLRTError(
        .invalidModel, "wrong number of elements", tensor: name, expected: "\(count)", got: "\(list.count)")
    }
    return list
  }

  static func directions(_ attributes: inout AttributeReader, _ name: String, count: Int) throws -> [Bool] {
    let flags = try list(&attributes, name, count: count)
    guard flags.allSatisfy({ $0 == 0 || $0 == 1 }) else {
      throw DLRTError(.invalidModel, "attribute has no such value", tensor: name, expected: "0 or 1", got: "\(flags)")
    }
    return flags.map { $0 == 1 }
  }

  /// The facts of the body's outputs: states that hold before and after every iteration, then slices.
  func infer(_ inference: Inference, states: [Fact], slices: [Fact], captured: [Fact]) throws -> [Fact] {
    let outputs = try inference.stable(states) { try body.infer($0 + slices + captured) }
    for fact in outputs.dropFirst(stateCount) where fact.type.dataType == nil {
      throw DLRTError(.invalidModel, "an iteration's output is not a tensor", got: "\(fact.type)")
    }
    return outputs
  }

  /// Walks along the tensors.
  ///
  /// - Parameters:
  ///   - states: become the final states.
  ///   - stacks: get the slices that iterations give.
  func run(
    _ states: inout [Value], _ tensors: [Tensor], _ tracks: [Track], _ captured: [Value], length: Int,
    into stacks: inout [SliceStack], _ io: borrowing StepIO
  ) throws {
    for iteration in 0..<length {
      try io.checkCancelled()
      let slices = try zip(tensors, tracks).map { tensor, track in
        let position = track.isReversed ? length - 1 - iteration : iteration
        return Value.tensor(try tensor.slice(position, axis: track.axis))
      }
      let results = try body.run(states + slices + captured, in: io.host)
      states = Array(results.prefix(stateCount))
      for index in stacks.indices { try stacks[index].append(results[stateCount + index]) }
      try io.host.checkMemory(stacks.reduce(0) { $0 &+ $1.byteCount })
    }
  }

  /// What one slice of each stacked output would be.
  func slices(_ states: [Value], _ tensors: [Tensor], _ tracks: [Track], _ captured: [Value]) throws -> [Fact] {
    let given = zip(tensors, tracks).map { tensor, track in
      var shape = tensor.shape
      shape.remove(at: track.axis)
      return Fact(tensor.type, Shape(shape))
    }
    let facts = try body.infer(states.map { Fact(of: $0) } + given + captured.map { Fact(of: $0) })
    return Array(facts.dropFirst(stateCount))
  }
}

extension Tensor {
  /// The part at a position of an axis, without that axis: a view where the part lies in one piece.
  func slice(_ position: Int, axis: Int) throws -> Tensor {
    var rest = shape
    rest.remove(at: axis)
    let outer = shape.product(0..<axis)
    let inner = shape.product(axis + 1..<shape.count) &* type.size
    if outer == 1 { return Tensor(type, rest, storage, byteOffset: byteOffset &+ position &* inner) }
    let result = try Tensor(uninitialized: rest, type: type)
    for row in 0..<outer {
      let source = pointer + (row &* shape[axis] &+ position) &* inner
      (result.mutablePointer + row &* inner).copyMemory(from: source, byteCount: inner)
    }
    return result
  }
}
