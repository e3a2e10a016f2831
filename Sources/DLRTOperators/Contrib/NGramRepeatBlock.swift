import DLRTGraph

/// com.microsoft NGramRepeatBlock (1): scores [batch, words], with minus infinity for each word that would complete an n-gram
/// that the sample's `input_ids` [batch, positions] have already.
package struct NGramRepeatBlock: Operator {
  package static let schema = OperatorSchema.microsoft(
    "NGramRepeatBlock", [("input_ids", "Tid"), ("scores", "T")], [("scores_out", "T")],
    ["Tid": .int64, "T": .float32])

  private let length: Int

  package init(_ attributes: inout AttributeReader) throws {
    length = try attributes.int("ngram_size")
    guard length > 0 else {
      throw DLRTError(.invalidModel, "out of range", tensor: "ngram_size", expected: "1 or more", got: "\(length)")
    }
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .float32)
    let ids = try inference.shape(0, rank: 2)
    let scores = try inference.shape(1, rank: 2)
    try inference.requireEqual(scores[0], ids[0], "the batch", of: 1)
    inference.set(0, .float32, scores)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let (batch, count) = (planning.shape(0)[0], planning.shape(0)[1])
    let words = planning.shape(1)[1]
    let length = length
    return Step(kernel: "ngrams") { io in
      let y = io.output(0, as: Float.self)
      y.update(from: io.input(1, as: Float.self), count: batch &* words)
      guard count >= length else { return }
      let last = count &- length &+ 1
      for sample in 0..<batch {
        let ids = io.input(0, as: Int64.self) + sample &* count
        for start in 0..<last where (0..<length &- 1).allSatisfy({ ids[start &+ $0] == ids[last &+ $0] }) {
          let word = ids[start &+ length &- 1]
          guard word >= 0, word < Int64(words) else {
            throw DLRTError(
              .invalidInput, "word out of range", tensor: "input_ids", expected: "0..<\(words)", got: "\(word)")
          }
          y[sample &* words &+ Int(word)] = -.infinity
        }
      }
    }
  }
}
