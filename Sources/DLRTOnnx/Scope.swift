import COnnx
import DLRTGraph

/// A graph that is being made, and the values of the graphs around it that it captures.
final class GraphBuilder {
  var graph: Graph
  /// Pairs of a value of the enclosing graph and the value that stands for it here, in the order of discovery.
  private(set) var captures: [(outer: ValueID, inner: ValueID)] = []

  init(name: String) { graph = Graph(name: name) }

  /// A value of the enclosing graph, as it is seen here. Constants are shared, not captured.
  func capture(_ id: ValueID, of outer: Graph) -> ValueID {
    let inner = graph.addValue(outer[id])
    if outer[id].constant == nil { captures.append((id, inner)) }
    return inner
  }

  /// Makes the captured values the last inputs, in the order that all bodies of a node share.
  func finish(captures shared: [ValueID], of outer: Graph) -> Graph {
    let own = Dictionary(captures.map { ($0.outer, $0.inner) }) { first, _ in first }
    for id in shared { graph.inputs.append(own[id] ?? graph.addValue(outer[id])) }
    return graph
  }
}

/// What nodes of one graph or one function call share.
struct Frame {
  /// Operator-set versions by domain.
  var opsets: [String: Int]
  /// The attributes of a function call; nil outside functions.
  var attributes: [String: Attribute]?
  /// Makes names within an expanded function unique.
  var prefix = ""
  /// How many function calls lead here.
  var depth = 0
}

/// The names that are visible in one place of a model.
final class Scope {
  let builder: GraphBuilder
  let frame: Frame
  /// How many graphs and function calls lead here.
  let depth: Int
  private let outer: Scope?
  /// nil for a function's formal input that the call leaves out.
  private var names: [String: ValueID?] = [:]

  init(_ builder: GraphBuilder, frame: Frame, outer: Scope?, depth: Int) throws(DLRTError) {
    guard depth <= Importer.deepestScope else {
      throw DLRTError(.limitExceeded, "graphs and calls of functions nest more than \(Importer.deepestScope) deep")
    }
    self.builder = builder
    self.frame = frame
    self.outer = outer
    self.depth = depth
  }

  /// The value of a name: own ones first, then those of the graphs around. The outer optional is nil for a name that
  /// nobody defines, the inner one for a value that is left out.
  func resolve(_ name: String) -> ValueID?? {
    if let own = names[name] { return .some(own) }
    guard let found = outer?.resolve(name) else { return nil }
    guard let outer, let id = found else { return .some(nil) }
    let inner = builder.capture(id, of: outer.builder.graph)
    names[name] = .some(inner)
    return .some(inner)
  }

  /// Prepares for so many names.
  func reserve(_ count: Int) { names.reserveCapacity(names.count + count) }

  func owns(_ name: String) -> Bool { names[name] != nil }

  func define(_ name: String, _ id: ValueID?, what: String) throws(DLRTError) {
    guard names.updateValue(id, forKey: name) == nil else {
      throw DLRTError(.invalidModel, "\(what) has the name of another value", tensor: name)
    }
  }

  /// A name as it is known outside the function call.
  func full(_ name: String) -> String { frame.prefix.isEmpty || name.isEmpty ? name : frame.prefix + "/" + name }
}
