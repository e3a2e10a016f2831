/// The suppression of one batch and class.
struct BoxSearch: Sendable {
  private let count: Int
  private let most: Int
  private let isCentered: Bool
  private let keys: SortKey.Loop

  /// - Parameters:
  ///   - count: boxes to choose from.
  ///   - most: boxes that may be taken.
  init(count: Int, most: Int, isCentered: Bool) throws {
    self.count = count
    self.most = most
    self.isCentered = isCentered
    keys = try SortKey.loop(.float32)
  }

  private var entryBytes: Int { count &* MemoryLayout<RankedKey>.stride }

  /// Bytes that a search needs: the candidates, as many again to sort them with, and the boxes taken.
  var workspace: Int { (2 &* entryBytes &+ TakenBoxes.bytes(most) &+ 63) & ~63 }

  /// - Parameter list: takes up to `most` boxes, best first.
  /// - Returns: how many boxes were taken.
  func run(
    _ boxes: UnsafePointer<Float>, _ scores: UnsafePointer<Float>, _ limits: NonMaxSuppression.Limits,
    _ list: UnsafeMutablePointer<Int32>, _ workspace: UnsafeMutableRawPointer
  ) -> Int {
    if limits.boxes == 0 { return 0 }
    let order = workspace.assumingMemoryBound(to: RankedKey.self)
    var candidates = 0
    var extent = BoxExtent()
    var key: UInt64 = 0
    for index in 0..<count where !scores[index].isNaN && limits.score.map({ scores[index] > $0 }) ?? true {
      keys(scores + index, 1, &key, 1)
      order[candidates] = RankedKey(key: ~key, index: index)
      candidates = candidates &+ 1
      extent.include(Box(boxes + index &* 4, isCentered: isCentered))
    }
    // Of equal scores the box that comes first is better.
    Selection.sortRanked(order, candidates, order + count)
    var taken = TakenBoxes(workspace + 2 &* entryBytes, most: most, extent)
    var found = 0
    for place in 0..<candidates {
      let index = order[place].index
      let box = Box(boxes + index &* 4, isCentered: isCentered)
      if box.mayOverlap {
        if taken.overlapsAny(box, above: limits.overlap) { continue }
        taken.append(box)
      }
      list[found] = Int32(truncatingIfNeeded: index)
      found = found &+ 1
      if found == limits.boxes { break }
    }
    return found
  }
}

struct Box {
  let left: Float
  let right: Float
  let top: Float
  let bottom: Float

  @inline(__always)
  init(_ values: UnsafePointer<Float>, isCentered: Bool) {
    if isCentered {
      left = values[0] - values[2] / 2
      right = values[0] + values[2] / 2
      top = values[1] - values[3] / 2
      bottom = values[1] + values[3] / 2
    } else {
      top = min(values[0], values[2])
      bottom = max(values[0], values[2])
      left = min(values[1], values[3])
      right = max(values[1], values[3])
    }
  }

  var area: Float { (right - left) * (bottom - top) }

  /// Boxes without area overlap nothing, and what they share with an infinite one is nothing of it.
  var mayOverlap: Bool { right > left && area > 0 && area < .infinity }
}

/// Where boxes begin from left to right, and how wide they are.
struct BoxExtent {
  private(set) var first = Float.infinity
  private(set) var last = -Float.infinity
  private var widths = 0.0
  private var count = 0.0

  mutating func include(_ box: Box) {
    guard box.mayOverlap else { return }
    first = min(first, box.left)
    last = max(last, box.left)
    widths += Double(box.right - box.left)
    count += 1
  }

  /// How many boxes of mean width lie side by side, at most `most`.
  func strips(_ most: Int) -> Int {
    guard count > 0, widths > 0 else { return 1 }
    return max(1, Int(min(Double(most), (Double(last) - Double(first)) / (widths / count))))
  }
}
