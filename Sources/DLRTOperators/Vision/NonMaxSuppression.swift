import DLRTGraph

/// ONNX NonMaxSuppression (10, 11): of each batch and class the boxes with the highest scores, leaving out those that
/// overlap a box already taken by more than iou_threshold. boxes `[N, boxes, 4]` (corners y, x, y, x or, with
/// center_point_box, x, y, width, height), scores `[N, classes, boxes]`; output `[selected, 3]` of batch, class and box.
/// Boxes whose score is NaN are never taken.
package struct NonMaxSuppression: Operator {
  package static let schema = OperatorSchema(
    "NonMaxSuppression", versions: [10, 11],
    inputs: [
      ("boxes", "F"), ("scores", "F"), ("max_output_boxes_per_class?", "I"), ("iou_threshold?", "F"),
      ("score_threshold?", "F"),
    ],
    outputs: [("selected_indices", "I")], types: ["F": .float32, "I": .int64])

  private let isCentered: Bool

  package init(_ attributes: inout AttributeReader) throws {
    isCentered = try attributes.flag("center_point_box")
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setDataDependent(0, .tensor(.int64), [.unknown, 3])
    let boxes = try inference.shape(0, rank: 3)
    let scores = try inference.shape(1, rank: 3)
    guard !boxes[2].provablyDiffers(4) else {
      throw DLRTError(
        .invalidModel, "wrong shape", tensor: inference.name(0), expected: "[N, boxes, 4]", got: "\(boxes)")
    }
    guard !scores[0].provablyDiffers(boxes[0]), !scores[2].provablyDiffers(boxes[1]) else {
      throw DLRTError(
        .invalidModel, "scores do not fit the boxes", tensor: inference.name(1),
        expected: "[\(boxes[0]), classes, \(boxes[1])]", got: "\(scores)")
    }
    for index in 2...4 where inference.has(index) {
      let shape = try inference.shape(index)
      guard !shape.elementCount.provablyDiffers(1) else {
        throw DLRTError(.invalidModel, "not a single number", tensor: inference.name(index), got: "shape \(shape)")
      }
    }
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let scores = planning.shape(1)
    let (classes, count) = (scores[1], scores[2])
    guard count <= Int(Int32.max) else {
      throw DLRTError(.limitExceeded, "too many boxes", tensor: "boxes", got: "\(count)")
    }
    // Without boxes there is nothing to go through, however many classes there are.
    let groups = count == 0 ? 0 : scores[0] &* classes
    let search = BoxSearch(count: count, isCentered: isCentered)
    // Of every group: how many boxes were taken, which, and where they are.
    let counts = (groups &* 8 &+ 63) & ~63
    let most = min(count, max(0, planning.constant(2)?.integers?.first ?? count))
    let corners = TakenBoxes.floats(most)
    let lists = counts &+ ((groups &* count &* 4 &+ 63) & ~63)
    return Step(kernel: "suppress", workspace: lists &+ groups &* corners &* 4) { io in
      let (boxes, scores) = (io.input(0, as: Float.self), io.input(1, as: Float.self))
      let taken = io.workspace.assumingMemoryBound(to: Int.self)
      let places = (io.workspace + lists).assumingMemoryBound(to: Float.self)
      let lists = (io.workspace + counts).assumingMemoryBound(to: Int32.self)
      let limits = try Limits(io, count: most)
      io.parallel(groups) { group in
        taken[group] = search.run(
          boxes + group / classes &* count &* 4, scores + group &* count, limits, lists + group &* count,
          TakenBoxes(places + group &* corners, most: most))
      }
      var total = 0
      for group in 0..<groups { total = total &+ taken[group] }
      let result = try io.allocate(output: 0, [total, 3]).assumingMemoryBound(to: Int64.self)
      var row = 0
      for group in 0..<groups {
        for index in 0..<taken[group] {
          result[row &* 3] = Int64(group / classes)
          result[row &* 3 &+ 1] = Int64(group % classes)
          result[row &* 3 &+ 2] = Int64(lists[group &* count &+ index])
          row = row &+ 1
        }
      }
    }
  }

  /// The thresholds of a run.
  fileprivate struct Limits {
    let boxes: Int
    let overlap: Float
    let score: Float?

    init(_ io: borrowing StepIO, count: Int) throws {
      let most = io.hasInput(2) ? io.input(2, as: Int64.self)[0] : 0
      boxes = Int(min(max(most, 0), Int64(count)))
      overlap = io.hasInput(3) ? io.input(3, as: Float.self)[0] : 0
      guard overlap >= 0, overlap <= 1 else {
        throw DLRTError(.invalidInput, "out of range", tensor: "iou_threshold", expected: "0...1", got: "\(overlap)")
      }
      score = io.hasInput(4) ? io.input(4, as: Float.self)[0] : nil
    }
  }
}

/// The suppression of one batch and class.
private struct BoxSearch: Sendable {
  let count: Int
  let isCentered: Bool

  /// - Returns: how many boxes were taken; they stand at the beginning of `list`, best first.
  func run(
    _ boxes: UnsafePointer<Float>, _ scores: UnsafePointer<Float>, _ limits: NonMaxSuppression.Limits,
    _ list: UnsafeMutablePointer<Int32>, _ taken: consuming TakenBoxes
  ) -> Int {
    if limits.boxes == 0 { return 0 }
    var candidates = 0
    for index in 0..<count where !scores[index].isNaN && limits.score.map({ scores[index] > $0 }) ?? true {
      list[candidates] = Int32(index)
      candidates = candidates &+ 1
    }
    // Of equal scores the box that comes first is better.
    var order = UnsafeMutableBufferPointer(start: list, count: candidates)
    order.sort { a, b in
      scores[Int(a)] > scores[Int(b)] || (scores[Int(a)] == scores[Int(b)] && a < b)
    }
    for index in 0..<candidates {
      let box = Box(boxes + Int(list[index]) &* 4, isCentered: isCentered)
      if overlapsAny(box, taken, above: limits.overlap) { continue }
      // Taken boxes are never more than those looked at, so the list is rewritten in place.
      list[taken.count] = list[index]
      taken.append(box)
      if taken.count == limits.boxes { break }
    }
    return taken.count
  }
}

/// The boxes that were taken, a vector of each coordinate side by side.
private struct TakenBoxes {
  private typealias Vector = SIMD8<Float>

  private let start: UnsafeMutablePointer<Float>
  /// Floats from one coordinate to the next.
  private let stride: Int
  private(set) var count = 0

  static func floats(_ most: Int) -> Int { 5 &* stride(most) }
  private static func stride(_ most: Int) -> Int { (most &+ Vector.scalarCount &- 1) & ~(Vector.scalarCount &- 1) }

  init(_ start: UnsafeMutablePointer<Float>, most: Int) {
    self.start = start
    stride = Self.stride(most)
  }

  mutating func append(_ box: Box) {
    if count % Vector.scalarCount == 0 {
      // Boxes that are not there yet overlap nothing.
      for place in count..<count &+ Vector.scalarCount {
        (start[place], start[place &+ stride]) = (.infinity, -.infinity)
      }
    }
    let values = (box.left, box.right, box.top, box.bottom, box.area)
    (start[count], start[count &+ stride], start[count &+ 2 &* stride]) = (values.0, values.1, values.2)
    (start[count &+ 3 &* stride], start[count &+ 4 &* stride]) = (values.3, values.4)
    count = count &+ 1
  }

  @inline(__always)
  func vectors(_ block: Int) -> (left: SIMD8<Float>, right: SIMD8<Float>, top: SIMD8<Float>, bottom: SIMD8<Float>) {
    (vector(block, 0), vector(block, 1), vector(block, 2), vector(block, 3))
  }

  @inline(__always) func areas(_ block: Int) -> SIMD8<Float> { vector(block, 4) }

  @inline(__always) private func vector(_ block: Int, _ coordinate: Int) -> Vector {
    UnsafeRawPointer(start + (coordinate &* stride &+ block &* Vector.scalarCount)).loadUnaligned(as: Vector.self)
  }
}

/// Whether the intersection over union of a box and one of others exceeds a threshold; boxes without area overlap nothing.
@_optimize(speed) @inline(never)
private func overlapsAny(_ box: Box, _ others: borrowing TakenBoxes, above threshold: Float) -> Bool {
  guard box.area > 0 else { return false }
  for block in 0..<(others.count &+ 7) / 8 {
    let other = others.vectors(block)
    let width = smaller(other.right, box.right) - larger(other.left, box.left)
    let height = smaller(other.bottom, box.bottom) - larger(other.top, box.top)
    let meets = (width .> 0) .& (height .> 0)
    guard any(meets) else { continue }
    let areas = others.areas(block), shared = width * height
    let union = areas + box.area - shared
    if any(meets .& (areas .> 0) .& (union .> 0) .& (shared / union .> threshold)) { return true }
  }
  return false
}

@inline(__always) private func smaller(_ a: SIMD8<Float>, _ b: Float) -> SIMD8<Float> {
  a.replacing(with: b, where: a .> b)
}

@inline(__always) private func larger(_ a: SIMD8<Float>, _ b: Float) -> SIMD8<Float> {
  a.replacing(with: b, where: a .< b)
}

private struct Box {
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
}
