import DLRTGraph

/// Checks what a run is given against what the model declares. Made once for a session, so that a run's check takes no
/// memory.
struct InputChecker: Sendable {
  private struct Place {
    let input: Int
    let axis: Int
  }

  private let ports: [Model.Port]
  private let defaults: [Tensor?]
  /// For each input and axis, where the same symbol stands first; nil where it does here, or where there is none.
  private let twins: [[Place?]]

  init(_ model: Model) {
    ports = model.inputs
    let graph = model.program.graph
    defaults = graph.inputs.map { graph.defaults[$0] }
    var first: [String: Place] = [:]
    twins = model.inputs.enumerated().map { index, port in
      (port.shape?.dims ?? []).enumerated().map { axis, dim in
        guard case .symbol(let name) = dim else { return nil }
        if let place = first[name] { return place }
        first[name] = Place(input: index, axis: axis)
        return nil
      }
    }
  }

  /// The inputs as steps may read them: where a caller's memory is not aligned, a copy.
  ///
  /// - Throws: `invalidInput`, naming the input, what was expected and what was given.
  func checked(_ inputs: [Value?]) throws -> [Value?] {
    guard inputs.count == ports.count else {
      throw DLRTError(.invalidInput, "wrong number of inputs", expected: "\(ports.count)", got: "\(inputs.count)")
    }
    var isAligned = true
    for (index, port) in ports.enumerated() {
      guard let value = inputs[index] else {
        guard defaults[index] != nil else {
          throw DLRTError(.invalidInput, "a required input is missing", tensor: port.name)
        }
        continue
      }
      guard value.type == port.type else {
        throw DLRTError(
          .invalidInput, "the input has another type", tensor: port.name, expected: "\(port.type)", got: "\(value.type)"
        )
      }
      if let tensor = value.tensor { try check(tensor.shape, of: index) { inputs[$0]?.tensor?.shape } }
      if value.tensor?.isAligned != true { isAligned = false }
    }
    return isAligned ? inputs : try inputs.map { try $0?.aligned() }
  }

  /// Fills in the shapes of defaults and checks all.
  func checked(shapes: [[Int]?]) throws -> [[Int]] {
    guard shapes.count == ports.count else {
      throw DLRTError(.invalidArgument, "wrong number of shapes", expected: "\(ports.count)", got: "\(shapes.count)")
    }
    for (index, port) in ports.enumerated() where port.type.dataType != nil {
      guard let shape = shapes[index] else {
        guard defaults[index] != nil else {
          throw DLRTError(.invalidInput, "a required input is missing", tensor: port.name)
        }
        continue
      }
      guard shape.checkedProduct != nil else {
        throw DLRTError(.invalidInput, "the shape has no valid size", tensor: port.name, got: "\(shape)")
      }
      try check(shape, of: index) { shapes[$0] }
    }
    return zip(ports, zip(shapes, defaults)).map { $0.type.dataType == nil ? [] : $1.0 ?? $1.1?.shape ?? [] }
  }

  /// - Parameter given: the shapes of the inputs up to this one; nil for those that were left out.
  private func check(_ sizes: [Int], of index: Int, _ given: (Int) -> [Int]?) throws {
    guard let shape = ports[index].shape else { return }
    guard sizes.count == shape.rank else {
      throw DLRTError(
        .invalidInput, "the input has another rank", tensor: ports[index].name, expected: "\(shape)", got: "\(sizes)")
    }
    for axis in sizes.indices {
      if case .known(let expected) = shape[axis], sizes[axis] != expected {
        throw DLRTError(
          .invalidInput, "the input has another shape", tensor: ports[index].name, expected: "\(shape)", got: "\(sizes)"
        )
      }
      // A default's rank is the model's affair.
      guard let twin = twins[index][axis], let other = given(twin.input) ?? defaults[twin.input]?.shape,
        twin.axis < other.count, other[twin.axis] != sizes[axis]
      else { continue }
      throw DLRTError(
        .invalidInput, "dimension '\(shape[axis])' differs between inputs", tensor: ports[index].name,
        expected: "\(other[twin.axis]) as in '\(ports[twin.input].name)'", got: "\(sizes[axis])")
    }
  }
}

extension Value {
  /// The value with every tensor aligned, as steps' typed pointers demand; memory of a caller's may lie anywhere.
  func aligned() throws -> Value {
    switch self {
    case .tensor(let tensor): .tensor(try tensor.aligned())
    case .sequence(let elements, let type): .sequence(try elements.map { try $0.aligned() }, of: type)
    case .optional(let content, let type): .optional(try content?.aligned(), of: type)
    case .map(let keys, let values, let type):
      .map(keys: try keys.aligned(), values: try values.map { try $0.aligned() }, of: type)
    }
  }
}
