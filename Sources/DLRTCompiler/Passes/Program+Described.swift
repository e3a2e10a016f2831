import DLRTGraph

extension Program {
  /// A value's name and what is known of it, for the one that a pass puts in its place.
  ///
  /// - Parameter shape: where the new one's differs.
  func described(_ value: ValueID, _ shape: Shape? = nil) -> Graph.Value {
    let fact = fact(value)
    return Graph.Value(name: graph[value].name, type: fact?.type, shape: shape ?? fact?.shape)
  }
}
