import DLRTGraph
import Glibc

/// ONNX MelWeightMatrix (17–28): overlapping triangles on the mel scale, which turn a spectrum's bins into bands.
///
/// `num_mel_bins`, `dft_length`, `sample_rate`: scalars of int32 or int64; `lower_edge_hertz`, `upper_edge_hertz`:
/// scalars of float16, bfloat16, float, double. `output`: `[dft_length / 2 + 1, num_mel_bins]` of any float or integer
/// type of at least eight bits.
///
/// - Throws: `invalidInput` for edges beyond the spectrum.
package struct MelWeightMatrix: Operator {
  package static let schema = OperatorSchema(
    "MelWeightMatrix", versions: [17],
    inputs: [
      ("num_mel_bins", "T1*"), ("dft_length", "T1*"), ("sample_rate", "T1*"), ("lower_edge_hertz", "T2*"),
      ("upper_edge_hertz", "T2*"),
    ], outputs: [("output", "T3")], types: ["T1*": .indices, "T2*": .floats])

  package static let promotedTypes = TypeSet.halfFloats

  private let type: DataType

  package init(_ attributes: inout AttributeReader) throws { type = try attributes.numericType("output_datatype") }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, type)
    for index in 2..<5 {
      guard try inference.shape(index).elementCount.value ?? 1 == 1 else {
        throw DLRTError(
          .invalidModel, "not a single number", tensor: inference.name(index), got: "\(try inference.shape(index))")
      }
    }
    let bands = try inference.integer(0)
    let length = try inference.integer(1)
    guard bands >= 0, length >= 0 else {
      throw DLRTError(
        .invalidModel, "not a size", tensor: "num_mel_bins, dft_length", got: "\(bands), \(length)")
    }
    inference.set(0, type, [.known(length / 2 + 1), .known(bands)])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let length = planning.constant(1)?.integers?.first ?? 0
    let bands = planning.output(0).shape[1]
    let types = (2..<5).map { planning.type($0) }
    let store = try planning.outputType(0).dispatch(NumberStore())
    let byteCount = planning.output(0).byteCount
    return Step(kernel: "mel") { io in
      var numbers = (0.0, 0.0, 0.0)
      types[0].widen(io.input(2), from: 0, into: &numbers.0, 1)
      types[1].widen(io.input(3), from: 0, into: &numbers.1, 1)
      types[2].widen(io.input(4), from: 0, into: &numbers.2, 1)
      let y = io.output(0)
      memset(y, 0, byteCount)
      let scale = Scale(
        rate: numbers.0, lower: Self.mel(numbers.1), upper: Self.mel(numbers.2), length: length, bands: bands)
      for band in 0..<bands {
        let (left, centre) = (try scale.bin(band), try scale.bin(band + 1))
        let right = try scale.bin(band + 2, limit: length / 2 + 1)
        if left == centre {
          store(y, centre * bands + band, 1)
        } else {
          for bin in left..<max(left, centre + 1) {
            store(y, bin * bands + band, Double(bin - left) / Double(centre - left))
          }
        }
        for bin in centre..<max(centre, right) {
          store(y, bin * bands + band, Double(right - bin) / Double(right - centre))
        }
      }
    }
  }

  private static func mel(_ hertz: Double) -> Double { 2595 * log1p(hertz / 700) / log(10) }

  private struct Scale {
    let rate: Double
    let lower: Double
    let upper: Double
    let length: Int
    let bands: Int

    /// The spectrum's bin at the left edge of a band.
    func bin(_ band: Int, limit: Int? = nil) throws(DLRTError) -> Int {
      let mel = lower + Double(band) * ((upper - lower) / Double(bands + 2))
      let hertz = 700 * expm1(mel / 2595 * log(10))
      let bin = Int(exactly: (Double(length + 1) * hertz / rate).rounded(.down))
      guard let bin, bin >= 0, bin <= limit ?? length / 2 else {
        throw DLRTError(
          .invalidInput, "a band lies beyond the spectrum", tensor: "upper_edge_hertz",
          expected: "bins 0...\(length / 2)", got: "a band that begins at \(hertz) Hz")
      }
      return bin
    }
  }
}
