extension Graph {
  /// A text form to read and to compare: one line a node, `outputs = Operator(inputs) {attributes}`.
  package func dump(indent: String = "") -> String {
    var text = "\(indent)graph \(name)(\(inputs.map(declaration).joined(separator: ", "))) {\n"
    for id in order where contains(id) {
      let node = self[id]
      let results = node.outputs.map { $0.map(declaration) ?? "_" }.joined(separator: ", ")
      let arguments = node.inputs.map { $0.map(reference) ?? "_" }.joined(separator: ", ")
      text += "\(indent)  \(results) = \(node.op)(\(arguments))"
      let attributes = node.sortedAttributes
      if !attributes.isEmpty {
        text += " {" + attributes.map { "\($0.key)=\($0.value)" }.joined(separator: ", ") + "}"
      }
      text += "\n"
      for body in node.subgraphs { text += body.dump(indent: indent + "    ") }
    }
    text += "\(indent)  return \(outputs.map(reference).joined(separator: ", "))\n\(indent)}\n"
    return text
  }

  private func reference(_ id: ValueID) -> String {
    let value = self[id]
    if let constant = value.constant {
      let shown = constant.count <= 8 ? constant.integers : nil
      let content = shown.map { " " + $0.map(String.init).joined(separator: " ") } ?? ""
      return "<\(constant.type)\(constant.shape)\(content)>"
    }
    return value.name.isEmpty ? "%\(id.index)" : "%\(value.name)"
  }

  private func declaration(_ id: ValueID) -> String {
    let value = self[id]
    let type = value.type.map { type in type.dataType.map { "\($0)" } ?? "\(type)" } ?? "?"
    return "\(reference(id)): \(type)\(value.shape.map { "\($0)" } ?? "")"
  }
}
