import DLRTGraph

/// ONNX StringNormalizer (10): a list of strings `[C]` or `[1, C]` without those in `stopwords`, in lower or upper case.
/// When all are dropped, one empty string is left.
package struct StringNormalizer: Operator {
  package static let schema = OperatorSchema(
    "StringNormalizer", versions: [10], inputs: [("X", "T")], outputs: [("Y", "T")], types: ["T": .string])

  private enum Change: String, CaseIterable {
    case lower = "LOWER"
    case upper = "UPPER"
    case none = "NONE"
  }

  private let change: Change
  private let isCaseSensitive: Bool
  private let stopwords: Set<String>

  package init(_ attributes: inout AttributeReader) throws {
    change = try attributes.choice("case_change_action", default: Change.none)
    let isCaseSensitive = try attributes.flag("is_case_sensitive")
    self.isCaseSensitive = isCaseSensitive
    let words = try attributes.optionalStrings("stopwords") ?? []
    stopwords = Set(words.map { isCaseSensitive ? $0 : $0.lowercased() })
    // Unicode's own case mapping serves every locale but Turkish and Lithuanian.
    attributes.ignore("locale")
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setDataDependent(0, .tensor(.string))
    let shape = try inference.shape(0)
    guard shape.rank == 1 || shape.rank == 2 && !shape[0].provablyDiffers(1) else {
      throw DLRTError(
        .invalidModel, "wrong shape", tensor: inference.name(0), expected: "[C] or [1, C]", got: "\(shape)")
    }
    inference.setDataDependent(0, .tensor(.string), shape.rank == 1 ? [.unknown] : [1, .unknown])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let rank = planning.shape(0).count
    let total = planning.input(0).count
    return Step(kernel: "strings") { io in
      let source = io.input(0, as: StringRef.self)
      var kept: [StringRef] = []
      for index in 0..<total {
        if !stopwords.isEmpty {
          let text = source[index].string
          if stopwords.contains(isCaseSensitive ? text : text.lowercased()) { continue }
        }
        switch change {
        case .none: kept.append(source[index])
        case .lower: kept.append(try io.host.strings.intern(source[index].string.lowercased().utf8))
        case .upper: kept.append(try io.host.strings.intern(source[index].string.uppercased().utf8))
        }
      }
      if kept.isEmpty { kept.append(StringRef(start: nil, count: 0)) }
      let shape = rank == 1 ? [kept.count] : [1, kept.count]
      let target = try io.allocate(output: 0, shape).assumingMemoryBound(to: StringRef.self)
      for (index, string) in kept.enumerated() { target[index] = string }
    }
  }
}
