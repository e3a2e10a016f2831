/// A key and where it was: ordered by key, then by place, so that every order is stable.
package struct RankedKey: BitwiseCopyable, Sendable {
  package var key: UInt64
  package var index: Int

  @inline(__always)
  package static func < (a: RankedKey, b: RankedKey) -> Bool {
    a.key < b.key || a.key == b.key && a.index < b.index
  }
}

/// Sorting in memory that the caller gives.
package enum Selection {
  /// Arranges entries so that the greatest is in front and stays there as `replaceGreatest` goes on.
  package static func heapify(_ entries: UnsafeMutablePointer<RankedKey>, _ count: Int) {
    var parent = count / 2
    while parent > 0 {
      parent -= 1
      sift(entries, parent, count)
    }
  }

  package static func replaceGreatest(
    _ heap: UnsafeMutablePointer<RankedKey>, _ count: Int, with entry: RankedKey
  ) {
    heap[0] = entry
    sift(heap, 0, count)
  }

  private static func sift(_ heap: UnsafeMutablePointer<RankedKey>, _ start: Int, _ count: Int) {
    let entry = heap[start]
    var hole = start
    while true {
      var child = 2 &* hole &+ 1
      guard child < count else { break }
      if child &+ 1 < count, heap[child] < heap[child &+ 1] { child = child &+ 1 }
      guard entry < heap[child] else { break }
      heap[hole] = heap[child]
      hole = child
    }
    heap[hole] = entry
  }

  /// Merge sort from runs that insertion sort has made.
  package static func sort(
    _ entries: UnsafeMutablePointer<RankedKey>, _ count: Int, _ scratch: UnsafeMutablePointer<RankedKey>
  ) {
    let run = 16
    var start = 0
    while start < count {
      insertionSort(entries + start, min(run, count &- start))
      start = start &+ run
    }
    var source = entries
    var target = scratch
    var width = run
    while width < count {
      var first = 0
      while first < count {
        let middle = min(first &+ width, count)
        let end = min(middle &+ width, count)
        merge(source, first, middle, end, target)
        first = end
      }
      swap(&source, &target)
      width = width &* 2
    }
    if source != entries { entries.update(from: source, count: count) }
  }

  /// Sorts entries that stand in the order of their places, digit by digit.
  package static func sortRanked(
    _ entries: UnsafeMutablePointer<RankedKey>, _ count: Int, _ scratch: UnsafeMutablePointer<RankedKey>
  ) {
    guard count >= 128 else { return sort(entries, count, scratch) }
    var source = entries
    var target = scratch
    // Digits that all keys share order nothing.
    var differing: UInt64 = 0
    for index in 1..<count { differing |= entries[index].key ^ entries[0].key }
    withUnsafeTemporaryAllocation(of: Int.self, capacity: 256) { memory in
      guard let places = memory.baseAddress else { return }
      for shift in Swift.stride(from: UInt64(0), to: 64, by: 8) where differing &>> shift & 255 != 0 {
        distribute(source, target, count, places, shift)
        swap(&source, &target)
      }
    }
    if source != entries { entries.update(from: source, count: count) }
  }

  private static func insertionSort(_ entries: UnsafeMutablePointer<RankedKey>, _ count: Int) {
    guard count > 1 else { return }
    for index in 1..<count {
      let entry = entries[index]
      var place = index
      while place > 0, entry < entries[place &- 1] {
        entries[place] = entries[place &- 1]
        place = place &- 1
      }
      entries[place] = entry
    }
  }

  private static func merge(
    _ source: UnsafeMutablePointer<RankedKey>, _ first: Int, _ middle: Int, _ end: Int,
    _ target: UnsafeMutablePointer<RankedKey>
  ) {
    var left = first
    var right = middle
    for place in first..<end {
      if left < middle, right >= end || !(source[right] < source[left]) {
        target[place] = source[left]
        left = left &+ 1
      } else {
        target[place] = source[right]
        right = right &+ 1
      }
    }
  }
}

// Free, so that it stays compiled for speed: see docs/architecture.md.
/// One pass of a radix sort: by one digit, stable.
@_optimize(speed) @inline(never)
private func distribute(
  _ source: UnsafePointer<RankedKey>, _ target: UnsafeMutablePointer<RankedKey>, _ count: Int,
  _ places: UnsafeMutablePointer<Int>, _ shift: UInt64
) {
  places.update(repeating: 0, count: 256)
  for index in 0..<count {
    let digit = Int(truncatingIfNeeded: source[index].key &>> shift & 255)
    places[digit] = places[digit] &+ 1
  }
  var next = 0
  for digit in 0..<256 {
    let own = places[digit]
    places[digit] = next
    next = next &+ own
  }
  for index in 0..<count {
    let digit = Int(truncatingIfNeeded: source[index].key &>> shift & 255)
    target[places[digit]] = source[index]
    places[digit] = places[digit] &+ 1
  }
}
