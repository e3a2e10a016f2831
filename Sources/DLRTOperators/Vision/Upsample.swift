import DLRTGraph

/// ONNX Upsample (1, 7, 9, 10), deprecated: Resize with asymmetric coordinates that takes the element before. Import turns
/// it into Resize.
package struct Upsample: Operator {
  package static let schema = OperatorSchema(
    "Upsample", versions: [1, 7, 9, 10], inputs: [("X", "T"), ("scales", "F")], outputs: [("Y", "T")],
    types: ["T": [.numeric, .string, .bool, .complex], "F": .float32])

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    if version < 9 {
      let scales = try attributeScales(&node)
      node.inputs = [node.input(0), graph.addConstant(try Tensor(scales, shape: [scales.count]))]
    }
    if case .string("bilinear") = node.attributes["mode"] { node.attributes["mode"] = .string("linear") }
    node.op = Resize.schema.op
    node.inputs.insert(nil, at: min(1, node.inputs.count))
    node.attributes["coordinate_transformation_mode"] = .string(CoordinateTransformation.asymmetric.rawValue)
    node.attributes["nearest_mode"] = .string(NearestMode.floor.rawValue)
  }

  private static func attributeScales(_ node: inout Node) throws(DLRTError) -> [Float] {
    switch node.attributes.removeValue(forKey: "scales") {
    case .floats(let scales): return scales
    case nil: break
    default: throw DLRTError(.invalidModel, "attribute has the wrong type", tensor: "scales", expected: "floats")
    }
    guard case .float(let height) = node.attributes.removeValue(forKey: "height_scale"),
      case .float(let width) = node.attributes.removeValue(forKey: "width_scale")
    else { throw DLRTError(.invalidModel, "a required attribute is missing", tensor: "scales") }
    return [1, 1, height, width]
  }

  private let resize: Resize

  package init(_ attributes: inout AttributeReader) throws { resize = try Resize(&attributes) }

  package func infer(_ inference: inout Inference) throws { try resize.infer(&inference) }

  package func plan(_ planning: inout Planning) throws -> Step { try resize.plan(&planning) }
}
