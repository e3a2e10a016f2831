import CDLRT
import DLRT
import DLRTPlugin

/// What a `dlrt_model` points to.
final class ModelObject: Sendable {
  let model: Model
  let inputs: [PortDescription]
  let outputs: [PortDescription]
  let metadata: [String: CText]

  init(_ model: Model) {
    self.model = model
    inputs = model.inputs.map(PortDescription.init)
    outputs = model.outputs.map(PortDescription.init)
    metadata = model.metadata.properties.mapValues(CText.init)
  }
}

/// An input or output in C's terms; its memory is what `dlrt_value_info` points into.
final class PortDescription: @unchecked Sendable {
  private let name: CText
  private let type: dlrt_type
  private let rank: Int32
  private let dims: UnsafeMutablePointer<Int64>
  private let symbols: UnsafeMutablePointer<UnsafePointer<CChar>?>
  private let symbolTexts: [CText?]

  init(_ port: Model.Port) {
    name = CText(port.name)
    type = port.type.dataType?.cType ?? DLRT_TYPE_UNDEFINED
    let shape = port.shape?.dims ?? []
    rank = port.shape == nil ? -1 : Int32(clamping: shape.count)
    dims = .allocate(capacity: shape.count + 1)
    symbols = .allocate(capacity: shape.count + 1)
    symbolTexts = shape.map { dim in
      if case .symbol(let name) = dim { return CText(name) }
      return nil
    }
    for (axis, dim) in shape.enumerated() {
      dims[axis] = Int64(dim.value ?? -1)
      symbols[axis] = symbolTexts[axis]?.start
    }
  }

  deinit {
    dims.deallocate()
    symbols.deallocate()
  }

  var info: dlrt_value_info {
    var info = dlrt_value_info()
    info.name = name.start
    info.type = type
    info.rank = rank
    info.dims = UnsafePointer(dims)
    info.symbols = UnsafePointer(symbols)
    return info
  }
}

private func loading(
  _ options: UnsafePointer<dlrt_model_options>?, _ result: UnsafeMutablePointer<OpaquePointer?>?,
  _ load: (Model.Options) throws -> Model
) -> dlrt_status {
  reporting {
    let result = try required(result, "model")
    result.pointee = nil
    let given = try dlrt_model_options(reading: options)
    guard given.flags & ~UInt64(DLRT_NO_OPTIMIZE) == 0 else {
      throw DLRTError(.invalidArgument, "unknown flags in dlrt_model_options", got: "\(given.flags)")
    }
    var options = Model.Options(optimizes: given.flags & UInt64(DLRT_NO_OPTIMIZE) == 0)
    if let operators = given.operators {
      options.operators = Handle.object(operators, as: PluginRegistry.self).operators
    }
    let model = try load(options)
    result.pointee = Handle.make(ModelObject(model))
  }
}

@c @implementation
public func dlrt_model_load(
  _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<dlrt_model_options>?,
  _ model: UnsafeMutablePointer<OpaquePointer?>?
) -> dlrt_status {
  loading(options, model) { options in
    try Model(contentsOf: text(path, "path"), options: options)
  }
}

@c @implementation
public func dlrt_model_load_memory(
  _ bytes: UnsafeRawPointer?, _ size: Int, _ options: UnsafePointer<dlrt_model_options>?,
  _ model: UnsafeMutablePointer<OpaquePointer?>?
) -> dlrt_status {
  loading(options, model) { options in
    // size_t beyond Int.max arrives as a negative number.
    guard size >= 0 else { throw DLRTError(.invalidArgument, "size is too large") }
    let start = try required(bytes, "bytes")
    return try Model(bytes: Array(UnsafeRawBufferPointer(start: start, count: size)), options: options)
  }
}

@c @implementation
public func dlrt_model_release(_ model: UnsafeMutablePointer<OpaquePointer?>?) {
  Handle.release(model, as: ModelObject.self)
}

@c @implementation
public func dlrt_model_input_count(_ model: OpaquePointer?) -> Int {
  model.map { Handle.object($0, as: ModelObject.self).inputs.count } ?? 0
}

@c @implementation
public func dlrt_model_output_count(_ model: OpaquePointer?) -> Int {
  model.map { Handle.object($0, as: ModelObject.self).outputs.count } ?? 0
}

private func describe(
  _ model: OpaquePointer?, _ index: Int, _ info: UnsafeMutablePointer<dlrt_value_info>?,
  _ ports: (ModelObject) -> [PortDescription]
) -> dlrt_status {
  reporting {
    let ports = ports(Handle.object(try required(model, "model")))
    let info = try required(info, "info")
    guard ports.indices.contains(index) else {
      throw DLRTError(
        .invalidArgument, "index out of range", expected: "less than \(ports.count)", got: "\(UInt(bitPattern: index))")
    }
    try ports[index].info.write(to: info)
  }
}

@c @implementation
public func dlrt_model_input(
  _ model: OpaquePointer?, _ index: Int, _ info: UnsafeMutablePointer<dlrt_value_info>?
) -> dlrt_status {
  describe(model, index, info, \.inputs)
}

@c @implementation
public func dlrt_model_output(
  _ model: OpaquePointer?, _ index: Int, _ info: UnsafeMutablePointer<dlrt_value_info>?
) -> dlrt_status {
  describe(model, index, info, \.outputs)
}

@c @implementation
public func dlrt_model_metadata(_ model: OpaquePointer?, _ key: UnsafePointer<CChar>?) -> UnsafePointer<CChar>? {
  guard let model, let key else { return nil }
  return Handle.object(model, as: ModelObject.self).metadata[String(cString: key)]?.start
}
