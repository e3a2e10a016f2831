import DLRTGraph
import DLRTOperators

extension Matcher {
  /// A 1 × 1 convolution over images, without groups, strides or padding, whose input is not scaled.
  func isPointwise(_ id: NodeID) -> Bool {
    let node = self[id]
    guard let op = program.op(id) as? ConvNHWC, !op.isInputChannelsFirst, op.attributes.group == 1,
      node.input(4) == nil, let input = shape(node.input(0)), let output = shape(node.output(0)),
      let weights = shape(node.input(1)), weights.rank == 4, weights[2] == 1, weights[3] == 1
    else { return false }
    let window = op.attributes.window
    return (0..<2).allSatisfy { axis in
      window.stride(axis) == 1 && window.pads(axis) == (0, 0) && input[axis + 1].provablyEquals(output[axis + 1])
    }
  }

  /// A convolution of few channels over planes, which copies its image first anyway, and does nothing else.
  func isStem(_ id: NodeID) -> Bool {
    let node = self[id]
    guard let op = program.op(id) as? ConvNHWC, op.attributes.group == 1, node.input(3) == nil, node.input(4) == nil,
      let weights = shape(node.input(1)), weights.rank == 4, let channels = weights[1].value
    else { return false }
    return channels <= ConvNHWC.fewChannels && (op.isInputChannelsFirst || !isPointwise(id))
  }

  /// The elements of one image; unknown sizes count as large.
  func imageElements(_ value: ValueID) -> Int {
    guard let shape = shape(value) else { return 0 }
    return shape.dims.dropFirst().reduce(1) { product, dim in
      let (next, overflow) = product.multipliedReportingOverflow(by: dim.value ?? 1 << 12)
      return overflow ? Int.max / 2 : min(next, Int.max / 2)
    }
  }
}
