import CDLRT
import DLRT
import DLRTGraph
import DLRTPlugin
import Glibc

/// Keeps the memory of an output that the library provides.
private final class OutputOwner {
  let tensor: Tensor
  init(_ tensor: Tensor) { self.tensor = tensor }
}

/// Brings a run's results to where the caller wants them.
struct OutputBinding {
  private let names: [String]
  private let wanted: UnsafeMutableBufferPointer<dlrt_tensor>
  /// For each of the model's outputs, where the caller wants it in `wanted`.
  private var positions: [Int?]

  init(_ model: Model, _ wanted: UnsafeMutableBufferPointer<dlrt_tensor>) throws {
    names = model.outputs.map(\.name)
    positions = Array(repeating: nil, count: names.count)
    self.wanted = wanted
    for (position, tensor) in wanted.enumerated() {
      let index = try index(of: tensor, at: position)
      guard positions[index] == nil else {
        throw DLRTError(.invalidArgument, "the output is wanted twice", tensor: names[index])
      }
      positions[index] = position
    }
  }

  private func index(of tensor: dlrt_tensor, at position: Int) throws -> Int {
    if let name = tensor.name.map({ String(cString: $0) }) {
      guard let index = names.firstIndex(of: name) else {
        let known = names.map { "'\($0)'" }.joined(separator: ", ")
        throw DLRTError(.invalidArgument, "the model has no such output", tensor: name, expected: "one of \(known)")
      }
      return index
    }
    guard names.indices.contains(position) else {
      throw DLRTError(.invalidArgument, "too many outputs", expected: "\(names.count)", got: "\(position + 1)")
    }
    return position
  }

  /// The caller's buffer as memory that a run may write an output to; nil when it must be copied there instead.
  func memory(_ index: Int, _ type: DataType, _ shape: [Int]) -> Tensor? {
    guard let tensor = positions[index].map({ wanted[$0] }), tensor.owner == nil, let data = tensor.data,
      type != .string, let byteCount = try? Tensor.byteCount(type, shape), tensor.holds(byteCount)
    else { return nil }
    let view = Tensor(type, shape, TensorStorage(borrowing: data, byteCount: byteCount, owner: nil))
    return view.isAligned ? view : nil
  }

  /// Fills in the caller's tensors. When one of them cannot take its result, nothing changes but the bytes of those that the
  /// run has written to and, where they are too small, `byte_size`.
  mutating func deliver(_ results: [Value]) throws {
    let tensors = try positions.enumerated().compactMap { index, position in
      try position.map { (position: $0, name: names[index], tensor: try deliverable(results[index], names[index])) }
    }
    for (position, name, tensor) in tensors where tensor.type == .string && wanted[position].isBuffer {
      throw DLRTError(.invalidArgument, "strings come in the library's memory only: data must be NULL", tensor: name)
    }
    var tooSmall: BufferTooSmall?
    for (position, name, tensor) in tensors {
      if !wanted[position].isBuffer || wanted[position].holds(tensor.byteCount) { continue }
      wanted[position].byte_size = tensor.byteCount
      tooSmall = tooSmall ?? BufferTooSmall(output: name, needed: tensor.byteCount, capacity: wanted[position].capacity)
    }
    if let tooSmall { throw tooSmall }
    for (position, _, tensor) in tensors { try wanted[position].take(tensor) }
  }

  private func deliverable(_ value: Value, _ name: String) throws -> Tensor {
    guard let tensor = value.tensor else {
      throw DLRTError(
        .invalidArgument, "only tensors can be had through the C interface", tensor: name, got: "\(value.type)")
    }
    guard tensor.rank <= DLRT_MAX_RANK else {
      throw DLRTError(
        .limitExceeded, "rank too large", tensor: name, expected: "\(DLRT_MAX_RANK)", got: "\(tensor.rank)")
    }
    return tensor
  }
}

extension dlrt_tensor {
  /// Whether the caller says where the result goes.
  fileprivate var isBuffer: Bool { owner == nil && data != nil }

  /// Whether there is room; a size_t beyond Int.max arrives as a negative number.
  fileprivate func holds(_ byteCount: Int) -> Bool { UInt(bitPattern: capacity) >= UInt(bitPattern: byteCount) }

  fileprivate mutating func take(_ tensor: Tensor) throws {
    if owner == nil, let data {
      if tensor.byteCount > 0, tensor.pointer != UnsafeRawPointer(data) {
        memcpy(data, tensor.pointer, tensor.byteCount)
      }
    } else {
      // A result may be a view of memory that ends with the run.
      let own = tensor.isOwned ? tensor : try tensor.copied()
      releaseOwner()
      data = own.mutablePointer
      capacity = own.byteCount
      owner = Unmanaged.passRetained(OutputOwner(own)).toOpaque()
    }
    type = tensor.type.cType
    byte_size = tensor.byteCount
    rank = Int32(tensor.rank)
    withUnsafeMutableBytes(of: &dims) { bytes in
      let dims = bytes.bindMemory(to: Int64.self)
      for axis in dims.indices { dims[axis] = axis < tensor.rank ? Int64(tensor.shape[axis]) : 0 }
    }
  }

  fileprivate mutating func releaseOwner() {
    guard let old = owner else { return }
    owner = nil
    data = nil
    byte_size = 0
    capacity = 0
    Unmanaged<OutputOwner>.fromOpaque(old).release()
  }
}

@c @implementation
public func dlrt_tensor_release(_ tensor: UnsafeMutablePointer<dlrt_tensor>?) { tensor?.pointee.releaseOwner() }
