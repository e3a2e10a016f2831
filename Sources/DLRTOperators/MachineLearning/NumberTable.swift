/// Where numbers stand in a list, found by hashing into four times as many slots.
struct NumberTable: Sendable {
  fileprivate struct Slot: BitwiseCopyable {
    var key: UInt64
    /// Negative where the slot is free.
    var index: Int
  }

  private var slots: [Slot]
  private let shift: UInt64
  // Chosen anew for each table, so that no model can hold keys that all want one slot.
  private let factor = UInt64.random(in: 0...UInt64.max) | 1

  /// - Parameter capacity: the most keys that will be set.
  init(capacity: Int) {
    var bits = 4
    while 1 << bits < 4 * capacity { bits += 1 }
    slots = Array(repeating: Slot(key: 0, index: -1), count: 1 << bits)
    shift = UInt64(64 - bits)
  }

  subscript(key: UInt64) -> Int? {
    get { withFinder { $0.index(of: key) } }
    set {
      let place = withFinder { $0.slot(of: key) }
      slots[place] = Slot(key: key, index: newValue ?? -1)
    }
  }

  struct Finder {
    fileprivate let slots: UnsafePointer<Slot>
    fileprivate let mask: Int
    fileprivate let shift: UInt64
    fileprivate let factor: UInt64

    /// The key's slot, or the free one that it would take. Most slots are free, so that the search ends.
    @inline(__always)
    fileprivate func slot(of key: UInt64) -> Int {
      var place = Int(truncatingIfNeeded: (key &* factor) &>> shift)
      while slots[place].index >= 0, slots[place].key != key { place = (place &+ 1) & mask }
      return place
    }

    @inline(__always)
    func index(of key: UInt64) -> Int? {
      let index = slots[slot(of: key)].index
      return index < 0 ? nil : index
    }
  }

  @inline(__always)
  func withFinder<Result>(_ body: (Finder) throws -> Result) rethrows -> Result {
    try slots.withUnsafeBufferPointer { memory in
      // There are slots in every table.
      try body(
        Finder(slots: memory.baseAddress.unsafelyUnwrapped, mask: memory.count &- 1, shift: shift, factor: factor))
    }
  }
}
