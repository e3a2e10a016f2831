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

  /// What a step may read and write of a batch before its memory is worth a thought.
  private static let cachedBytes = 1 << 20
  /// What a thread may read and write of one image before it pays to wake it.
  private static let threadBytes = 128 << 10

  /// - Parameter threads: of a run; they share the work on one image.
  init(_ run: [NodeID], _ views: StageViews, threads: Int) {
    groups = Array(repeating: nil, count: run.count)
    let images = run.map { Self.images(of: $0, views, threads: threads) }
    var start = 0
    while start < run.count {
      var end = start + 1
      while end < run.count, images[end] == images[start] { end += 1 }
      if let count = images[start], end - start > 1 {
        for position in start..<end { groups[position] = Group(steps: start..<end, images: count) }
      }
      start = end
    }
  }

  subscript(position: Int) -> Group? { groups[position] }

  /// The images of a step that had better take them one by one.
  private static func images(of id: NodeID, _ views: StageViews, threads: Int) -> Int? {
    let node = views.program.graph[id]
    guard let op = views.program.op(id), !op.imageInputs.isEmpty, node.outputs.count == 1, let output = node.outputs[0],
      let images = views.shape(output).first, images > 1
    else { return nil }
    var (constantBytes, otherBytes) = (0, 0)
    func add(_ value: ValueID, in place: ValueID?, _ view: StridedView?) -> Bool {
      guard let place, views.isPlain(value), views.isPlain(place), views.shape(value).first == images,
        views.shape(place).first == images,
        view == nil || view?.strides.first == views.shape(place).product / images
      else { return false }
      otherBytes = otherBytes &+ views.bytes(value)
      return true
    }
    for (index, pair) in zip(node.inputs, views.inputs(of: id)).enumerated() {
      guard let input = pair.0 else { continue }
      if op.imageInputs.contains(index) {
        guard add(input, in: pair.1, views.view(of: index, id)) else { return nil }
      } else {
        guard views.facts[input]?.constant != nil else { return nil }
        constantBytes = constantBytes &+ views.bytes(input)
      }
    }
    guard add(output, in: views.outputs(of: id)[0], views.outputView(id)) else { return nil }
    // Weights are read once for each image, which must be enough for all threads.
    let perImage = otherBytes / images
    let isEnough = threads == 1 || perImage / threads >= threadBytes
    return otherBytes > cachedBytes && perImage >= constantBytes && isEnough ? images : nil
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
