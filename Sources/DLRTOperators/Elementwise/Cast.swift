import DLRTGraph

/// ONNX Cast (1–28): every element converted to the type `to`: numbers, bools and strings.
///
/// `saturate` and `round_mode` tell how the smallest float types treat what they cannot hold.
package struct Cast: Operator {
  package static let schema = OperatorSchema(
    "Cast", versions: [1, 6, 9, 13, 19, 21, 23, 24, 25, 28], inputs: [("input", "T1")], outputs: [("output", "T2")],
    types: ["T1": .castable, "T2": .castable])

  private let type: DataType
  private let rounding: FloatRounding

  package init(_ attributes: inout AttributeReader) throws {
    guard let type = try attributes.optionalDataType("to") else {
      throw DLRTError(.invalidModel, "a required attribute is missing", tensor: "to")
    }
    guard TypeSet.castable.contains(type) else {
      throw DLRTError(.unsupportedModel, "no cast to this type", tensor: "to", got: type.name)
    }
    self.type = type
    rounding = try FloatRounding(&attributes)
  }

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    // Version 1 spelled the type out.
    guard case .string(let name)? = node.attributes["to"] else { return }
    guard let type = DataType.allCases.first(where: { $0.name.uppercased() == name.uppercased() }) else {
      throw DLRTError(.invalidModel, "no such element type", tensor: "to", got: name)
    }
    node.attributes["to"] = .int(Int(type.rawValue))
  }

  package var inPlaceInputs: [Int] { [0] }

  package func infer(_ inference: inout Inference) throws { try inference.converted(to: type) }

  package func plan(_ planning: inout Planning) throws -> Step { .conversion(planning, to: type, rounding) }
}

extension FloatRounding {
  init(_ attributes: inout AttributeReader) throws {
    self.init(
      saturates: try attributes.flag("saturate", default: true),
      mode: try attributes.choice("round_mode", default: .up))
  }
}

extension TypeSet {
  /// All types but complex numbers.
  static let castable = TypeSet.all.subtracting(.complex)
}

extension Inference {
  /// Output 0 is input 0 in another type.
  mutating func converted(to type: DataType) throws {
    setType(0, type)
    let fact = try fact(0)
    // Sizes stay what they are in the types that hold them.
    let isWide = type == .int64 || type == .int32
    set(0, type, try shape(0), elements: isWide ? fact.elements : nil)
  }
}

extension Step {
  /// Converts input 0 to output 0.
  static func conversion(_ planning: Planning, to type: DataType, _ rounding: FloatRounding) -> Step {
    let source = planning.type(0)
    let count = planning.input(0).count
    switch (source, type) {
    case (.string, .string):
      return .unary(planning) { x, y, count in y.copyMemory(from: x, byteCount: count * DataType.string.size) }
    case (.string, _):
      return Step(kernel: "parse") { io in
        let strings = io.input(0, as: StringRef.self)
        for index in 0..<count {
          let text = strings[index].string
          guard NumberText.read(text, type, io.output(0) + index &* type.size, rounding) else {
            throw DLRTError(.invalidInput, "not a number", tensor: "input", expected: type.name, got: "'\(text)'")
          }
        }
      }
    case (_, .string):
      return Step(kernel: "format") { io in
        let strings = io.output(0, as: StringRef.self)
        for index in 0..<count {
          let text = NumberText.write(io.input(0) + index &* source.size, source)
          strings[index] = try io.host.strings.intern(text.utf8)
        }
      }
    default:
      let converter = ElementConverter(from: source, to: type, rounding)
      return .unary(planning) { x, y, count in converter(x, y, count) }
    }
  }
}
