import COnnx
import DLRTGraph

/// A declared type: what the value is and, of a tensor, its shape.
struct DeclaredType {
  var type: ValueType?
  var shape: Shape?

  /// - Parameter name: of the value, for messages.
  init(_ source: COnnxType, name: String) throws(DLRTError) {
    switch source.kind {
    case COnnxTypeTensor:
      if source.data_type != 0 { type = .tensor(try TensorDecoder.dataType(source.data_type, tensor: name)) }
      if source.has_shape { shape = try Self.shape(source.dims) }
    case COnnxTypeSequence: type = .sequence(try Self.element(source, name))
    case COnnxTypeOptional: type = .optional(try Self.element(source, name))
    case COnnxTypeMap:
      type = .map(
        key: try TensorDecoder.dataType(source.data_type, tensor: name), value: try Self.element(source, name))
    case COnnxTypeSparseTensor:
      throw DLRTError(.unsupportedModel, "values that are sparse tensors are not supported", tensor: name)
    case COnnxTypeOpaque:
      throw DLRTError(.unsupportedModel, "values of opaque types are not supported", tensor: name)
    default: break
    }
  }

  private static func element(_ source: COnnxType, _ name: String) throws(DLRTError) -> ValueType {
    guard let element = source.element.first, let type = try DeclaredType(element, name: name).type else {
      throw DLRTError(.invalidModel, "a container's type does not say of what", tensor: name)
    }
    return type
  }

  /// Exporters write -1 where they do not know a dimension.
  private static func shape(_ dims: COnnxDimList) throws(DLRTError) -> Shape {
    var result: [Dim] = []
    for dim in dims.all {
      switch dim.kind {
      case COnnxDimValue: result.append(dim.value < 0 ? .unknown : .known(Int(dim.value)))
      case COnnxDimParameter:
        let symbol = try dim.parameter.name(of: "a dimension")
        result.append(symbol.isEmpty ? .unknown : .symbol(symbol))
      default: result.append(.unknown)
      }
    }
    return Shape(result)
  }
}
