import DLRTGraph
import DLRTParallel

/// The model's constants in the layouts that kernels want, each made once.
///
/// Only what is made from the model's own constants is kept; a tensor that one plan found (a shape's consequence, say)
/// is packed for that plan alone, so that plans leave nothing behind.
package final class WeightStore: Sendable {
  private struct Key: Hashable {
    struct Place: Hashable {
      let storage: ObjectIdentifier
      let offset: Int

      init(_ tensor: Tensor) { (storage, offset) = (ObjectIdentifier(tensor.storage), tensor.byteOffset) }
    }

    let place: Place
    let shape: [Int]
    let companions: [Place?]
    let format: String
    /// Whatever a format leaves open, nobody is given less than he reads.
    let byteCount: Int

    init(_ tensor: Tensor, _ companions: [Tensor?], _ format: String, byteCount: Int = 0) {
      place = Place(tensor)
      shape = tensor.shape
      self.companions = companions.map { $0.map(Place.init) }
      self.format = format
      self.byteCount = byteCount
    }
  }

  private struct Entry {
    // Keep the key's identities from being reused.
    let source: Tensor
    let companions: [Tensor?]
    let packed: TensorStorage
    /// nil for what was made at once.
    let weight: PackedWeight?
  }

  private struct State {
    var entries: [Key: Entry] = [:]
    /// Storages that live as long as the model.
    var lasting: Set<ObjectIdentifier> = []

    func isLasting(_ key: Key) -> Bool {
      lasting.contains(key.place.storage)
        && key.companions.allSatisfy { $0.map { lasting.contains($0.storage) } ?? true }
    }
  }

  private let state = Locked(State())
  /// For what is made at once, and for what is lent and taken back block by block.
  private let memory = WeightMemory(largestBlock: 64 << 20)
  private let lentMemory = WeightMemory(largestBlock: 4 << 20)
  private let residency = WeightResidency()

  package init() {}

  /// Notes constants that live as long as the model.
  package func keep(_ constants: [Tensor]) {
    state.withLock { state in
      for constant in constants where state.lasting.insert(ObjectIdentifier(constant.storage)).inserted {
        lentMemory.expect(constant.byteCount)
      }
    }
  }

  /// Bytes held in packed form.
  package var byteCount: Int { state.withLock { $0.entries.values.reduce(0) { $0 + $1.packed.byteCount } } }
}

// MARK: Made at once

extension WeightStore {
  /// - Parameters:
  ///   - companions: what else the packed form is made of.
  ///   - make: makes the packed form.
  package func packed(
    _ tensor: Tensor, with companions: [Tensor?] = [], format: String, _ make: (Tensor) throws -> TensorStorage
  ) throws -> TensorStorage {
    try packed(tensor, with: companions, format: format) { tensor, _ in try make(tensor) }
  }

  private func packed(
    _ tensor: Tensor, with companions: [Tensor?], format: String,
    _ make: (Tensor, _ isLasting: Bool) throws -> TensorStorage
  ) throws -> TensorStorage {
    let key = Key(tensor, companions, format)
    let (found, isLasting) = state.withLock { ($0.entries[key]?.packed, $0.isLasting(key)) }
    if let found { return found }
    tensor.withUnsafeBytes { tensor.storage.preparePages($0) }
    let made = try make(tensor, isLasting)
    guard isLasting else { return made }
    // Most constants have one reader, which now has its own copy.
    tensor.withUnsafeBytes { tensor.storage.releasePages($0) }
    return state.withLock { state in
      if let other = state.entries[key]?.packed { return other }
      state.entries[key] = Entry(source: tensor, companions: companions, packed: made, weight: nil)
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
    let storage = try packed(tensor, with: [], format: "aligned") { tensor, isLasting in
      let count = tensor.byteCount
      let storage = try isLasting ? memory.take(count).storage : TensorStorage(byteCount: count)
      tensor.withUnsafeBytes { UnsafeMutableRawBufferPointer(start: storage.base, count: count).copyMemory(from: $0) }
      return storage
    }
    return Tensor(tensor.type, tensor.shape, storage)
  }
}

// MARK: Made when a run needs it

extension WeightStore {
  /// A constant in a kernel's layout, to be borrowed by whoever reads it.
  ///
  /// - Parameters:
  ///   - companions: what else the packed form is made of.
  ///   - units: of what may come in parts (`withUnits`).
  ///   - fill: writes the packed form, `byteCount` bytes.
  package func weight(
    _ tensor: Tensor, with companions: [Tensor?] = [], format: String, byteCount: Int,
    units: PackedWeight.Units? = nil, _ pool: ThreadPool, _ fill: @escaping PackedWeight.Fill
  ) throws -> PackedWeight {
    let key = Key(tensor, companions, format, byteCount: byteCount)
    let (found, isLasting) = state.withLock { ($0.entries[key]?.weight, $0.isLasting(key)) }
    if let found { return found }
    guard isLasting else {
      let weight = PackedWeight(try TensorStorage(byteCount: byteCount), in: nil, source: tensor, fill)
      try weight.load(PackingDesks(), pool)
      return weight
    }
    let (storage, block) = try lentMemory.take(byteCount)
    let made = PackedWeight(storage, in: block, source: tensor, units: units, fill)
    return state.withLock { state in
      if let other = state.entries[key]?.weight { return other }
      state.entries[key] = Entry(source: tensor, companions: companions, packed: storage, weight: made)
      return made
    }
  }

  /// Brings weights to memory until they are given back.
  ///
  /// - Parameters:
  ///   - share: bytes that the caller's run may still keep for good.
  ///   - inParts: whether large ones come when `withUnits` asks for them; else all are there at once.
  package func borrow(
    _ weights: [PackedWeight], share: inout Int, inParts: Bool = false, _ pool: ThreadPool
  ) throws {
    try residency.borrow(weights, share: &share, inParts: inParts, pool)
  }

  /// Calls `body` for a borrowed weight: once for all units where they are in memory, else for some after the other.
  package func withUnits(of weight: PackedWeight, _ pool: ThreadPool, _ body: PackedWeight.Reader) throws {
    try residency.withUnits(of: weight, pool, body)
  }

  package func giveBack(_ weights: [PackedWeight]) { residency.giveBack(weights) }

  /// Says that no weights are borrowed for a while.
  package func rest() { residency.rest() }

  /// Brings weights to memory for good.
  package func keep(_ weights: [PackedWeight], _ pool: ThreadPool) throws { try residency.keep(weights, pool) }

  /// Whether weights are in memory for good.
  package func areKept(_ weights: [PackedWeight]) -> Bool { residency.areKept(weights) }
}
