import DLRTGraph
import Glibc

/// ONNX StringConcat (20): both inputs' strings joined element by element, with broadcasting.
package struct StringConcat: Operator {
  package static let schema = OperatorSchema(
    "StringConcat", versions: [20], inputs: [("X", "T"), ("Y", "T")], outputs: [("Z", "T")], types: ["T": .string])

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .string)
    inference.set(0, .string, try inference.broadcast([0, 1]))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let walk = Broadcast(output: planning.output(0).shape, inputs: [planning.shape(0), planning.shape(1)])
    return Step(kernel: "strings") { io in
      let left = io.input(0, as: StringRef.self)
      let right = io.input(1, as: StringRef.self)
      let target = io.output(0, as: StringRef.self)
      let strings = io.host.strings
      var failure: (any Error)?
      walk.forEachRun(in: 0..<walk.count) { position, length, offsets in
        guard failure == nil else { return }
        do {
          for index in 0..<length {
            let first = left[offsets[0] &+ index &* walk.innerStrides[0]]
            let second = right[offsets[1] &+ index &* walk.innerStrides[1]]
            target[position &+ index] = try strings.joined(first, second)
          }
        } catch {
          failure = error
        }
      }
      if let failure { throw failure }
    }
  }
}

extension StringPool {
  fileprivate func joined(_ first: StringRef, _ second: StringRef) throws -> StringRef {
    // Strings of a run live until its end, so an empty part needs no copy of the other.
    if first.count == 0 { return second }
    if second.count == 0 { return first }
    return try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: first.count + second.count) { buffer in
      _ = buffer.initialize(from: first.bytes)
      _ = buffer[first.count...].initialize(from: second.bytes)
      return try intern(buffer)
    }
  }
}
