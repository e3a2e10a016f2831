import DLRT
import DLRTGraph

/// Makes random inputs for a model, from a seed: floats of a normal distribution, integers that stay within the tables that
/// they choose from, or else fit vocabularies, masks of ones.
package struct InputMaker {
  package var dims: [String: Int] = [:]
  package var shapes: [String: [Int]] = [:]
  private let seed: UInt64

  package init(seed: UInt64) { self.seed = seed }

  /// One value for each input of the model that needs one; inputs with defaults stay nil unless a shape is given.
  ///
  /// - Parameter given: inputs that the caller has, for which nothing is made.
  package func inputs(for model: Model, given: [Bool] = []) throws -> [Value?] {
    try check(model, given: given)
    var generator = SplitMix(state: seed)
    let bounds = model.indexBounds
    return try model.inputs.enumerated().map { index, port in
      if index < given.count && given[index] { return nil }
      if port.isOptional && shapes[port.name] == nil { return nil }
      return try .tensor(tensor(port, below: bounds[index], &generator))
    }
  }

  /// Takes the sizes that an input which the caller has gives to symbols of the model's; those in `dims` stay.
  package mutating func settle(_ port: Model.Port, _ sizes: [Int]?) {
    guard let dims = port.shape?.dims, let sizes, dims.count == sizes.count else { return }
    for case (.symbol(let name), let size) in zip(dims, sizes) where self.dims[name] == nil { self.dims[name] = size }
  }

  /// The names in `dims` that no input of the model has, and those that there are.
  package func strangers(to model: Model) -> (unknown: [String], known: [String]) {
    var known: Set<String> = []
    for case .symbol(let name) in model.inputs.flatMap({ $0.shape?.dims ?? [] }) { known.insert(name) }
    return (dims.keys.filter { !known.contains($0) }.sorted(), known.sorted())
  }

  /// Refuses shapes for inputs that the model does not have, and those that contradict `dims`. Dimensions that it does not
  /// have are nothing to it, so that scripts may give the same to many models.
  package func check(_ model: Model, given: [Bool] = []) throws {
    for name in shapes.keys.sorted() where !model.inputs.contains(where: { $0.name == name }) {
      let names = model.inputs.map { "'\($0.name)'" }.joined(separator: ", ")
      throw DLRTError(.invalidArgument, "the model has no such input", tensor: name, expected: "one of \(names)")
    }
    for (index, port) in model.inputs.enumerated() where index >= given.count || !given[index] {
      try checkDims(of: port, shapes[port.name], .invalidArgument)
    }
  }

  /// Refuses sizes of an input that contradict `dims`.
  func checkDims(of port: Model.Port, _ sizes: [Int]?, _ code: DLRTError.Code) throws {
    guard let declared = port.shape?.dims, let sizes, declared.count == sizes.count else { return }
    for case (.symbol(let name), let size) in zip(declared, sizes) {
      guard let wanted = dims[name], wanted != size else { continue }
      throw DLRTError(
        code, "the dimension '\(name)' has two sizes", tensor: port.name, expected: "\(wanted), as elsewhere",
        got: "\(sizes)")
    }
  }

  /// The shape of an input: as given, else the declared one with symbols from `dims`, and 1 for all others.
  package func shape(of port: Model.Port) -> [Int] {
    if let given = shapes[port.name] { return given }
    return (port.shape?.dims ?? []).map { dim in
      switch dim {
      case .known(let size): size
      case .symbol(let name): dims[name] ?? 1
      case .unknown: 1
      }
    }
  }

  /// The axes of an input whose sizes nobody has said.
  package func openAxes(of port: Model.Port) -> Set<Int> {
    guard shapes[port.name] == nil, let dims = port.shape?.dims else { return [] }
    return Set(
      dims.indices.filter { axis in
        switch dims[axis] {
        case .known: false
        case .symbol(let name): self.dims[name] == nil
        case .unknown: true
        }
      })
  }

  /// - Parameter bound: what integers stay below, if there is such a number.
  private func tensor(_ port: Model.Port, below bound: Int?, _ generator: inout SplitMix) throws -> Tensor {
    guard case .tensor(let type) = port.type else {
      throw DLRTError(
        .invalidInput, "random values are made for tensors only", tensor: port.name, expected: "a file",
        got: "\(port.type)")
    }
    let shape = shape(of: port)
    guard let count = shape.checkedProduct, count <= 1 << 31 else {
      throw DLRTError(.invalidArgument, "no such shape", tensor: port.name, got: "\(shape)")
    }
    let isMask = bound == nil && port.name.hasSuffix("mask")
    switch type {
    case .float32: return try Tensor((0..<count).map { _ in Float(generator.normal()) }, shape: shape)
    case .float64: return try Tensor((0..<count).map { _ in generator.normal() }, shape: shape)
    case .float16: return try Tensor((0..<count).map { _ in Float16(generator.normal()) }, shape: shape)
    case .int64:
      return try Tensor(
        (0..<count).map { _ in isMask ? 1 : generator.integer(below: bound ?? 9000) as Int64 }, shape: shape)
    case .int32:
      return try Tensor(
        (0..<count).map { _ in isMask ? 1 : generator.integer(below: bound ?? 9000) as Int32 }, shape: shape)
    case .uint8: return try Tensor((0..<count).map { _ in generator.integer(below: bound) as UInt8 }, shape: shape)
    case .int8: return try Tensor((0..<count).map { _ in generator.integer(below: bound) as Int8 }, shape: shape)
    case .bool: return try Tensor((0..<count).map { _ in isMask || generator.next() % 2 == 0 }, shape: shape)
    default: return try Tensor(zeros: shape, type: type)
    }
  }
}

/// A small generator of good quality (Steele, Lea, Flood 2014).
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// A number from 0 up to a bound, as far as its type goes; without a bound any number.
  mutating func integer<T: FixedWidthInteger>(below bound: Int?) -> T {
    guard let bound else { return T(truncatingIfNeeded: next()) }
    return T(truncatingIfNeeded: next() % UInt64(max(1, min(bound, Int(clamping: T.max)))))
  }

  /// A sum of twelve uniform numbers: mean 0, variance 1, close enough to a normal distribution for test data.
  mutating func normal() -> Double {
    var sum = -6.0
    for _ in 0..<12 { sum += Double(next() >> 11) * 0x1p-53 }
    return sum
  }
}
