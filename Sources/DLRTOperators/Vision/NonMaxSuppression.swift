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
    let most = min(count, max(0, planning.constant(2)?.integers?.first ?? count))
    let search = try BoxSearch(count: count, most: most, isCentered: isCentered)
    let lanes = min(groups, max(1, planning.threads &* 4))
    // Of every group: how many boxes were taken, and which.
    let counts = (groups &* 8 &+ 63) & ~63
    let lists = counts &+ ((groups &* most &* 4 &+ 63) & ~63)
    return Step(kernel: "suppress", workspace: lists &+ lanes &* search.workspace) { io in
      let (boxes, scores) = (io.input(0, as: Float.self), io.input(1, as: Float.self))
      let taken = io.workspace.assumingMemoryBound(to: Int.self)
      let scratch = io.workspace + lists
      let lists = (io.workspace + counts).assumingMemoryBound(to: Int32.self)
      let limits = try Limits(io, count: most)
      io.parallel(lanes) { lane in
        for group in groups &* lane / lanes..<groups &* (lane &+ 1) / lanes {
          taken[group] = search.run(
            boxes + group / classes &* count &* 4, scores + group &* count, limits, lists + group &* most,
            scratch + lane &* search.workspace)
        }
      }
      var total = 0
      for group in 0..<groups { total = total &+ taken[group] }
      let result = try io.allocate(output: 0, [total, 3]).assumingMemoryBound(to: Int64.self)
      var row = 0
      for group in 0..<groups {
        for index in 0..<taken[group] {
          result[row &* 3] = Int64(group / classes)
          result[row &* 3 &+ 1] = Int64(group % classes)
          result[row &* 3 &+ 2] = Int64(lists[group &* most &+ index])
          row = row &+ 1
        }
      }
    }
  }

  /// The thresholds of a run.
  struct Limits {
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
