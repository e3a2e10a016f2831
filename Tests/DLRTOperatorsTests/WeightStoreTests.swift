import DLRTGraph
import DLRTOperators
import DLRTParallel
import Glibc
import Testing

/// Packed weights: their memory, and how long they are kept.
@Suite struct WeightStoreTests {
  private func weights(_ count: Int) throws -> Tensor { try Tensor(zeros: [count], type: .float32) }

  /// A weight of `byteCount` bytes that counts how often it is packed.
  private func weight(
    _ store: WeightStore, _ tensor: Tensor, _ byteCount: Int, format: String = "test", filled value: UInt8 = 7,
    _ count: Counter = Counter()
  ) throws -> PackedWeight {
    try store.weight(tensor, format: format, byteCount: byteCount, .serial) { _, _, target in
      count.value += 1
      target.initializeMemory(as: UInt8.self, repeating: value, count: byteCount)
    }
  }

  private final class Counter: @unchecked Sendable {
    var value = 0
  }

  private func bytes(_ weight: PackedWeight) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: weight.storage.base, count: weight.storage.byteCount)
  }

  @Test func memoryIsAlignedAndNobodyElses() throws {
    let store = WeightStore()
    var sizes = [1, 0, 63, 64, 65, 4096, 100_000, 300_000, 1 << 20, 3 << 20, 5_000_001, 40 << 20]
    sizes += (0..<200).map { 1 + $0 * 977 }
    let tensors = try sizes.map { _ in try weights(4) }
    store.keep(tensors)
    let packed = try zip(tensors, sizes).enumerated().map { index, item in
      try weight(store, item.0, item.1, filled: UInt8(truncatingIfNeeded: index))
    }
    try store.keep(packed, .serial)
    for (index, weight) in packed.enumerated() {
      #expect(weight.storage.byteCount == sizes[index])
      #expect(Int(bitPattern: weight.storage.base) % TensorStorage.alignment == 0)
      #expect(bytes(weight).first ?? UInt8(truncatingIfNeeded: index) == UInt8(truncatingIfNeeded: index))
      #expect(bytes(weight).last ?? UInt8(truncatingIfNeeded: index) == UInt8(truncatingIfNeeded: index))
    }
    let ordered = packed.map(\.storage).sorted { $0.base < $1.base }
    for (one, next) in zip(ordered, ordered.dropFirst()) { #expect(one.base + one.byteCount <= next.base) }
    #expect(store.byteCount == sizes.reduce(0, +))
  }

  @Test func whatLastsIsOneWeight() throws {
    let store = WeightStore()
    let (lasting, passing) = (try weights(8), try weights(8))
    store.keep([lasting])
    #expect(try weight(store, lasting, 32) === weight(store, lasting, 32))
    #expect(try weight(store, lasting, 32, format: "b") !== weight(store, lasting, 32))
    #expect(try weight(store, passing, 32) !== weight(store, passing, 32))
    #expect(store.byteCount == 64)
  }

  /// What is made of several constants is shared where all are the same, and last.
  @Test func weightsOfSeveralConstants() throws {
    let store = WeightStore()
    let (lasting, one, two, passing) = (try weights(8), try weights(1), try weights(1), try weights(1))
    store.keep([lasting, one, two])
    func packed(_ companions: Tensor?...) throws -> TensorStorage {
      try store.packed(lasting, with: companions, format: "test") { _ in try TensorStorage(byteCount: 32) }
    }
    #expect(try packed(one, nil) === packed(one, nil))
    #expect(try packed(one, nil) !== packed(two, nil))
    #expect(try packed(one, nil) !== packed(nil, one))
    #expect(try packed(passing) !== packed(passing))
    #expect(store.byteCount == 3 * 32)
  }

  @Test func whatOnePlanFoundIsThereAtOnce() throws {
    let count = Counter()
    let packed = try weight(WeightStore(), weights(8), 4 << 20, count)
    #expect(count.value == 1)
    #expect(bytes(packed).allSatisfy { $0 == 7 })
  }

  /// Two weights in one block, which needs its last page in part: of a step that has both, one was there before.
  @Test(arguments: [[0, 1], [1, 0]]) func aBlockIsKeptBeforeItsWeightsAreFilled(_ order: [Int]) throws {
    let store = WeightStore()
    let tensors = try (0..<2).map { _ in try weights(375_000) }
    store.keep(tensors)
    let packed = try tensors.enumerated().map { try weight(store, $1, 1_500_000, filled: UInt8($0 + 1)) }
    for (step, share) in [([0], 0), (order, 1 << 30)] {
      var share = share
      try store.borrow(step.map { packed[$0] }, share: &share, .serial)
      for index in step { #expect(bytes(packed[index]).allSatisfy { $0 == UInt8(index + 1) }) }
      store.giveBack(step.map { packed[$0] })
    }
  }

  @Test func aNewModelLendsItsMemory() throws {
    let store = WeightStore()
    let tensors = try (0..<4).map { _ in try weights(8) }
    store.keep(tensors)
    let counts = tensors.map { _ in Counter() }
    let packed = try tensors.enumerated().map {
      try weight(store, $1, 3 << 20, filled: UInt8($0 + 1), counts[$0])
    }
    #expect(counts.allSatisfy { $0.value == 0 })
    func run(share: Int) throws -> [Int] {
      var share = share
      for (index, weight) in packed.enumerated() {
        try store.borrow([weight], share: &share, .serial)
        #expect(bytes(weight).allSatisfy { $0 == UInt8(index + 1) })
        store.giveBack([weight])
      }
      return counts.map(\.value)
    }
    #expect(try run(share: 0) == [1, 1, 1, 1])
    #expect(!store.areKept(packed))
    #expect(try run(share: 0) == [2, 2, 2, 2])
    #expect(try run(share: 1) == [3, 3, 3, 3])
    #expect(store.areKept([packed[0]]) && !store.areKept([packed[1]]))
    #expect(try run(share: 1) == [3, 4, 4, 4])
    #expect(try run(share: 100 << 20) == [3, 4, 5, 5])
    #expect(store.areKept(packed))
    #expect(try run(share: 0) == [3, 4, 5, 5])
  }

  @Test func whatIsReadStays() throws {
    let store = WeightStore()
    let tensors = try (0..<3).map { _ in try weights(8) }
    store.keep(tensors)
    let packed = try tensors.enumerated().map { try weight(store, $1, 3 << 20, filled: UInt8($0 + 1)) }
    var share = 0
    try store.borrow([packed[0], packed[1]], share: &share, .serial)
    try store.borrow([packed[2]], share: &share, .serial)
    for (index, weight) in packed.enumerated() { #expect(bytes(weight).allSatisfy { $0 == UInt8(index + 1) }) }
    store.giveBack([packed[0], packed[1]])
    store.giveBack([packed[2]])
  }

  /// A large weight comes in parts, which never are all in memory; once it is kept, it is there as a whole.
  @Test(arguments: [1, 2, 3]) func largeWeightsComeInParts(_ threads: Int) throws {
    let store = WeightStore()
    let tensor = try weights(8)
    store.keep([tensor])
    let (units, unitBytes, pool) = (7, 3 << 20, ThreadPool(threads: threads))
    let last = 1 << 20
    let weight = try store.weight(
      tensor, format: "parts", byteCount: (units - 1) * unitBytes + last,
      units: PackedWeight.Units(count: units, byteCount: unitBytes), pool
    ) { _, range, target in
      for unit in range ?? 0..<units {
        let bytes = unit == units - 1 ? last : unitBytes
        memset(target + unit * unitBytes, Int32(unit + 1), bytes)
      }
    }
    func run(share: Int) throws -> [Range<Int>?] {
      var (share, seen) = (share, [Range<Int>?]())
      try store.borrow([weight], share: &share, inParts: true, pool)
      try store.withUnits(of: weight, pool) { range, base in
        seen.append(range)
        for unit in range ?? 0..<units {
          let bytes = UnsafeRawBufferPointer(
            start: base + unit * unitBytes, count: unit == units - 1 ? last : unitBytes)
          #expect(bytes.allSatisfy { $0 == UInt8(unit + 1) })
        }
      }
      store.giveBack([weight])
      store.rest()
      return seen
    }
    for _ in 0..<2 {
      let parts = try run(share: 0).map { try #require($0) }
      #expect(parts.count > 1 && parts.allSatisfy { $0.count <= max(1, threads) })
      #expect(parts.flatMap { Array($0) } == Array(0..<units))
    }
    #expect(!store.areKept([weight]))
    #expect(try run(share: 1) == [nil])
    #expect(store.areKept([weight]))
    #expect(try run(share: 0) == [nil])
  }

  /// Who reads a weight several times has it brought as a whole.
  @Test func largeWeightsMayComeAtOnce() throws {
    let store = WeightStore()
    let tensor = try weights(8)
    store.keep([tensor])
    let weight = try store.weight(
      tensor, format: "parts", byteCount: 12 << 20, units: PackedWeight.Units(count: 3, byteCount: 4 << 20), .serial
    ) { _, range, target in
      #expect(range == nil)
      memset(target, 9, 12 << 20)
    }
    var share = 0
    try store.borrow([weight], share: &share, .serial)
    for _ in 0..<2 {
      try store.withUnits(of: weight, .serial) { range, base in
        #expect(range == nil)
        #expect(UnsafeRawBufferPointer(start: base, count: 12 << 20).allSatisfy { $0 == 9 })
      }
    }
    store.giveBack([weight])
  }

  @Test func sizesThatNobodyHasAreRefused() throws {
    let store = WeightStore()
    let tensor = try weights(8)
    store.keep([tensor])
    for size in [-1, Int.max, Int.max - 63, 1 << 60] {
      #expect(throws: DLRTError.self) {
        try store.weight(tensor, format: "\(size)", byteCount: size, .serial) { _, _, _ in }
      }
    }
  }

  @Test func packedMemoryOutlivesItsStore() throws {
    let tensor = try weights(8)
    var store: WeightStore? = WeightStore()
    store?.keep([tensor])
    let packed = try store.map { try weight($0, tensor, 1000) }
    try packed.map { try store?.keep([$0], .serial) }
    let storage = packed?.storage
    store = nil
    let bytes = try #require(storage.map { UnsafeRawBufferPointer(start: $0.base, count: 1000) })
    #expect(bytes.allSatisfy { $0 == 7 })
  }
}
