import DLRTGraph

/// ai.onnx.ml SVMClassifier (1): one-against-one votes of a support vector machine, or a linear machine's scores.
///
/// `X`: `[N, C]` or `[C]` of float, double, int64, int32; `Y`: `[N]` of int64 or string; `Z` of float: `[N, E]` with
/// the classes' probabilities where the model can tell them, otherwise the decisions of the pairs of classes (of a
/// single pair, both signs).
package struct SVMClassifier: Operator {
  package static let schema = OperatorSchema(
    "SVMClassifier", domain: OperatorName.machineLearningDomain, versions: [1], inputs: [("X", "T1")],
    outputs: [("Y", "T2"), ("Z", "tensor(float)")], types: ["T1": Features.types])

  private let machine: SupportVectors
  private let labels: ClassLabels
  private let transform: PostTransform
  private let classes: Int
  /// For each class the first of its support vectors, then their total; empty in a linear machine.
  private let starts: [Int]
  private let slopes: [Double]
  private let offsets: [Double]
  private let isPositive: Bool

  package init(_ attributes: inout AttributeReader) throws {
    let perClass = try attributes.optionalInts("vectors_per_class") ?? []
    var starts = [0]
    for count in perClass {
      let (next, overflow) = (starts.last ?? 0).addingReportingOverflow(count)
      guard count >= 0, !overflow else {
        throw DLRTError(.invalidModel, "out of range", tensor: "vectors_per_class", got: "\(perClass)")
      }
      starts.append(next)
    }
    machine = try SupportVectors(&attributes, count: starts.last ?? 0)
    labels = try ClassLabels(
      &attributes, integers: "classlabels_ints", strings: "classlabels_strings", classes: perClass.count)
    transform = try attributes.choice("post_transform", default: .none)
    slopes = (try attributes.optionalFloats("prob_a") ?? []).map(Double.init)
    offsets = (try attributes.optionalFloats("prob_b") ?? []).map(Double.init)
    self.starts = machine.count > 0 ? starts : []
    classes = machine.count > 0 ? perClass.count : max(labels.count, 1)
    isPositive = machine.coefficients.allSatisfy { $0 >= 0 }
    try check()
  }

  private var pairs: Int { classes * (classes - 1) / 2 }
  private var givesProbabilities: Bool { machine.count > 0 && !slopes.isEmpty }
  private var scoreCount: Int { machine.count == 0 || givesProbabilities ? classes : pairs }

  private func check() throws(DLRTError) {
    func require(_ what: String, _ got: Int, _ expected: Int) throws(DLRTError) {
      guard got == expected else {
        throw DLRTError(.invalidModel, "wrong number of elements", tensor: what, expected: "\(expected)", got: "\(got)")
      }
    }
    guard machine.count > 0 else {
      let parts = machine.coefficients.count % classes
      return try require("coefficients", machine.coefficients.count, machine.coefficients.count - parts)
    }
    guard classes > 1, classes < 1 << 15 else {
      throw DLRTError(.invalidModel, "out of range", tensor: "vectors_per_class", got: "\(classes) classes")
    }
    if labels.count > 0 { try require("classlabels", labels.count, classes) }
    let (coefficients, overflow) = machine.count.multipliedReportingOverflow(by: classes - 1)
    try require("coefficients", machine.coefficients.count, overflow ? Int.max : coefficients)
    try require("rho", machine.rho.count, pairs)
    if !slopes.isEmpty {
      try require("prob_a", slopes.count, pairs)
      try require("prob_b", offsets.count, pairs)
    }
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, labels.type)
    inference.setType(1, .float32)
    let (rows, columns) = try inference.features()
    try inference.checkFeatures(columns, machine.columns(scores: classes), "support_vectors")
    inference.set(0, labels.type, [rows])
    inference.set(1, .float32, [rows, .known(machine.count > 0 && scoreCount == 1 ? 2 : scoreCount)])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let features = Features(planning.input(0))
    let wantsLabels = planning.wants(output: 0)
    let wantsScores = planning.wants(output: 1)
    let room = Room(columns: features.columns, vectors: machine.count, classes: classes)
    let loop = RowLoop(
      rows: features.rows, cost: Double(features.columns * max(machine.count, classes)), scratch: room.size)
    return Step(kernel: "svm", workspace: loop.workspace) { io in
      let (x, y, z) = (io.input(0), io.output(0), io.output(1, as: Float.self))
      loop.run(io) { row, scratch in
        features.read(row, of: x, into: scratch)
        let scores = scratch + room.scores
        let label = machine.count > 0 ? vote(scratch, room) : weigh(scratch, room)
        if wantsLabels { labels.write(label, to: y, row: row) }
        guard wantsScores else { return }
        let width = finish(scores)
        for index in 0..<width { z[row &* width &+ index] = Float(scores[index]) }
      }
    }
  }
}

extension SVMClassifier {
  /// Where things are in the scratch memory of a row, in doubles.
  private struct Room {
    let columns: Int
    let kernels: Int
    let scores: Int
    let votes: Int
    let probabilities: Int
    let size: Int

    init(columns: Int, vectors: Int, classes: Int) {
      self.columns = columns
      kernels = columns
      scores = kernels + vectors
      votes = scores + max(classes * (classes - 1) / 2, classes, 2)
      probabilities = votes + classes
      size = probabilities + 2 * classes * classes + classes
    }
  }

  /// A linear machine: a score for each class.
  private func weigh(_ scratch: UnsafeMutablePointer<Double>, _ room: Room) -> Int {
    let scores = scratch + room.scores
    machine.coefficients.withUnsafeBufferPointer { coefficients in
      guard let weights = coefficients.baseAddress else { return }
      for index in 0..<classes {
        scores[index] = (weights + index &* room.columns).dot(scratch, room.columns) + machine.rho[0]
      }
    }
    let best = scores.indexOfGreatest(classes)
    guard labels.count == 2 else { return best }
    // The second of two classes is the positive one; it wins whenever either score says yes, as in ONNX Runtime.
    let says = isPositive ? scores[best] >= 0.5 : scores[best] > 0
    return says ? 1 : best
  }

  /// Every pair of classes decides; the class with most decisions wins.
  private func vote(_ scratch: UnsafeMutablePointer<Double>, _ room: Room) -> Int {
    let kernels = scratch + room.kernels
    let scores = scratch + room.scores
    let votes = scratch + room.votes
    machine.compare(scratch, room.columns, into: kernels)
    for index in 0..<classes { votes[index] = 0 }
    machine.coefficients.withUnsafeBufferPointer { coefficients in
      guard let weights = coefficients.baseAddress else { return }
      var pair = 0
      for first in 0..<classes {
        let (a, sizeA) = (starts[first], starts[first + 1] - starts[first])
        for second in (first + 1)..<max(classes, first + 1) {
          let (b, sizeB) = (starts[second], starts[second + 1] - starts[second])
          let score =
            machine.rho[pair] + (weights + ((second - 1) * machine.count + a)).dot(kernels + a, sizeA)
            + (weights + (first * machine.count + b)).dot(kernels + b, sizeB)
          scores[pair] = score
          votes[score > 0 ? first : second] += 1
          pair += 1
        }
      }
    }
    if givesProbabilities { couple(scores, scratch + room.probabilities) }
    return votes.indexOfGreatest(classes)
  }

  /// Applies the transform; returns the number of scores to write.
  private func finish(_ scores: UnsafeMutablePointer<Double>) -> Int {
    if machine.count > 0, scoreCount == 1 {
      (scores[0], scores[1]) = transform.pair(scores[0], isProbability: transform != .none)
      return 2
    }
    transform.apply(scores, scoreCount)
    return scoreCount
  }

  /// Probabilities of the classes from those of the pairs: the second method of Wu, Lin and Weng, "Probability
  /// estimates for multi-class classification by pairwise coupling" (2004).
  ///
  /// - Parameter scores: the pairs' decisions; becomes the classes' probabilities.
  private func couple(_ scores: UnsafeMutablePointer<Double>, _ memory: UnsafeMutablePointer<Double>) {
    let k = classes
    let (r, q, qp) = (memory, memory + k * k, memory + 2 * k * k)
    var pair = 0
    for i in 0..<k {
      r[i * k + i] = 0
      for j in (i + 1)..<max(k, i + 1) {
        let raw = 1 - PostTransform.logistic(scores[pair] * slopes[pair] + offsets[pair])
        let p = min(max(raw, 1e-7), 1 - 1e-7)
        r[i * k + j] = p
        r[j * k + i] = 1 - p
        pair += 1
      }
    }
    let p = scores
    for t in 0..<k {
      p[t] = 1 / Double(k)
      q[t * k + t] = 0
      for j in 0..<k where j != t {
        q[t * k + t] += r[j * k + t] * r[j * k + t]
        q[t * k + j] = -r[j * k + t] * r[t * k + j]
      }
    }
    for _ in 0..<max(100, k) {
      var total = 0.0
      for t in 0..<k {
        qp[t] = UnsafePointer(q + t * k).dot(p, k)
        total += p[t] * qp[t]
      }
      var error = 0.0
      for t in 0..<k { error = max(error, abs(qp[t] - total)) }
      if error < 0.005 / Double(k) { return }
      for t in 0..<k {
        let step = (total - qp[t]) / q[t * k + t]
        p[t] += step
        total = (total + step * (step * q[t * k + t] + 2 * qp[t])) / (1 + step) / (1 + step)
        for j in 0..<k {
          qp[j] = (qp[j] + step * q[t * k + j]) / (1 + step)
          p[j] /= 1 + step
        }
      }
    }
  }
}
