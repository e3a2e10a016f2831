/// A value of a graph: its index there.
package struct ValueID: Hashable, Sendable {
  package let index: Int
  package init(_ index: Int) { self.index = index }
}

/// A node of a graph: its index there. Indices stay valid while passes add and remove nodes.
package struct NodeID: Hashable, Sendable {
  package let index: Int
  package init(_ index: Int) { self.index = index }
}

/// An operator's full name. ONNX's default domain is the empty string.
package struct OperatorName: Hashable, Sendable, CustomStringConvertible {
  package let domain: String
  package let name: String

  package init(_ name: String, domain: String = "") {
    self.name = name
    self.domain = domain == "ai.onnx" ? "" : domain
  }

  package var description: String { domain.isEmpty ? name : "\(domain)::\(name)" }

  /// - Parameter description: what `description` is.
  @inline(never)
  package init(description: String) {
    let domain = description.utf8.prefix { $0 != UInt8(ascii: ":") }
    if domain.endIndex == description.endIndex {
      self.init(description)
    } else {
      let name = description.utf8[domain.endIndex...].dropFirst(2)
      self.init(String(Substring(name)), domain: String(Substring(domain)))
    }
  }

  /// The domain of operators that only dlrt's own passes make.
  package static let internalDomain = "ai.dlrt"
}

/// One application of an operator, in the newest form of that operator.
///
/// Passes hand nodes around all the time, so a copy counts one reference instead of one for each part; a change makes
/// the node anew.
package struct Node: Sendable {
  @usableFromInline struct Parts: Sendable {
    @usableFromInline var name: String
    @usableFromInline var op: OperatorName
    @usableFromInline var attributes: [String: Attribute]
    @usableFromInline var inputs: [ValueID?]
    @usableFromInline var outputs: [ValueID?]
    @usableFromInline var captureCount: Int
    @usableFromInline var version: Int?
  }

  @usableFromInline final class Body: Sendable {
    @usableFromInline let parts: Parts

    init(_ parts: Parts) { self.parts = parts }
  }

  @usableFromInline private(set) var body: Body

  @inline(never)
  private mutating func change(_ change: (inout Parts) -> Void) {
    var parts = body.parts
    change(&parts)
    body = Body(parts)
  }

  package var name: String {
    @inlinable get { body.parts.name }
    set { change { $0.name = newValue } }
  }
  package var op: OperatorName {
    @inlinable get { body.parts.op }
    set { change { $0.op = newValue } }
  }
  package var attributes: [String: Attribute] {
    @inlinable get { body.parts.attributes }
    set { change { $0.attributes = newValue } }
  }
  /// Absent optional inputs are nil. Values captured by subgraphs come last.
  package var inputs: [ValueID?] {
    @inlinable get { body.parts.inputs }
    set { change { $0.inputs = newValue } }
  }
  package var outputs: [ValueID?] {
    @inlinable get { body.parts.outputs }
    set { change { $0.outputs = newValue } }
  }
  /// How many of the last inputs are values that the node's subgraphs capture. Every subgraph of the node has them as
  /// its last inputs, in the same order.
  package var captureCount: Int {
    @inlinable get { body.parts.captureCount }
    set { change { $0.captureCount = newValue } }
  }
  /// The version of its operator set that the node was written for; nil for dlrt's own operators, whose nodes have one
  /// form.
  package var version: Int? {
    @inlinable get { body.parts.version }
    set { change { $0.version = newValue } }
  }

  package init(
    _ op: OperatorName, name: String = "", attributes: [String: Attribute] = [:], inputs: [ValueID?],
    outputs: [ValueID?], captureCount: Int = 0
  ) {
    body = Body(
      Parts(
        name: name, op: op, attributes: attributes, inputs: inputs, outputs: outputs, captureCount: captureCount,
        version: nil))
  }

  static let empty = Node(OperatorName(""), inputs: [], outputs: [])

  /// The inputs that the operator itself declares.
  package var ownInputs: ArraySlice<ValueID?> { inputs.dropLast(captureCount) }

  package func input(_ index: Int) -> ValueID? { index < inputs.count ? inputs[index] : nil }
  package func output(_ index: Int) -> ValueID? { index < outputs.count ? outputs[index] : nil }
}

/// A node as graphs walk over it: they do so very often, and this counts no references.
extension Unmanaged<Node.Body> {
  @inline(__always) func forEachInput(_ visit: (ValueID) -> Void) {
    _withUnsafeGuaranteedRef { body in
      for index in body.parts.inputs.indices {
        if let input = body.parts.inputs[index] { visit(input) }
      }
    }
  }

  @inline(__always) func forEachOutput(_ visit: (ValueID) -> Void) {
    _withUnsafeGuaranteedRef { body in
      for index in body.parts.outputs.indices {
        if let output = body.parts.outputs[index] { visit(output) }
      }
    }
  }
}
