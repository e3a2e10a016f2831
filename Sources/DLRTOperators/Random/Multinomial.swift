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
    return Step(kernel: "philox", workspace: classes &* MemoryLayout<Double>.size) { io in
      let generator = source.generator(io)
      let sums = io.workspace.assumingMemoryBound(to: Double.self)
      for row in 0..<batch where samples > 0 {
        widen(io.input(0) + row &* classes &* inputType.size, sums, classes)
        let total = accumulate(sums, classes)
        for sample in 0..<samples {
          let place = row &* samples &+ sample
          var unit = 0.0
          Double.fillUniform(generator, place..<place &+ 1, &unit)
          var chosen = Int64(firstAbove(unit * total, sums, classes))
          narrow(&chosen, io.output(0) + place &* size, 1)
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

/// The first place whose sum exceeds `limit`, or the last place.
private func firstAbove(_ limit: Double, _ sums: UnsafePointer<Double>, _ count: Int) -> Int {
  var low = 0
  var high = count - 1
  while low < high {
    let middle = (low + high) / 2
    if sums[middle] > limit { high = middle } else { low = middle + 1 }
  }
  return low
}
