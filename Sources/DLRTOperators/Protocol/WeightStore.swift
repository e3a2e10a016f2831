import DLRTGraph
import Synchronization

/// The model's constants in the layouts that kernels want, each made once.
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

  private let entries = Mutex<[Key: Entry]>([:])

  package init() {}

  package func packed(
    _ tensor: Tensor, format: String, _ make: (Tensor) throws -> TensorStorage
  ) throws -> TensorStorage {
    let key = Key(
      storage: ObjectIdentifier(tensor.storage), offset: tensor.byteOffset, shape: tensor.shape, format: format)
    if let found = entries.withLock({ $0[key]?.packed }) { return found }
    let made = try make(tensor)
    // Most constants have one reader, which now has its own copy.
    tensor.withUnsafeBytes { tensor.storage.releasePages($0) }
    return entries.withLock { table in
      if let other = table[key]?.packed { return other }
      table[key] = Entry(source: tensor, packed: made)
      return made
    }
  }

  /// A constant whose elements may be read through typed pointers; files do not promise alignment.
  package func aligned(_ tensor: Tensor) throws -> Tensor {
    if tensor.isAligned { return tensor }
    let storage = try packed(tensor, format: "aligned") { try $0.copied().storage }
    return Tensor(tensor.type, tensor.shape, storage)
  }

  /// Bytes held in packed form.
  package var byteCount: Int { entries.withLock { $0.values.reduce(0) { $0 + $1.packed.byteCount } } }
}
