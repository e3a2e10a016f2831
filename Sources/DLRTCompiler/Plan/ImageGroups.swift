import DLRTGraph
import DLRTOperators

/// Neighbouring steps that go through a batch together, image by image: where a batch is more than the nearer caches
/// hold, each step then finds there what the step before has just made, and what only they need is one image's worth of
/// memory.
struct ImageGroups {
  struct Group {
    /// Positions of the steps.
    let steps: Range<Int>
    let images: Int
  }

  /// By position; nil for steps that take the whole batch at once.
  private var groups: [Group?]

  /// A step that could take images one by one.
  private struct Candidate {
    let images: Int
    /// Of one image, read and written; and what is read for each of them again.
    let imageBytes: Int
    let constantBytes: Int
    /// Of one image, where these are multiplied with a constant matrix.
    let rows: Int?

    /// A step begins, and weights are read, once for each image, which must be enough for all threads.
    func gains(threads: Int) -> Bool {
      // What products read comes from the last cache in time, if it is there.
      if let rows { return imageBytes &* images > sharedBytes && rows >= blockRows &* threads }
      return imageBytes &* images > cachedBytes && 3 &* imageBytes >= constantBytes
        && (threads == 1 ? imageBytes >= leastBytes : imageBytes / threads >= threadBytes)
    }

    /// It costs little beside an image that passes it by.
    func isSmall(beside bytes: Int) -> Bool { imageBytes &* images <= cachedBytes && constantBytes <= bytes / 2 }
  }

  /// What a step may read and write of a batch before its memory is worth a thought.
  private static let cachedBytes = 1 << 20
  /// What the last cache holds at least, of a batch or of the weights that are read for each image again.
  private static let sharedBytes = 16 << 20
  private static let mostConstantBytes = 2 * sharedBytes
  /// Rows after which a product of many reads a large matrix once more.
  private static let blockRows = 96
  /// What a step may read and write of one image before its beginning is worth no thought.
  private static let leastBytes = 32 << 10
  /// What a thread may read and write of one image before it pays to wake it.
  private static let threadBytes = 128 << 10

  /// - Parameter threads: of a run; they share the work on one image.
  init(_ run: [NodeID], _ views: StageViews, threads: Int) {
    groups = Array(repeating: nil, count: run.count)
    let candidates = run.map { Self.candidate($0, views) }
    var start = 0
    while start < run.count {
      let end = Self.end(of: candidates, from: start, threads: threads)
      if end - start > 1, let images = candidates[start]?.images {
        for position in start..<end { groups[position] = Group(steps: start..<end, images: images) }
      }
      start = end
    }
  }

  subscript(position: Int) -> Group? { groups[position] }

  /// Where the group that begins at a step ends: with the last one that gains by it. Small ones between two of them, as in
  /// squeeze-and-excitation, go along.
  private static func end(of candidates: [Candidate?], from start: Int, threads: Int) -> Int {
    guard let first = candidates[start], first.gains(threads: threads) else { return start + 1 }
    var end = start + 1, bytes = first.imageBytes, constantBytes = first.constantBytes
    for position in end..<candidates.count {
      guard let next = candidates[position], next.images == first.images else { break }
      constantBytes = constantBytes &+ next.constantBytes
      if constantBytes > mostConstantBytes { break }
      if next.gains(threads: threads) {
        (end, bytes) = (position + 1, next.imageBytes)
      } else if !next.isSmall(beside: bytes) {
        break
      }
    }
    return end
  }

  /// The inputs of a node that hold images, as far as they are not constant.
  static func imageInputs(of op: any Operator, _ node: Node, _ views: StageViews) -> [Int] {
    if op.elementwiseKernel != nil { return Array(node.inputs.indices) }
    return op.imageInputs(node.inputs.map { $0.map { views.shape($0).count } ?? 0 })
  }

  private static func candidate(_ id: NodeID, _ views: StageViews) -> Candidate? {
    let node = views.program.graph[id]
    guard let op = views.program.op(id), let output = node.outputs.first ?? nil,
      let images = views.shape(output).first, images > 1,
      // What other operators make beside their first output need not follow the images.
      node.outputs.count == 1 || op is ConvNHWC
    else { return nil }
    let isProduct = op is MatMul || op is FusedMatMul
    let imageInputs = imageInputs(of: op, node, views), rank = views.shape(output).count
    // Operands of old models may begin at any axis, and a sum of all elements is cut into parts for threads.
    if imageInputs.isEmpty || op.viewedInput != nil || views.shape(output).product <= images
      || op.elementwiseKernel != nil && node.attributes["axis"] != nil
    {
      return nil
    }
    var constantBytes = 0, otherBytes = 0, hasMatrix = false
    func add(_ value: ValueID, in place: ValueID?, _ view: StridedView?) -> Bool {
      guard let place, views.isPlain(value), views.isPlain(place), views.shape(value).first == images,
        views.shape(value).count >= rank, views.shape(place).first == images,
        view == nil || view?.strides.first == views.shape(place).product / images
      else { return false }
      otherBytes = otherBytes &+ views.bytes(value)
      return true
    }
    for (index, pair) in zip(node.inputs, views.inputs(of: id)).enumerated() {
      guard let input = pair.0 else { continue }
      if views.facts[input]?.constant != nil {
        // The same for all images.
        let shape = views.shape(input)
        if imageInputs.contains(index), shape.count >= rank, shape.first != 1 { return nil }
        constantBytes = constantBytes &+ views.bytes(input)
        if isProduct, index == 1 { hasMatrix = true }
      } else if !imageInputs.contains(index) || !add(input, in: pair.1, views.view(of: index, id)) {
        return nil
      }
    }
    for (index, place) in views.outputs(of: id).enumerated() {
      guard let output = node.outputs[index] else { continue }
      if !views.program.readers[output].isEmpty || views.program.graph.outputs.contains(output) {
        guard add(output, in: place, index == 0 ? views.outputView(id) : nil) else { return nil }
      }
    }
    return Candidate(
      images: images, imageBytes: otherBytes / images, constantBytes: constantBytes,
      rows: hasMatrix ? views.shape(output).dropFirst().dropLast().product : nil)
  }
}

extension StageViews {
  fileprivate func bytes(_ value: ValueID) -> Int {
    shape(value).product &* (facts[value]?.type.dataType?.size ?? 0)
  }
}

extension Planning.Operand {
  /// The first of the images.
  var firstImage: Planning.Operand {
    Planning.Operand(type: type, shape: [1] + shape.dropFirst(), constant: constant, view: view, isOpen: isOpen)
  }
}
