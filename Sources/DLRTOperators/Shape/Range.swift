import DLRTGraph

/// ONNX Range (11–27): `start + i · delta` for all i for which that lies before `limit`.
///
/// Half floats are computed in float32, as `stash_type` asks for by default.
package struct RangeOperator: Operator {
  package static let schema = OperatorSchema(
    "Range", versions: [11, 27], inputs: [("start", "T"), ("limit", "T"), ("delta", "T")], outputs: [("output", "T")],
    types: ["T": [.floats, .int32, .int64, TypeSet(.int16)]])

  package static var promotedTypes: TypeSet { .halfFloats }

  package init(_ attributes: inout AttributeReader) throws {
    let stash = try attributes.int("stash_type", default: 1)
    guard stash == 1 || stash == 11 else {
      throw DLRTError(
        .unsupportedModel, "no such type to compute in", tensor: "stash_type", expected: "1 (float) or 11 (double)",
        got: "\(stash)")
    }
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.set(0, type, [.unknown])
    guard type.isInteger else {
      inference.set(0, type, [.known(try floatCount(inference))])
      return
    }
    let bounds = try (0..<3).map { try bound(inference, $0) }
    guard bounds[2] != 0 else { throw stepOfZero(inference) }
    guard let start = bounds[0].value, let limit = bounds[1].value, let delta = bounds[2].value else {
      inference.set(0, type, [bounds[2] == 1 ? bounds[1] - bounds[0] : .unknown])
      return
    }
    let (span, overflow) = limit.subtractingReportingOverflow(start)
    if overflow { throw tooLong(inference) }
    let isEmpty = delta > 0 ? span <= 0 : span >= 0
    guard let count = isEmpty ? 0 : Int(exactly: (span.magnitude - 1) / delta.magnitude + 1) else {
      throw tooLong(inference)
    }
    let elements = count <= Fact.mostElements ? (0..<count).map { Dim.known(start + $0 * delta) } : nil
    inference.set(0, type, [.known(count)], elements: elements)
  }

  private func bound(_ inference: Inference, _ index: Int) throws -> Dim {
    let dims = try inference.dims(index)
    guard dims.count == 1 else { throw notSingle(inference, index) }
    return dims[0]
  }

  private func floatCount(_ inference: Inference) throws -> Int {
    let bounds = try (0..<3).map { index in
      guard let number = try inference.tensor(index).number else { throw notSingle(inference, index) }
      return number
    }
    guard bounds[2] != 0 else { throw stepOfZero(inference) }
    let count = ((bounds[1] - bounds[0]) / bounds[2]).rounded(.up)
    // Also refuses what is not a number.
    guard count < 0x1p48 else { throw tooLong(inference) }
    return max(0, Int(max(count, -1)))
  }

  private func notSingle(_ inference: Inference, _ index: Int) -> DLRTError {
    DLRTError(.invalidModel, "not a single number", tensor: inference.name(index), expected: "1 element")
  }

  private func stepOfZero(_ inference: Inference) -> DLRTError {
    DLRTError(.invalidInput, "a step of zero", tensor: inference.name(2))
  }

  private func tooLong(_ inference: Inference) -> DLRTError {
    DLRTError(.limitExceeded, "the range has no valid length", tensor: inference.name(1))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let count = planning.output(0).count
    let type = planning.type(0)
    let loop = type.isFloat ? try type.dispatch(FloatRange()) : try type.dispatch(IntegerRange())
    let chunks = Chunks(count, cost: 0.5)
    return Step(kernel: "range") { io in
      let start = io.input(0)
      let delta = io.input(2)
      let target = io.output(0)
      io.parallel(chunks) { loop(start, delta, target, $0) }
    }
  }
}

private typealias RangeLoop =
  @Sendable (UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, Range<Int>) -> Void

private struct FloatRange: FloatTask {
  func run<T: NumericElement & BinaryFloatingPoint>(_: T.Type) -> RangeLoop {
    { start, delta, target, range in
      let start = start.assumingMemoryBound(to: T.self).pointee.double
      let delta = delta.assumingMemoryBound(to: T.self).pointee.double
      let target = target.assumingMemoryBound(to: T.self)
      for index in range { target[index] = T(start + Double(index) * delta) }
    }
  }
}

private struct IntegerRange: IntegerTask {
  func run<T: NumericElement & FixedWidthInteger>(_: T.Type) -> RangeLoop {
    { start, delta, target, range in
      let start = start.assumingMemoryBound(to: T.self).pointee
      let delta = delta.assumingMemoryBound(to: T.self).pointee
      let target = target.assumingMemoryBound(to: T.self)
      for index in range { target[index] = start &+ T(truncatingIfNeeded: index) &* delta }
    }
  }
}
