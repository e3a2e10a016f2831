import DLRTGraph

/// ONNX Scan (9–25): runs a body for each slice of tensors along an axis, handing states on.
///
/// Inputs: initial states, then `num_scan_inputs` tensors with equally many slices. Outputs: the final states, then what
/// the iterations gave, stacked along a new axis. Tensors of any type. Models of version 8 become `BatchScan`.
///
/// - Throws: `invalidInput` when iterations give stacked outputs of different shapes.
package struct Scan: Operator {
  package static let schema = OperatorSchema(
    "Scan", versions: [8, 9, 11, 16, 19, 21, 23, 24, 25], inputs: [("initial_state_and_scan_inputs...", "V")],
    outputs: [("final_state_and_scan_outputs...", "V")], types: [:])

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    if version < 9 { node.op = BatchScan.schema.op }
  }

  private let scan: ScanBody
  private let inputAxes: [Int]
  private let inputDirections: [Bool]
  private let outputAxes: [Int]
  private let outputDirections: [Bool]

  package init(_ attributes: inout AttributeReader) throws {
    scan = try ScanBody(&attributes, inputCount: attributes.node.ownInputs.count)
    inputAxes = try ScanBody.list(&attributes, "scan_input_axes", count: scan.scanCount)
    inputDirections = try ScanBody.directions(&attributes, "scan_input_directions", count: scan.scanCount)
    outputAxes = try ScanBody.list(&attributes, "scan_output_axes", count: scan.stackedCount)
    outputDirections = try ScanBody.directions(&attributes, "scan_output_directions", count: scan.stackedCount)
  }

  package var isDeterministic: Bool { scan.body.isDeterministic }

  private var ownCount: Int { scan.stateCount + scan.scanCount }

  package func infer(_ inference: inout Inference) throws {
    var length: Dim?
    var slices: [Fact] = []
    for (index, given) in inputAxes.enumerated() {
      let input = scan.stateCount + index
      var shape = try inference.shape(input)
      let axis = try inference.axis(given, rank: shape.rank, "scan_input_axes")
      let own = shape[axis]
      if let length, length.provablyDiffers(own) {
        throw DLRTError(
          .invalidModel, "scanned inputs have different lengths", tensor: "input \(input)", expected: "\(length)",
          got: "\(own)")
      }
      if length?.value == nil { length = own }
      shape.dims.remove(at: axis)
      slices.append(Fact(try inference.type(input), shape))
    }
    let states = try (0..<scan.stateCount).map { try inference.fact($0) }
    let captured = try inference.facts(from: ownCount)
    let outputs = try scan.infer(inference, states: states, slices: slices, captured: captured)
    for (index, fact) in outputs.prefix(scan.stateCount).enumerated() { inference.setResult(index, fact) }
    for (index, fact) in outputs.dropFirst(scan.stateCount).enumerated() {
      var shape = fact.shape
      if let rank = shape?.rank {
        let axis = try inference.axis(outputAxes[index], rank: rank + 1, "scan_output_axes")
        shape?.dims.insert(length ?? .unknown, at: axis)
      }
      inference.setResult(scan.stateCount + index, Fact(fact.type, shape))
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let (ownCount, inputCount) = (ownCount, planning.inputs.count)
    let tracks = zip(inputAxes, inputDirections).enumerated().map { index, track in
      let rank = planning.shape(scan.stateCount + index).count
      return ScanBody.Track(axis: track.0 < 0 ? track.0 + rank : track.0, isReversed: track.1)
    }
    let length = planning.shape(scan.stateCount)[tracks[0].axis]
    return Step(kernel: "scan") { io in
      var states = try io.values(0..<scan.stateCount)
      let tensors = try io.values(scan.stateCount..<ownCount).compactMap(\.tensor)
      let captured = try io.values(ownCount..<inputCount)
      var stacks = (0..<scan.stackedCount).map { SliceStack("output \(scan.stateCount + $0)") }
      let empty = length == 0 ? try scan.slices(states, tensors, tracks, captured) : []
      try scan.run(&states, tensors, tracks, captured, length: length, into: &stacks, io)
      for (index, value) in states.enumerated() {
        if length == 0 { try io.setCopied(index, value) } else { try io.setValue(index, value) }
      }
      for (index, stack) in stacks.enumerated() {
        try io.host.checkMemory(2 &* stack.byteCount)
        let result = try stack.stacked(
          of: length == 0 ? empty[index] : nil, axis: outputAxes[index], isReversed: outputDirections[index])
        try io.setValue(scan.stateCount + index, .tensor(result))
      }
    }
  }
}
