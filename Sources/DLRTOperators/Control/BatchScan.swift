import DLRTGraph

/// The first form of ONNX Scan (8): every tensor has a batch axis first, along which the body runs independently.
///
/// Inputs: optional lengths `[batch]` of int64, initial states `[batch, …]`, then tensors `[batch, length, …]`. Outputs:
/// final states `[batch, …]`, then what the iterations gave, `[batch, length, …]`, zeros beyond a sequence's length.
///
/// - Throws: `invalidInput` when iterations give outputs of different shapes, or a length is out of range.
package struct BatchScan: Operator {
  package static let schema = OperatorSchema(
    "BatchScan", domain: OperatorName.internalDomain, versions: [1],
    inputs: [("sequence_lens?", "I"), ("initial_state_and_scan_inputs...", "V")],
    outputs: [("final_state_and_scan_outputs...", "V")], types: ["I": .int64])

  private let scan: ScanBody
  private let tracks: [ScanBody.Track]

  package init(_ attributes: inout AttributeReader) throws {
    scan = try ScanBody(&attributes, inputCount: max(0, attributes.node.ownInputs.count - 1))
    tracks = try ScanBody.directions(&attributes, "directions", count: scan.scanCount).map {
      ScanBody.Track(axis: 0, isReversed: $0)
    }
  }

  package var isDeterministic: Bool { scan.body.isDeterministic }

  private var ownCount: Int { 1 + scan.stateCount + scan.scanCount }

  package func infer(_ inference: inout Inference) throws {
    var sizes: [Dim] = []
    func take(_ input: Int, axes: Int) throws -> Fact {
      var shape = try inference.shape(input)
      guard shape.rank >= axes else {
        throw DLRTError(
          .invalidModel, "wrong rank", tensor: "input \(input)", expected: "at least \(axes)", got: "shape \(shape)")
      }
      for axis in 0..<axes {
        if axis == sizes.count { sizes.append(shape[axis]) }
        guard !sizes[axis].provablyDiffers(shape[axis]) else {
          throw DLRTError(
            .invalidModel, "inputs have different batch sizes or lengths", tensor: "input \(input)",
            expected: "\(sizes[axis])", got: "\(shape[axis])")
        }
        if sizes[axis].value == nil { sizes[axis] = shape[axis] }
      }
      shape.dims.removeFirst(axes)
      return Fact(try inference.type(input), shape)
    }
    let states = try (0..<scan.stateCount).map { try take(1 + $0, axes: 1) }
    let slices = try (0..<scan.scanCount).map { try take(1 + scan.stateCount + $0, axes: 2) }
    if inference.has(0), let lengths = try inference.fact(0).shape, lengths.elementCount.provablyDiffers(sizes[0]) {
      throw DLRTError(
        .invalidModel, "wrong number of lengths", tensor: "sequence_lens", expected: "\(sizes[0])", got: "\(lengths)")
    }
    let captured = try inference.facts(from: ownCount)
    let outputs = try scan.infer(inference, states: states, slices: slices, captured: captured)
    for (index, fact) in outputs.enumerated() {
      let outer = index < scan.stateCount ? Array(sizes.prefix(1)) : sizes
      inference.setResult(index, Fact(fact.type, fact.shape.map { Shape(outer + $0.dims) }))
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let (ownCount, inputCount) = (ownCount, planning.inputs.count)
    let first = planning.shape(1 + scan.stateCount)
    let (batch, length) = (first[0], first[1])
    // Without a batch entry, what inference found is all there is to tell.
    let parts = planning.outputs.map { $0.map { Fact($0.type, Shape(Array($0.shape.dropFirst()))) } }
    return Step(kernel: "scan") { io in
      let initial = try io.values(1..<(1 + scan.stateCount)).compactMap(\.tensor)
      let tensors = try io.values((1 + scan.stateCount)..<ownCount).compactMap(\.tensor)
      let captured = try io.values(ownCount..<inputCount)
      var results = (0..<(scan.stateCount + scan.stackedCount)).map { SliceStack("output \($0)") }
      for entry in 0..<batch {
        let own = io.hasInput(0) ? Int(io.input(0, as: Int64.self)[entry]) : length
        guard own >= 0, own <= length else {
          throw DLRTError(
            .invalidInput, "length is out of range", tensor: "sequence_lens", expected: "0...\(length)", got: "\(own)")
        }
        var states = try initial.map { Value.tensor(try $0.slice(entry, axis: 0)) }
        let parts = try tensors.map { try $0.slice(entry, axis: 0) }
        var stacks = (0..<scan.stackedCount).map { SliceStack("output \(scan.stateCount + $0)") }
        let empty = own == 0 ? try scan.slices(states, parts, tracks, captured) : []
        try scan.run(&states, parts, tracks, captured, length: own, into: &stacks, io)
        for (index, state) in states.enumerated() { try results[index].append(state) }
        for (index, stack) in stacks.enumerated() {
          let whole = try stack.stacked(of: own == 0 ? empty[index] : nil, length: length)
          try results[scan.stateCount + index].append(.tensor(whole))
        }
        try io.host.checkMemory(results.reduce(0) { $0 &+ $1.byteCount })
      }
      for (index, result) in results.enumerated() {
        try io.setValue(index, .tensor(result.stacked(of: index < parts.count ? parts[index] : nil)))
      }
    }
  }
}
