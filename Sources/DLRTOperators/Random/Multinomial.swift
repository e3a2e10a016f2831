import DLRTGraph

/// ONNX Multinomial (7, 22): for every row of `[batch, classes]`, which holds logarithms of probabilities up to a common
/// addend, `sample_size` classes drawn with them: `[batch, sample_size]`.
package struct Multinomial: Operator {
  package static let schema = OperatorSchema(
    "Multinomial", versions: [7, 22], inputs: [("input", "T1")], outputs: [("output", "T2")],
    types: ["T1": .floats, "T2": .indices])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let type: DataType
  private let samples: Int
  private let seed: UInt64?

  /// Samples that are drawn at a time.
  private static let block = 128

  package init(_ attributes: inout AttributeReader) throws {
    type = try attributes.optionalDataType("dtype") ?? .int32
    samples = try attributes.int("sample_size", default: 1)
    seed = try attributes.seed()
    guard TypeSet.indices.contains(type) else {
      throw DLRTError(
        .invalidModel, "element type is not supported", tensor: "dtype", expected: "\(TypeSet.indices)", got: type.name)
    }
    guard samples >= 0 else {
      throw DLRTError(.invalidModel, "negative", tensor: "sample_size", got: "\(samples)")
    }
  }

  package var isDeterministic: Bool { false }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, type)
    let shape = try inference.shape(0, rank: 2)
    guard samples == 0 || shape[1] != .known(0) || shape[0] == .known(0) else {
      throw DLRTError(.invalidModel, "no classes to draw from", tensor: "input", got: "shape \(shape)")
    }
    inference.set(0, type, [shape[0], .known(samples)])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let source = RandomSource(seed: seed, planning)
    let (batch, classes) = (planning.shape(0)[0], planning.shape(0)[1])
    let inputType = planning.type(0)
    let widen = ElementConverter(from: inputType, to: .float64)
    let narrow = ElementConverter(from: .int64, to: type)
    let samples = samples
    let size = type.size
    return Step(kernel: "philox", workspace: classes &* (MemoryLayout<Double>.size + MemoryLayout<Int>.size)) { io in
      let generator = source.generator(io)
      let sums = io.workspace.assumingMemoryBound(to: Double.self)
      let guide = UnsafeMutableRawPointer(sums + classes).assumingMemoryBound(to: Int.self)
      for row in 0..<batch where samples > 0 {
        widen(io.input(0) + row &* classes &* inputType.size, sums, classes)
        let total = accumulate(sums, classes)
        fillGuide(guide, total, sums, classes)
        let target = io.output(0)
        withUnsafeTemporaryAllocation(of: Double.self, capacity: Self.block) { memory in
          guard let units = memory.baseAddress else { return }
          // The draws and then the classes are in the same memory.
          let chosen = UnsafeMutableRawPointer(units).assumingMemoryBound(to: Int64.self)
          for start in stride(from: 0, to: samples, by: Self.block) {
            let place = row &* samples &+ start
            let count = min(Self.block, samples &- start)
            Double.fillUniform(generator, place..<place &+ count, units)
            firstAbove(units, total, sums, guide, classes, chosen, count)
            narrow(chosen, target + place &* size, count)
          }
        }
      }
    }
  }
}

/// Turns logarithms into running sums of probabilities; returns the last.
private func accumulate(_ values: UnsafeMutablePointer<Double>, _ count: Int) -> Double {
  var greatest = -Double.infinity
  for index in 0..<count { greatest = Double.greatest(greatest, values[index]) }
  var total = 0.0
  for index in 0..<count {
    total += greatest == -.infinity ? 1 : Double.exp(values[index] - greatest)
    values[index] = total
  }
  return total
}

/// For as many parts of [0, total) as there are classes, the first place whose sum exceeds where the part begins.
private func fillGuide(_ guide: UnsafeMutablePointer<Int>, _ total: Double, _ sums: UnsafePointer<Double>, _ count: Int)
{
  var place = 0
  for part in 0..<count {
    let limit = Double(part) / Double(count) * total
    while place < count &- 1, sums[place] <= limit { place = place &+ 1 }
    guide[part] = place
  }
}

/// For each draw from [0, 1) the first place whose sum exceeds so much of `total`, or the last place. From where the
/// guide points, it is one step on average (Chen and Asau, "On generating random variates from an empirical
/// distribution", 1974).
private func firstAbove(
  _ units: UnsafePointer<Double>, _ total: Double, _ sums: UnsafePointer<Double>, _ guide: UnsafePointer<Int>,
  _ count: Int, _ chosen: UnsafeMutablePointer<Int64>, _ draws: Int
) {
  let scale = Double(count)
  for draw in 0..<draws {
    let limit = units[draw] * total
    var place = guide[min(Int(units[draw] * scale), count &- 1)]
    while place < count &- 1, sums[place] <= limit { place = place &+ 1 }
    // Rounding may have chosen the next part.
    while place > 0, sums[place &- 1] > limit { place = place &- 1 }
    chosen[draw] = Int64(place)
  }
}
