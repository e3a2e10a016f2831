import DLRTGraph

/// ONNX STFT (17–28): discrete Fourier transforms of windows that slide along a signal.
///
/// `signal`: `[batch, length, 1]` (real) or `[batch, length, 2]` (complex) of float16, bfloat16, float, double;
/// `frame_step`, `frame_length`: scalars of int32 or int64; `window`: `[frame_length]`. `output`:
/// `[batch, frames, bins, 2]`, with `frame_length / 2 + 1` bins if `onesided`.
package struct STFT: Operator {
  package static let schema = OperatorSchema(
    "STFT", versions: [17],
    inputs: [("signal", "T1"), ("frame_step", "T2"), ("window?", "T1"), ("frame_length?", "T2")],
    outputs: [("output", "T1")], types: ["T1": .floats, "T2": .indices])

  package static let promotedTypes = TypeSet.halfFloats

  private let isOneSided: Bool

  package init(_ attributes: inout AttributeReader) throws {
    isOneSided = try attributes.flag("onesided", default: true)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let shape = try inference.shape(0, rank: 3)
    guard let parts = shape[2].value else { throw Unresolved.shape(input: 0) }
    guard parts == 1 || parts == 2 && !isOneSided else {
      throw DLRTError(
        .invalidModel, "wrong shape", tensor: "signal",
        expected: isOneSided ? "[…, 1] for onesided bins" : "[…, 1] or […, 2]", got: "\(shape)")
    }
    let step = try inference.integer(1)
    guard step > 0 else {
      throw DLRTError(.invalidModel, "out of range", tensor: "frame_step", expected: "at least 1", got: "\(step)")
    }
    let length = try frameLength(inference, signal: shape[1])
    if let size = length.value {
      guard size > 0, size <= SignalForm.greatestLength, shape[1].value.map({ size <= $0 }) ?? true else {
        throw DLRTError(
          .invalidModel, "out of range", tensor: "frame_length", expected: "1...\(shape[1])", got: "\(size)")
      }
    }
    let frames = (shape[1] - length) / .known(step) + 1
    inference.set(0, type, [shape[0], frames, isOneSided ? length / 2 + 1 : length, 2])
  }

  private func frameLength(_ inference: Inference, signal: Dim) throws -> Dim {
    let window = inference.has(2) ? try inference.shape(2, rank: 1)[0] : nil
    guard inference.has(3) else { return window ?? signal }
    let length = Dim.known(try inference.integer(3))
    guard !(window?.provablyDiffers(length) ?? false) else {
      throw DLRTError(
        .invalidModel, "the window must be as long as a frame", tensor: "window", expected: "\(length)",
        got: window?.description)
    }
    return length
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    planning.type(0) == .float64 ? try plan(planning, Double.self) : try plan(planning, Float.self)
  }

  private func plan<Real: FourierReal>(_ planning: Planning, _: Real.Type) throws -> Step {
    let shape = planning.shape(0)
    let output = planning.output(0).shape
    let hasWindow = planning.has(2)
    let length = hasWindow ? planning.shape(2)[0] : planning.constant(3)?.integers?.first ?? shape[1]
    let step = planning.constant(1)?.integers?.first ?? 1
    let (signal, parts, frames, bins) = (shape[1], shape[2], output[1], output[2])
    let mirrors = parts == 1 && !isOneSided
    let transform = try SignalTransform<Real>(length: length, form: parts == 1 ? .real : .complex)
    let loop = SignalLoop(shape[0] &* frames, transform)
    return Step(kernel: "fft", workspace: loop.workspace) { io in
      let (x, window, y) = (io.input(0, as: Real.self), io.input(2, as: Real.self), io.output(0, as: Real.self))
      loop.run(io) { frame, data, scratch in
        let source = x + (frame / frames &* signal &+ frame % frames &* step) &* parts
        // Real and complex signals lie in the buffer as they lie in the input.
        data.withMemoryRebound(to: Real.self, capacity: length &* parts) { values in
          for index in 0..<length {
            let weight = hasWindow ? window[index] : 1
            for part in 0..<parts { values[index &* parts &+ part] = source[index &* parts &+ part] * weight }
          }
        }
        transform.run(data, scratch)
        if mirrors { data.mirrorBins(bins) }
        let target = y + 2 &* frame &* bins
        for index in 0..<bins { (target[2 &* index], target[2 &* index &+ 1]) = (data[index].x, data[index].y) }
      }
    }
  }
}
