import DLRTGraph

/// ai.dlrt CachePositions: where new keys belong in a cache that each sample has filled to its own length.
///
/// From `last` [batch], each sample's number of keys less one, a query [batch, new, …] and the greatest number of keys:
/// the number of keys of each sample [batch], where its new ones begin [batch], and their positions [batch, new]. When all
/// keys are new, samples begin at 0, and shorter ones are padded behind.
package struct CachePositions: Operator {
  package static let schema = OperatorSchema(
    "CachePositions", domain: OperatorName.internalDomain, versions: [1],
    inputs: [("last", "M"), ("query", "T"), ("total", "M")],
    outputs: [("lengths", "I"), ("starts", "I"), ("positions", "I")],
    types: ["M": .indices, "T": .floats, "I": .int64])

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    for index in 0..<3 { inference.setType(index, .int64) }
    let query = try inference.shape(1, rank: 3)
    let last = try inference.shape(0)
    guard (1...2).contains(last.rank), !last.elementCount.provablyDiffers(query[0]) else {
      throw DLRTError(
        .invalidModel, "not one length per sample", tensor: "seqlens_k", expected: "[\(query[0])]", got: "\(last)")
    }
    guard try !inference.shape(2).elementCount.provablyDiffers(1) else {
      throw DLRTError(.invalidModel, "not a single number", tensor: "total_sequence_length")
    }
    inference.set(0, .int64, [query[0]])
    inference.set(1, .int64, [query[0]])
    inference.set(2, .int64, [query[0], query[1]])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let (batch, new) = (planning.shape(1)[0], planning.shape(1)[1])
    let isWide = planning.type(0) == .int64
    let wants = (0..<3).map { planning.wants(output: $0) }
    return Step(kernel: "positions") { io in
      let isFirst = Self.number(io.input(2), 0, isWide) == new
      for sample in 0..<batch {
        let last = Self.number(io.input(0), sample, isWide)
        guard last >= 0, last < 1 << 40, isFirst || last >= new &- 1 else {
          throw DLRTError(
            .invalidInput, "length out of range", tensor: "seqlens_k", expected: "\(isFirst ? 0 : new - 1) or more",
            got: "\(last)")
        }
        let start = isFirst ? 0 : last &+ 1 &- new
        if wants[0] { io.output(0, as: Int64.self)[sample] = Int64(last &+ 1) }
        if wants[1] { io.output(1, as: Int64.self)[sample] = Int64(start) }
        guard wants[2] else { continue }
        for index in 0..<new { io.output(2, as: Int64.self)[sample &* new &+ index] = Int64(start &+ index) }
      }
    }
  }

  private static func number(_ start: UnsafeRawPointer, _ index: Int, _ isWide: Bool) -> Int {
    isWide
      ? Int(start.load(fromByteOffset: index &* 8, as: Int64.self))
      : Int(start.load(fromByteOffset: index &* 4, as: Int32.self))
  }
}
