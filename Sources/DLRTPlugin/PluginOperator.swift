import CDLRT
import DLRT
import DLRTGraph
import DLRTOperators

/// One node of an operator that C code defines.
final class PluginOperator: CustomOperator, @unchecked Sendable {
  private let definition: PluginDefinition
  /// What `create` made of the node.
  private let state: UnsafeMutableRawPointer?
  private let outputCount: Int

  init(_ definition: PluginDefinition, _ attributes: inout OperatorAttributes) throws {
    self.definition = definition
    outputCount = attributes.outputCount
    guard let create = definition.functions.create else {
      state = nil
      return
    }
    let context = CreateContext(attributes)
    var call = dlrt_call(definition, state: nil)
    call.input_count = attributes.inputCount
    call.output_count = attributes.outputCount
    try CallContext(create: context).call(&call, "create", create)
    attributes = context.attributes
    state = call.state
  }

  deinit {
    if let state { definition.functions.destroy?(state) }
  }

  func infer(_ inputs: [TensorDescription?]) throws -> [TensorDescription] {
    var sizes = SizeNumbers()
    let given = try inputs.enumerated().map { try dlrt_tensor($1, at: $0, &sizes) }
    var blank = dlrt_tensor()
    blank.rank = -1
    var stated = [dlrt_tensor](repeating: blank, count: outputCount)
    try withExtendedLifetime(inputs) {
      try given.withUnsafeBufferPointer { given in
        try stated.withUnsafeMutableBufferPointer { stated in
          var call = dlrt_call(definition, state: state)
          call.inputs = given.baseAddress
          call.input_count = given.count
          call.outputs = stated.baseAddress
          call.output_count = stated.count
          try CallContext().call(&call, "infer", definition.functions.infer)
        }
      }
    }
    return try stated.enumerated().map { try $1.description(at: $0, sizes) }
  }

  func compute(_ run: borrowing OperatorCall) throws {
    let inputCount = run.inputCount
    let outputCount = run.outputCount
    try withUnsafeTemporaryAllocation(of: dlrt_tensor.self, capacity: inputCount + outputCount) { tensors in
      for index in 0..<inputCount {
        let view = run.input(index)
        tensors.initializeElement(
          at: index,
          to: try dlrt_tensor(view?.type, view?.shape ?? [], UnsafeMutableRawPointer(mutating: view?.bytes.baseAddress))
        )
      }
      for index in 0..<outputCount {
        let view = run.output(index)
        var tensor = try dlrt_tensor(view?.type, view?.shape ?? [], view?.bytes.baseAddress)
        if let open = run.openType(index) {
          tensor.type = open.cType
          tensor.rank = -1
        }
        tensors.initializeElement(at: inputCount + index, to: tensor)
      }
      guard let start = tensors.baseAddress else { return }
      var call = dlrt_call(definition, state: state)
      call.inputs = UnsafePointer(start)
      call.input_count = inputCount
      call.outputs = start + inputCount
      call.output_count = outputCount
      try CallContext.withCompute(run, start + inputCount) { context in
        try context.call(&call, "compute", definition.functions.compute)
      }
    }
  }
}

extension dlrt_call {
  fileprivate init(_ definition: PluginDefinition, state: UnsafeMutableRawPointer?) {
    self.init()
    size = MemoryLayout<dlrt_call>.size
    api = PluginAPI.table
    user_data = definition.functions.user_data
    self.state = state
  }
}

/// Numbers for sizes that have none yet: −2, −3, … for each that has a name.
private struct SizeNumbers {
  private var names: [Dim] = []

  mutating func number(_ dim: Dim) -> Int {
    switch dim {
    case .known(let size): return size
    case .unknown: return -1
    case .symbol:
      if let index = names.firstIndex(of: dim) { return -2 - index }
      names.append(dim)
      return -1 - names.count
    }
  }

  func dim(_ number: Int64) -> Dim? {
    if number >= 0 { return .known(Int(number)) }
    if number == -1 { return .unknown }
    let index = -2 &- number
    return index < names.count ? names[Int(index)] : nil
  }
}

extension dlrt_tensor {
  /// A tensor of which only types and sizes are told, and elements that do not change.
  fileprivate init(_ description: TensorDescription?, at index: Int, _ sizes: inout SizeNumbers) throws {
    self.init()
    guard let description, let shape = description.shape else { return }
    type = description.type.cType
    try setShape(shape.dims.map { sizes.number($0) })
    guard let constant = description.constant else { return }
    data = UnsafeMutableRawPointer(mutating: constant.pointer)
    byte_size = constant.byteCount
  }

  /// A tensor in a run; absent when there is no type.
  fileprivate init(_ type: DataType?, _ shape: [Int], _ data: UnsafeMutableRawPointer?) throws {
    self.init()
    guard let type else { return }
    self.type = type.cType
    try setShape(shape)
    self.data = data
    byte_size = shape.product &* type.size
  }

  mutating func setShape(_ sizes: [Int]) throws {
    guard sizes.count <= DLRT_MAX_RANK else {
      throw DLRTError(.limitExceeded, "rank too large", expected: "\(DLRT_MAX_RANK)", got: "\(sizes.count)")
    }
    rank = Int32(sizes.count)
    withUnsafeMutableBytes(of: &dims) { bytes in
      let dims = bytes.bindMemory(to: Int64.self)
      for (axis, size) in sizes.enumerated() { dims[axis] = Int64(size) }
    }
  }

  /// What `infer` has stated of an output.
  fileprivate func description(at index: Int, _ sizes: SizeNumbers) throws -> TensorDescription {
    func refuse(_ message: String, got: String? = nil) -> DLRTError {
      DLRTError(.operatorFailed, message, tensor: "output \(index)", got: got)
    }
    guard let type = DataType(type) else {
      throw refuse("infer states no element type", got: "\(self.type.rawValue)")
    }
    guard (-1...DLRT_MAX_RANK).contains(rank) else { throw refuse("infer states no valid rank", got: "\(rank)") }
    guard rank >= 0 else { return TensorDescription(type, nil) }
    let numbers = withUnsafeBytes(of: dims) { Array($0.bindMemory(to: Int64.self).prefix(Int(rank))) }
    return TensorDescription(
      type,
      Shape(
        try numbers.map { number in
          guard let dim = sizes.dim(number) else { throw refuse("infer states no valid size", got: "\(number)") }
          return dim
        }))
  }
}
