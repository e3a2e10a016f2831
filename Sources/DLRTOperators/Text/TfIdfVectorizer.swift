import DLRTGraph

/// ONNX TfIdfVectorizer (9): how often each n-gram of a pool occurs in each row, its items up to `max_skip_count` items
/// apart; raw counts (TF), weights where there is any (IDF), or weighted counts (TFIDF).
package struct TfIdfVectorizer: Operator {
  package static let schema = OperatorSchema(
    "TfIdfVectorizer", versions: [9], inputs: [("X", "T")], outputs: [("Y", "T1")],
    types: ["T": [.string, .indices], "T1": .float32])

  private enum Mode: String, CaseIterable { case TF, IDF, TFIDF }

  private let mode: Mode
  private let pool: NGramPool
  private let lengths: ClosedRange<Int>
  private let mostSkips: Int
  private let width: Int
  private let weights: [Weight]?

  private struct Weight {
    let column: Int
    let factor: Float
  }

  package init(_ attributes: inout AttributeReader) throws {
    mode = try attributes.choice("mode", default: Mode.TF)
    let least = try attributes.int("min_gram_length")
    let most = try attributes.int("max_gram_length")
    let skips = try attributes.int("max_skip_count")
    guard least >= 1, most >= least, skips >= 0 else {
      throw DLRTError(
        .invalidModel, "lengths or skips are out of range", tensor: "min_gram_length", expected: "1 or more, in order",
        got: "\(least), \(most), \(skips) skips")
    }
    mostSkips = min(skips, Int(Int32.max))
    let columns = try attributes.ints("ngram_indexes")
    guard let last = columns.max(), columns.allSatisfy({ $0 >= 0 }), last < Int(Int32.max) else {
      throw DLRTError(.invalidModel, "not places in the output", tensor: "ngram_indexes", expected: "0 or more")
    }
    width = last + 1
    let starts = try attributes.ints("ngram_counts")
    let numbers = try attributes.optionalInts("pool_int64s") ?? []
    let strings = try attributes.optionalStrings("pool_strings") ?? []
    guard numbers.isEmpty != strings.isEmpty else {
      throw DLRTError(.invalidModel, "exactly one pool is needed", tensor: "pool_int64s")
    }
    // No n-gram is longer than the pool.
    lengths = least...max(least, min(most, max(numbers.count, strings.count)))
    pool = try NGramPool(numbers: numbers, strings: strings, starts: starts, lengths: lengths, columns: columns)
    weights = try attributes.optionalFloats("weights").flatMap { $0.isEmpty ? nil : $0 }.map { weights in
      guard weights.count == columns.count else {
        throw DLRTError(
          .invalidModel, "not one weight per n-gram", tensor: "weights", expected: "\(columns.count)",
          got: "\(weights.count)")
      }
      // Weights come in the pool's order; counts stand at the n-grams' places in the output.
      return Dictionary(zip(columns, weights), uniquingKeysWith: { $1 }).map { Weight(column: $0, factor: $1) }
    }
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .float32)
    guard (try inference.type(0) == .string) == pool.isText else {
      throw DLRTError(
        .invalidModel, "the input's type is not the pool's", tensor: inference.name(0),
        expected: pool.isText ? "string" : "int32 or int64", got: "\(try inference.type(0))")
    }
    let shape = try inference.shape(0)
    guard shape.rank <= 2 else {
      throw DLRTError(
        .invalidModel, "wrong shape", tensor: inference.name(0), expected: "[C] or [N, C]", got: "\(shape)")
    }
    inference.set(0, .float32, Shape(shape.dims.dropLast() + [.known(width)]))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let length = shape.last ?? 1
    let rows = shape.product(0..<max(shape.count - 1, 0))
    let type = planning.type(0)
    return Step(kernel: "ngrams", workspace: rows &* length &* MemoryLayout<Int>.size) { io in
      let items = io.workspace.assumingMemoryBound(to: Int.self)
      for index in 0..<rows &* length { items[index] = pool.item(io.input(0), type, index) }
      let target = io.output(0, as: Float.self)
      io.parallel(Chunks(rows, cost: Double(length * (mostSkips + 1)) * 50)) { range in
        for row in range {
          let counts = target + row &* width
          counts.update(repeating: 0, count: width)
          count(items + row &* length, length, counts)
          weigh(counts)
        }
      }
    }
  }

  private func count(_ items: UnsafePointer<Int>, _ length: Int, _ counts: UnsafeMutablePointer<Float>) {
    var least = lengths.lowerBound
    for skips in 0...min(mostSkips, max(length, 1)) {
      let distance = skips + 1
      for start in 0..<length {
        guard (least - 1).multipliedReportingOverflow(by: distance).partialValue < length - start else { break }
        var node = NGramPool.root
        var size = 1
        var place = start
        while size <= lengths.upperBound, place < length, let next = pool.child(of: node, items[place]) {
          node = next
          if size >= least, let column = pool.column(of: node) { counts[column] += 1 }
          size += 1
          place += distance
        }
      }
      // Single items have no distances: they count once.
      if least == 1 {
        least = 2
        if least > lengths.upperBound { return }
      }
    }
  }

  private func weigh(_ counts: UnsafeMutablePointer<Float>) {
    switch mode {
    case .TF: return
    case .IDF:
      for index in 0..<width where counts[index] > 0 { counts[index] = 1 }
    case .TFIDF: break
    }
    for weight in weights ?? [] { counts[weight.column] *= weight.factor }
  }
}
