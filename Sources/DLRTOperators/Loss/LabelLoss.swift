import DLRTGraph

/// What the losses over class labels share: `reduction`, `ignore_index`, weights per class, and the sum over samples.
struct LabelLoss: Sendable {
  enum Reduction: String, CaseIterable, Sendable {
    case none
    case sum
    case mean
  }

  let reduction: Reduction
  let ignoreIndex: Int?

  init(_ attributes: inout AttributeReader) throws {
    reduction = try attributes.choice("reduction", default: Reduction.mean)
    ignoreIndex = try attributes.optionalInt("ignore_index")
  }

  /// Checks inputs [N, C, d…], [N, d…] and [C]; says the loss.
  func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    if case .none = reduction {} else { inference.set(0, type, []) }
    let scores = try inference.shape(0)
    guard scores.rank >= 2 else {
      throw DLRTError(
        .invalidModel, "wrong rank", tensor: inference.name(0), expected: "[N, C, …]", got: "\(scores)")
    }
    let labels = try inference.shape(1)
    var expected = scores.dims
    expected.remove(at: 1)
    guard labels.rank == expected.count, !zip(labels.dims, expected).contains(where: { $0.provablyDiffers($1) }) else {
      throw DLRTError(
        .invalidModel, "labels do not fit the scores", tensor: inference.name(1), expected: "\(Shape(expected))",
        got: "\(labels)")
    }
    if inference.has(2) {
      let weights = try inference.shape(2, rank: 1)
      guard !weights[0].provablyDiffers(scores[1]) else {
        throw DLRTError(
          .invalidModel, "not one weight per class", tensor: inference.name(2), expected: "[\(scores[1])]",
          got: "\(weights)")
      }
    }
    if case .none = reduction { inference.set(0, type, labels) }
  }

  func loop(_ planning: Planning) -> Loop {
    let shape = planning.shape(0)
    return Loop(
      loss: self, batch: shape[0], classes: shape[1], positions: shape.product(2..<shape.count),
      hasWeights: planning.has(2), wideLabels: planning.type(1) == .int64)
  }

  struct Loop: Sendable {
    let loss: LabelLoss
    let batch: Int
    let classes: Int
    let positions: Int
    let hasWeights: Bool
    let wideLabels: Bool

    func run<T: RealElement>(_ io: borrowing StepIO, logProbabilities x: UnsafePointer<T>) throws {
      let y = io.output(0, as: T.self)
      let weights = hasWeights ? io.input(2, as: T.self) : nil
      var total = 0.0
      var totalWeight = 0.0
      for sample in 0..<batch {
        for position in 0..<positions {
          let place = sample &* positions &+ position
          let label = wideLabels ? Int(io.input(1, as: Int64.self)[place]) : Int(io.input(1, as: Int32.self)[place])
          var value: T = 0
          if label != loss.ignoreIndex {
            guard label >= 0, label < classes else {
              throw DLRTError(
                .invalidInput, "label out of range", tensor: "target", expected: "0..<\(classes)", got: "\(label)")
            }
            let weight = weights?[label] ?? 1
            value = -x[(sample &* classes &+ label) &* positions &+ position] * weight
            totalWeight += weight.double
          }
          if case .none = loss.reduction { y[place] = value } else { total += value.double }
        }
      }
      switch loss.reduction {
      case .none: break
      case .sum: y[0] = T(total)
      case .mean: y[0] = T(total / totalWeight)
      }
    }
  }
}
