import DLRTGraph

/// ONNX RegexFullMatch (20): whether each string matches the regular expression as a whole; RE2's syntax, and like
/// there the time grows with the length of the string only.
package struct RegexFullMatch: Operator {
  package static let schema = OperatorSchema(
    "RegexFullMatch", versions: [20], inputs: [("X", "T1")], outputs: [("Y", "T2")],
    types: ["T1": .string, "T2": .bool])

  private let program: RegexProgram

  package init(_ attributes: inout AttributeReader) throws {
    guard let pattern = try attributes.optionalString("pattern") else {
      throw DLRTError(.invalidModel, "a required attribute is missing", tensor: "pattern")
    }
    program = try RegexProgram(pattern, of: "pattern")
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .bool)
    inference.set(0, .bool, try inference.shape(0))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let count = planning.input(0).count
    return Step(kernel: "regex", workspace: RegexMatcher.workspace(program)) { io in
      var matcher = RegexMatcher(program, workspace: io.workspace)
      let source = io.input(0, as: StringRef.self)
      let target = io.output(0, as: Bool.self)
      for index in 0..<count {
        try io.checkCancelled()
        target[index] = matcher.matches(source[index].bytes)
      }
    }
  }
}
