/// Everything that dlrt throws: a code to branch on, and the place and facts a person needs to mend the cause.
public struct DLRTError: Error, Sendable {
  /// The kind of failure. Codes are stable; new ones may be added.
  public enum Code: Int32, Sendable {
    /// The model's bytes or its graph break the format or the standard.
    case invalidModel = 1
    /// The model is well formed, but uses an operator, type or option that is not implemented.
    case unsupportedModel = 2
    /// An input tensor does not fit the model: name, element type, shape or values.
    case invalidInput = 3
    /// An argument of an API call is wrong.
    case invalidArgument = 4
    /// A memory, size, depth or time limit would be exceeded.
    case limitExceeded = 5
    /// The caller cancelled the run.
    case cancelled = 6
    /// The operating system refused to read, map or write a file.
    case io = 7
    /// A promise inside dlrt was broken: please report it.
    case internalError = 8
    /// A user's own operator failed, or broke a promise of its own.
    case operatorFailed = 9
  }

  public var code: Code
  public var message: String
  /// The node's name (or its first output's, when it has none).
  public var node: String?
  /// The operator's name, with its domain unless that is ONNX's default one.
  public var operatorName: String?
  /// The tensor, input or attribute that is at fault.
  public var tensor: String?
  public var expected: String?
  public var got: String?
  /// The single failures of which this error is the sum, e.g. all unsupported operators of a model.
  public var causes: [DLRTError]

  public init(
    _ code: Code, _ message: String, node: String? = nil, operatorName: String? = nil, tensor: String? = nil,
    expected: String? = nil, got: String? = nil, causes: [DLRTError] = []
  ) {
    self.code = code
    self.message = message
    self.node = node
    self.operatorName = operatorName
    self.tensor = tensor
    self.expected = expected
    self.got = got
    self.causes = causes
  }
}

extension DLRTError: CustomStringConvertible {
  public var description: String {
    var text = ""
    if let operatorName {
      text += operatorName
      if let node, !node.isEmpty { text += " node '\(node)'" }
      text += ": "
    } else if let node, !node.isEmpty {
      text += "node '\(node)': "
    }
    if let tensor { text += "'\(tensor)': " }
    text += message
    if let expected { text += "; expected \(expected)" }
    if let got { text += ", got \(got)" }
    for cause in causes { text += "\n  " + cause.description }
    return text
  }
}

extension DLRTError {
  /// The same error with a place filled in where it had none.
  package func located(node: String, operatorName: String) -> DLRTError {
    var copy = self
    if copy.node == nil { copy.node = node }
    if copy.operatorName == nil { copy.operatorName = operatorName }
    return copy
  }
}
