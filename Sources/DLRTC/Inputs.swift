import CDLRT
import DLRT
import DLRTGraph
import DLRTPlugin

/// Turns the caller's tensors into a run's inputs. They are views of the caller's memory, good for one run.
struct InputBinding {
  private let model: Model

  init(_ model: Model) { self.model = model }

  func values(_ tensors: UnsafeBufferPointer<dlrt_tensor>) throws -> [Value?] {
    var values = [Value?](repeating: nil, count: model.inputs.count)
    for (position, tensor) in tensors.enumerated() {
      let index = try index(of: tensor, at: position)
      guard values[index] == nil else {
        throw DLRTError(.invalidInput, "the input is given twice", tensor: model.inputs[index].name)
      }
      values[index] = .tensor(try Tensor(viewing: tensor, name: model.inputs[index].name))
    }
    return values
  }

  private func index(of tensor: dlrt_tensor, at position: Int) throws -> Int {
    if let name = tensor.name.map({ String(cString: $0) }) {
      guard let index = model.inputs.firstIndex(where: { $0.name == name }) else {
        let names = model.inputs.map { "'\($0.name)'" }.joined(separator: ", ")
        throw DLRTError(.invalidInput, "the model has no such input", tensor: name, expected: "one of \(names)")
      }
      return index
    }
    guard model.inputs.indices.contains(position) else {
      throw DLRTError(.invalidInput, "too many inputs", expected: "\(model.inputs.count)", got: "\(position + 1)")
    }
    return position
  }
}

extension dlrt_tensor {
  fileprivate var shape: [Int] {
    withUnsafeBytes(of: dims) { $0.bindMemory(to: Int64.self).prefix(Int(rank)).map { Int($0) } }
  }
}

extension Tensor {
  /// A view of a caller's tensor; a copy where kernels could not read it in place.
  fileprivate init(viewing tensor: dlrt_tensor, name: String) throws {
    func refuse(_ message: String, expected: String? = nil, got: String? = nil) -> DLRTError {
      DLRTError(.invalidArgument, message, tensor: name, expected: expected, got: got)
    }
    guard let type = DataType(tensor.type) else {
      throw refuse("there is no such element type", got: "\(tensor.type.rawValue)")
    }
    guard (0...DLRT_MAX_RANK).contains(tensor.rank) else {
      throw refuse("rank out of range", expected: "0 to \(DLRT_MAX_RANK)", got: "\(tensor.rank)")
    }
    let shape = tensor.shape
    guard let count = shape.checkedProduct,
      case let (byteCount, overflow) = count.multipliedReportingOverflow(by: type.size), !overflow
    else {
      throw refuse("dims make no size", got: "\(shape)")
    }
    guard tensor.byte_size == byteCount else {
      throw refuse(
        "byte_size does not fit the shape", expected: "\(byteCount) for \(type) \(shape)",
        got: "\(UInt(bitPattern: tensor.byte_size))")
    }
    guard let data = tensor.data ?? (byteCount == 0 ? UnsafeMutableRawPointer(bitPattern: 64) : nil) else {
      throw refuse("data is NULL")
    }
    let view = Tensor(type, shape, TensorStorage(borrowing: data, byteCount: byteCount, owner: nil))
    try view.checkElements(name)
    self = view.isAligned ? view : try view.copied()
  }

  private func checkElements(_ name: String) throws {
    guard let fault = withUnsafeBytes({ type.fault(in: $0) }) else { return }
    throw DLRTError(
      type == .string ? .invalidArgument : .invalidInput, fault.message, tensor: name, expected: fault.expected)
  }
}
