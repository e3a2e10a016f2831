import DLRTGraph
import DLRTParallel

/// The model's constants in the layouts that kernels want, each made once.
///
/// Only what is made from the model's own constants is kept; a tensor that one plan found (a shape's consequence, say)
/// is packed for that plan alone, so that plans leave nothing behind.
package final class WeightStore: Sendable {
  private struct Key: Hashable {
    let storage: ObjectIdentifier
    let offset: Int
    let shape: [Int]
    let format: String
  }

  private struct Entry {
    // Keeps the key's identity from being reused.
    let source: Tensor
    let packed: TensorStorage
  }

  private struct State {
    var entries: [Key: Entry] = [:]
    /// Storages that live as long as the model.
    var lasting: Set<ObjectIdentifier> = []
  }

  private let state = Locked(State())
  private let memory = WeightMemory()

  package init() {}

  /// Notes constants that live as long as the model.
  package func keep(_ constants: some Sequence<Tensor>) {
    state.withLock { state in
      for constant in constants where state.lasting.insert(ObjectIdentifier(constant.storage)).inserted {
        memory.expect(constant.byteCount)
      }
    }
  }

  /// - Parameter fill: writes the packed form.
  package func packed(
    _ tensor: Tensor, format: String, byteCount: Int, _ fill: (Tensor, UnsafeMutableRawPointer) throws -> Void
  ) throws -> TensorStorage {
    try packed(tensor, format: format) { tensor, isLasting in
      let storage = try isLasting ? memory.take(byteCount) : TensorStorage(byteCount: byteCount)
      try fill(tensor, storage.base)
      return storage
    }
  }

  package func packed(
    _ tensor: Tensor, format: String, _ make: (Tensor) throws -> TensorStorage
  ) throws -> TensorStorage {
    try packed(tensor, format: format) { tensor, _ in try make(tensor) }
  }

  private func packed(
    _ tensor: Tensor, format: String, _ make: (Tensor, _ isLasting: Bool) throws -> TensorStorage
  ) throws -> TensorStorage {
    let storage = ObjectIdentifier(tensor.storage)
    let key = Key(storage: storage, offset: tensor.byteOffset, shape: tensor.shape, format: format)
    let (found, isLasting) = state.withLock { ($0.entries[key]?.packed, $0.lasting.contains(storage)) }
    if let found { return found }
    tensor.withUnsafeBytes { tensor.storage.preparePages($0) }
    let made = try make(tensor, isLasting)
    guard isLasting else { return made }
    // Most constants have one reader, which now has its own copy.
    tensor.withUnsafeBytes { tensor.storage.releasePages($0) }
    return state.withLock { state in
      if let other = state.entries[key]?.packed { return other }
      state.entries[key] = Entry(source: tensor, packed: made)
      // What is packed may be packed again: converted first, then laid out.
      state.lasting.insert(ObjectIdentifier(made))
      return made
    }
  }

  /// A constant whose elements may be read through typed pointers; files do not promise alignment.
  package func aligned(_ tensor: Tensor) throws -> Tensor {
    if tensor.isAligned { return tensor }
    // Elements of strings refer to memory of their own.
    if tensor.type == .string { return try tensor.copied() }
    let storage = try packed(tensor, format: "aligned", byteCount: tensor.byteCount) { tensor, target in
      tensor.withUnsafeBytes { UnsafeMutableRawBufferPointer(start: target, count: $0.count).copyMemory(from: $0) }
    }
    return Tensor(tensor.type, tensor.shape, storage)
  }

  /// Bytes held in packed form.
  package var byteCount: Int { state.withLock { $0.entries.values.reduce(0) { $0 + $1.packed.byteCount } } }
}
