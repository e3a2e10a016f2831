import DLRTGraph

/// Thrown through `infer` when something is not known yet. It is no error: at load the outputs stay unknown, while
/// planning the node waits until a run has made what it needs.
package enum Unresolved: Error {
  case shape(input: Int)
  case value(input: Int)
}

/// What an operator sees when it infers its outputs, and where it says them.
///
/// An operator first states its outputs' types (`setType`), then what shape it can (`set`). Reading what is not known
/// throws `Unresolved`, which the caller handles; so an operator writes its rule once, for symbols and for numbers.
package struct Inference {
  package let schema: OperatorSchema
  package let inputs: [Fact?]
  /// Facts of outputs; nil where nothing was said.
  package private(set) var outputs: [Fact?]
  /// Outputs whose size the data decide, so that only a run can tell it.
  package private(set) var dataDependent: Set<Int> = []

  package init(schema: OperatorSchema, inputs: [Fact?], outputCount: Int) {
    self.schema = schema
    self.inputs = inputs
    outputs = Array(repeating: nil, count: outputCount)
  }
}

// MARK: Reading inputs

extension Inference {
  package func has(_ index: Int) -> Bool { index < inputs.count && inputs[index] != nil }

  /// Whether anybody reads an output.
  package var outputCount: Int { outputs.count }
  package var inputCount: Int { inputs.count }

  package func fact(_ index: Int) throws -> Fact {
    guard index < inputs.count, let fact = inputs[index] else {
      throw DLRTError(.invalidModel, "a required input is missing", tensor: name(index))
    }
    return fact
  }

  /// The element type of a tensor input.
  package func type(_ index: Int) throws -> DataType {
    let fact = try fact(index)
    guard let type = fact.type.dataType else {
      throw DLRTError(.invalidModel, "not a tensor", tensor: name(index), expected: "tensor", got: "\(fact.type)")
    }
    return type
  }

  /// The shape of an input, whose rank at least is known.
  package func shape(_ index: Int) throws -> Shape {
    guard let shape = try fact(index).shape else { throw Unresolved.shape(input: index) }
    return shape
  }

  package func rank(_ index: Int) throws -> Int { try shape(index).rank }

  /// The shape of an input that must have a certain rank.
  package func shape(_ index: Int, rank: Int) throws -> Shape {
    let shape = try shape(index)
    guard shape.rank == rank else {
      throw DLRTError(
        .invalidModel, "wrong rank", tensor: name(index), expected: "rank \(rank)", got: "shape \(shape)")
    }
    return shape
  }

  /// The data of an input, if known.
  package func constant(_ index: Int) -> Tensor? { index < inputs.count ? inputs[index]?.constant : nil }

  /// The data of an input without which the outputs cannot be said.
  package func tensor(_ index: Int) throws -> Tensor {
    guard let tensor = try fact(index).constant else { throw Unresolved.value(input: index) }
    return tensor
  }

  /// The elements of an integer input without which the outputs cannot be said.
  package func integers(_ index: Int) throws -> [Int] {
    let fact = try fact(index)
    if let constant = fact.constant {
      guard let values = constant.integers else {
        throw DLRTError(
          .invalidModel, "not integers", tensor: name(index), expected: "integers", got: "\(constant.type)")
      }
      return values
    }
    if let elements = fact.elements {
      let known = elements.compactMap(\.value)
      if known.count == elements.count { return known }
    }
    throw Unresolved.value(input: index)
  }

  /// The elements of an integer input that holds sizes, with symbols where they are not numbers.
  package func dims(_ index: Int) throws -> [Dim] {
    if let elements = try fact(index).elements { return elements }
    return try integers(index).map(Dim.known)
  }

  /// The only element of an integer input.
  package func integer(_ index: Int) throws -> Int {
    let values = try integers(index)
    guard values.count == 1, let value = values.first else {
      throw DLRTError(
        .invalidModel, "not a single number", tensor: name(index), expected: "1 element", got: "\(values.count)")
    }
    return value
  }

  /// An axis counted from either end, made non-negative.
  package func axis(_ axis: Int, rank: Int, _ what: String = "axis") throws(DLRTError) -> Int {
    guard axis >= -rank, axis < rank else {
      throw DLRTError(.invalidModel, "out of range", tensor: what, expected: "-\(rank)..<\(rank)", got: "\(axis)")
    }
    return axis < 0 ? axis + rank : axis
  }

  /// Distinct axes counted from either end, made non-negative, in the given order.
  package func axes(_ axes: [Int], rank: Int, _ what: String = "axes") throws(DLRTError) -> [Int] {
    var result: [Int] = []
    for entry in axes {
      let axis = try self.axis(entry, rank: rank, what)
      guard !result.contains(axis) else {
        throw DLRTError(.invalidModel, "the same axis twice", tensor: what, got: "\(axes)")
      }
      result.append(axis)
    }
    return result
  }

  package func name(_ index: Int) -> String { schema.input(index)?.name ?? "input \(index)" }
}

// MARK: Saying outputs

extension Inference {
  /// States an output's type when its shape may not be known.
  package mutating func setType(_ index: Int, _ type: ValueType) {
    guard index < outputs.count, outputs[index] == nil else { return }
    outputs[index] = Fact(type, nil)
  }

  package mutating func setType(_ index: Int, _ type: DataType) { setType(index, .tensor(type)) }

  /// States the rank of an output whose sizes may not be known.
  package mutating func setRank(_ index: Int, _ type: DataType, _ rank: Int) {
    set(index, type, Shape([Dim](repeating: .unknown, count: rank)))
  }

  package mutating func set(_ index: Int, _ type: DataType, _ shape: Shape, elements: [Dim]? = nil) {
    guard index < outputs.count else { return }
    outputs[index] = Fact(type, shape, stated: elements)
  }

  package mutating func set(_ index: Int, _ fact: Fact) {
    guard index < outputs.count else { return }
    outputs[index] = fact
  }

  /// States an output whose size depends on data: `shape` holds what is known, the rest is `unknown`.
  package mutating func setDataDependent(_ index: Int, _ type: ValueType, _ shape: Shape? = nil) {
    guard index < outputs.count else { return }
    outputs[index] = Fact(type, shape)
    dataDependent.insert(index)
  }
}

// MARK: Rules that many operators share

extension Inference {
  /// Output `index` has the type and shape of input 0.
  package mutating func sameAsInput(_ index: Int = 0) throws {
    let type = try fact(0).type
    setType(index, type)
    set(index, Fact(type, try shape(0)))
  }

  /// The shape to which shapes broadcast, as NumPy does it.
  package func broadcast(_ indices: [Int]) throws -> Shape {
    var result = try shape(indices[0])
    for index in indices.dropFirst() {
      result = try broadcast(result, try shape(index), name(index))
    }
    return result
  }

  package func broadcast(_ a: Shape, _ b: Shape, _ what: String) throws(DLRTError) -> Shape {
    let rank = max(a.rank, b.rank)
    var dims: [Dim] = []
    dims.reserveCapacity(rank)
    for axis in 0..<rank {
      let left = axis < rank - a.rank ? 1 : a[axis - (rank - a.rank)]
      let right = axis < rank - b.rank ? 1 : b[axis - (rank - b.rank)]
      switch (left, right) {
      case (.known(1), _): dims.append(right)
      case (_, .known(1)): dims.append(left)
      case (.known(let x), .known(let y)):
        guard x == y else {
          throw DLRTError(.invalidModel, "shapes do not broadcast", tensor: what, expected: "\(a)", got: "\(b)")
        }
        dims.append(left)
      case (.known, _): dims.append(left)
      case (_, .known): dims.append(right)
      default: dims.append(left == right ? left : .unknown)
      }
    }
    return Shape(dims)
  }
}
