import DLRTGraph

/// ONNX Col2Im (18): adds the columns of `[N, C · taps, blocks]` up to images `[N, C, image_shape…]`, the inverse of
/// unfolding windows. All numbers, and bool, where adding means or.
package struct Col2Im: Operator {
  package static let schema = OperatorSchema(
    "Col2Im", versions: [18], inputs: [("input", "T"), ("image_shape", "I"), ("block_shape", "I")],
    outputs: [("output", "T")], types: ["T": [.numeric, .bool], "I": .int64])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let window: WindowAttributes

  package init(_ attributes: inout AttributeReader) throws { window = try WindowAttributes(&attributes) }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let input = try inference.shape(0, rank: 3)
    let image = try inference.dims(1)
    let block = try inference.integers(2)
    guard !image.isEmpty, image.count == block.count else {
      throw DLRTError(
        .invalidModel, "wrong size", tensor: inference.name(2), expected: "\(image.count) values", got: "\(block)")
    }
    guard image.allSatisfy({ ($0.value ?? 0) >= 0 }) else {
      throw DLRTError(.invalidModel, "a size is negative", tensor: inference.name(1), got: "\(image)")
    }
    let taps = block.checkedProduct.map(Dim.known) ?? .unknown
    if let channels = input[1].value, let taps = taps.value, taps > 0, channels % taps != 0 {
      throw DLRTError(
        .invalidModel, "channels are no multiple of the block's size", tensor: inference.name(0),
        expected: "a multiple of \(taps)", got: "\(input)")
    }
    let blocks = try window.output(image, kernel: block.map(Dim.known))
    let count = blocks.reduce(Dim.known(1)) { $0 * $1 }
    guard !count.provablyDiffers(input[2]) else {
      throw DLRTError(
        .invalidModel, "columns do not fit the image", tensor: inference.name(0), expected: "\(count) blocks",
        got: "\(input)")
    }
    inference.set(0, type, Shape([input[0], input[1] / taps] + image))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let output = planning.output(0).shape
    let block = planning.constant(2)?.integers ?? []
    let geometry = try window.geometry(Array(output.dropFirst(2)), kernel: block)
    let planes = output[0] &* output[1]
    if planning.type(0) == .bool { return folded(planes, geometry, BoolOr.self) }
    return try planning.type(0).dispatch(Plan(planes: planes, geometry: geometry))
  }

  private struct Plan: NumericTask {
    let planes: Int
    let geometry: ConvolutionGeometry
    func run<T: NumericElement>(_ type: T.Type) -> Step { folded(planes, geometry, Addition<T>.self) }
  }
}

/// How elements that meet at one place combine.
private protocol Folding: Sendable {
  associatedtype Element: NumericElement
  static func combine(_ a: Element, _ b: Element) -> Element
}

private enum Addition<Element: NumericElement>: Folding {
  @inline(__always) static func combine(_ a: Element, _ b: Element) -> Element { Element.add(a, b) }
}

private enum BoolOr: Folding {
  @inline(__always) static func combine(_ a: UInt8, _ b: UInt8) -> UInt8 { a | b }
}

private func folded<F: Folding>(_ planes: Int, _ geometry: ConvolutionGeometry, _: F.Type) -> Step {
  let rows = WindowRows(geometry)
  let (imageSize, blocks, taps) = (geometry.inputSize, geometry.outputSize, geometry.kernelSize)
  let chunks = Chunks(planes, cost: Double(blocks) * Double(taps))
  return Step(kernel: "fold") { io in
    let (input, output) = (io.input(0, as: F.Element.self), io.output(0, as: F.Element.self))
    io.parallel(chunks) { range in
      for plane in range {
        let image = output + plane &* imageSize
        image.update(repeating: 0, count: imageSize)
        let columns = input + plane &* taps &* blocks
        for row in 0..<rows.count {
          rows.forEachTap(of: row) { start, tap, column in
            let source = columns + tap &* blocks + row &* rows.width
            let target = image + start
            for x in column.lower..<column.upper {
              let place = x &* rows.stride
              target[place] = F.combine(target[place], source[x])
            }
          }
        }
      }
    }
  }
}
