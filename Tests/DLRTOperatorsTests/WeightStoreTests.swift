import DLRTGraph
import DLRTOperators
import Testing

/// Packed weights: their memory, and how long they are kept.
@Suite struct WeightStoreTests {
  private func weights(_ count: Int) throws -> Tensor { try Tensor(zeros: [count], type: .float32) }

  @Test func memoryIsAlignedAndNobodyElses() throws {
    let store = WeightStore()
    var sizes = [1, 0, 63, 64, 65, 4096, 100_000, 300_000, 1 << 20, 3 << 20, 5_000_001, 40 << 20]
    sizes += (0..<200).map { 1 + $0 * 977 }
    let tensors = try sizes.map { _ in try weights(4) }
    store.keep(tensors)
    let packed = try zip(tensors, sizes).enumerated().map { index, item in
      try store.packed(item.0, format: "test", byteCount: item.1) { _, target in
        target.initializeMemory(as: UInt8.self, repeating: UInt8(truncatingIfNeeded: index), count: item.1)
      }
    }
    for (index, storage) in packed.enumerated() {
      #expect(storage.byteCount == sizes[index])
      #expect(Int(bitPattern: storage.base) % TensorStorage.alignment == 0)
      let bytes = UnsafeRawBufferPointer(start: storage.base, count: storage.byteCount)
      #expect(bytes.first ?? UInt8(truncatingIfNeeded: index) == UInt8(truncatingIfNeeded: index))
      #expect(bytes.last ?? UInt8(truncatingIfNeeded: index) == UInt8(truncatingIfNeeded: index))
    }
    let ordered = packed.sorted { $0.base < $1.base }
    for (one, next) in zip(ordered, ordered.dropFirst()) { #expect(one.base + one.byteCount <= next.base) }
    #expect(store.byteCount == sizes.reduce(0, +))
  }

  @Test func whatLastsIsPackedOnce() throws {
    let store = WeightStore()
    let (lasting, passing) = (try weights(8), try weights(8))
    store.keep([lasting])
    var count = 0
    func pack(_ tensor: Tensor, _ format: String) throws -> TensorStorage {
      try store.packed(tensor, format: format, byteCount: 32) { _, _ in count += 1 }
    }
    #expect(try pack(lasting, "a") === pack(lasting, "a"))
    #expect(count == 1)
    #expect(try pack(lasting, "b") !== pack(lasting, "a"))
    #expect(count == 2)
    #expect(try pack(passing, "a") !== pack(passing, "a"))
    #expect(count == 4)
    #expect(store.byteCount == 64)
  }

  @Test func sizesThatNobodyHasAreRefused() throws {
    let store = WeightStore()
    let tensor = try weights(8)
    store.keep([tensor])
    for size in [-1, Int.max, Int.max - 63, 1 << 60] {
      #expect(throws: DLRTError.self) { try store.packed(tensor, format: "\(size)", byteCount: size) { _, _ in } }
    }
  }

  @Test func packedMemoryOutlivesItsStore() throws {
    let tensor = try weights(8)
    var store: WeightStore? = WeightStore()
    store?.keep([tensor])
    let storage = try store?.packed(tensor, format: "test", byteCount: 1000) { _, target in
      target.initializeMemory(as: UInt8.self, repeating: 7, count: 1000)
    }
    store = nil
    let bytes = try #require(storage.map { UnsafeRawBufferPointer(start: $0.base, count: 1000) })
    #expect(bytes.allSatisfy { $0 == 7 })
  }
}
