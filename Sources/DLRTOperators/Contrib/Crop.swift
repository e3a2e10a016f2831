import DLRTGraph

/// Crop (1), an experimental operator of ONNX's own domain: images [N, C, H, W] without `border` (left, top, right, bottom),
/// or of the height and width in `scale` from the left and top border on.
package struct Crop: CompositeOperator {
  package static let schema = OperatorSchema(
    "Crop", versions: [1], inputs: [("input", "T")], outputs: [("output", "T")], types: ["T": .floats])

  package static func expand(_ x: inout Expansion) throws {
    let border = try x.attributes.ints("border")
    let size = try x.attributes.optionalInts("scale") ?? []
    guard border.count == 4, border.allSatisfy({ (0...1 << 40).contains($0) }) else {
      throw DLRTError(.invalidModel, "not four borders", tensor: "border", got: "\(border)")
    }
    guard size.isEmpty || size.count == 2 && size.allSatisfy({ (1...1 << 40).contains($0) }) else {
      throw DLRTError(.invalidModel, "not a height and a width", tensor: "scale", got: "\(size)")
    }
    let starts = [border[1], border[0]]
    func end(_ axis: Int, _ border: Int) -> Int {
      size.isEmpty ? border == 0 ? Int.max : -border : starts[axis] + size[axis]
    }
    let ends = [end(0, border[3]), end(1, border[2])]
    x.result("Slice", [try x.input(0), try x.ints(starts), try x.ints(ends), try x.ints([2, 3])])
  }
}
