import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

/// A value's bits, by which runs are compared; text for strings and containers.
func bits(_ value: Value) throws -> String {
  switch value {
  case .tensor(let tensor) where tensor.type == .string: return "\(tensor.shape) \(try tensor.strings())"
  case .tensor(let tensor): return "\(tensor.type) \(tensor.shape) \(tensor.withUnsafeBytes { Array($0) })"
  case .sequence(let elements, let type): return try "\(type) \(elements.map(bits))"
  case .optional(let content, let type): return try "\(type) \(content.map(bits) ?? "none")"
  case .map(let keys, let values, _): return try "\(bits(.tensor(keys))) \(values.map(bits))"
  }
}

func bits(_ values: [Value]) throws -> [String] { try values.map(bits) }

extension GraphBuilder {
  /// Runs the graph optimised and as it is, twice each, and expects the same bits.
  func runAll(_ inputs: [Value?], options: SessionOptions = SessionOptions(threads: 1)) throws -> [Value] {
    let session = try Session(model(), options: options)
    let results = try session.run(inputs)
    let plain = try Session(model(optimizes: false), options: options)
    for other in [session, plain, plain] { #expect(try bits(other.run(inputs)) == bits(results)) }
    return results
  }

  func session(_ options: SessionOptions = SessionOptions(threads: 1)) throws -> Session {
    try Session(model(), options: options)
  }
}

func floats(_ values: [Float], _ shape: [Int]? = nil) throws -> Value {
  .tensor(try Tensor(values, shape: shape ?? [values.count]))
}

func int64s(_ values: [Int64], _ shape: [Int]? = nil) throws -> Value {
  .tensor(try Tensor(values, shape: shape ?? [values.count]))
}

extension Value {
  func floats() throws -> [Float] { try #require(tensor).array(of: Float.self) }
  func int64s() throws -> [Int64] { try #require(tensor).array(of: Int64.self) }
  func shape() throws -> [Int] { try #require(tensor).shape }
}

/// Random numbers that are the same in every run of the tests.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1 }

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state &* 0x2545_f491_4f6c_dd1d
  }

  mutating func floats(_ count: Int) -> [Float] { (0..<count).map { _ in Float.random(in: -1..<1, using: &self) } }
}

/// Expects an error of a code whose text holds every one of the given words.
func expectError(
  _ code: DLRTError.Code, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws -> Void
) {
  do {
    try body()
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
  } catch let error as DLRTError {
    #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
    for word in words {
      #expect(error.description.contains(word), "\(error)", sourceLocation: sourceLocation)
    }
  } catch {
    Issue.record(error, sourceLocation: sourceLocation)
  }
}
