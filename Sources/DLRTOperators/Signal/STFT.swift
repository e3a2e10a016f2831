import DLRTGraph

/// ONNX STFT (17–28): discrete Fourier transforms of windows that slide along a signal.
///
/// `signal`: `[batch, length, 1]` (real) or `[batch, length, 2]` (complex) of float16, bfloat16, float, double;
/// `frame_step`, `frame_length`: scalars of int32 or int64; `window`: `[frame_length]`. `output`:
/// `[batch, frames, bins, 2]`, with `frame_length / 2 + 1` bins if `onesided`. Computed in double precision.
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
        expected: isOneSided ? "[…, 1] for onesided bins" : "[…, 1 or 2]",
        got: "\(shape)")
    }
    let step = try inference.integer(1)
    guard step > 0 else {
      throw DLRTError(.invalidModel, "out of range", tensor: "frame_step", expected: "at least 1", got: "\(step)")
    }
    let length = try frameLength(inference, signal: shape[1])
    if let size = length.value {
      guard size > 0, size <= FourierTransform.greatestLength, shape[1].value.map({ size <= $0 }) ?? true else {
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
    let shape = planning.shape(0)
    let output = planning.output(0).shape
    let length =
      planning.has(2) ? planning.shape(2)[0] : planning.constant(3)?.integers?.first ?? shape[1]
    let step = planning.constant(1)?.integers?.first ?? 1
    let isReal = shape[2] == 1
    let transform = try SignalTransform(length: length, form: isReal ? .real : .complex)
    let frames = Frames(
      signal: shape[1], parts: shape[2], frames: output[1], length: length, step: step, bins: output[2],
      mirrors: isReal && !isOneSided, hasWindow: planning.has(2))
    let isDouble = planning.type(0) == .float64
    let loop = SignalLoop(shape[0] &* output[1], transform)
    return Step(kernel: "fft", workspace: loop.workspace) { io in
      let (x, window, y) = (io.input(0), io.input(2), io.output(0))
      loop.run(io) { frame, data, scratch in
        if isDouble {
          frames.read(x.assumingMemoryBound(to: Double.self), window.assumingMemoryBound(to: Double.self), frame, data)
          transform.run(data, scratch)
          frames.write(y.assumingMemoryBound(to: Double.self), frame, data)
        } else {
          frames.read(x.assumingMemoryBound(to: Float.self), window.assumingMemoryBound(to: Float.self), frame, data)
          transform.run(data, scratch)
          frames.write(y.assumingMemoryBound(to: Float.self), frame, data)
        }
      }
    }
  }
}

extension STFT {
  private struct Frames: Sendable {
    typealias Complex = SignalTransform.Complex

    let signal: Int
    let parts: Int
    let frames: Int
    let length: Int
    let step: Int
    let bins: Int
    /// Whether the upper bins are to be made from the lower ones.
    let mirrors: Bool
    let hasWindow: Bool

    func read<T: BinaryFloatingPoint>(
      _ source: UnsafePointer<T>, _ window: UnsafePointer<T>, _ frame: Int, _ data: UnsafeMutablePointer<Complex>
    ) {
      let start = source + (frame / frames &* signal &+ frame % frames &* step) &* parts
      if parts == 1 {
        data.withMemoryRebound(to: Double.self, capacity: length) { reals in
          for index in 0..<length { reals[index] = Double(start[index]) * (hasWindow ? Double(window[index]) : 1) }
        }
      } else {
        for index in 0..<length {
          let value = Complex(Double(start[2 &* index]), Double(start[2 &* index &+ 1]))
          data[index] = value * (hasWindow ? Double(window[index]) : 1)
        }
      }
    }

    func write<T: BinaryFloatingPoint>(
      _ target: UnsafeMutablePointer<T>, _ frame: Int, _ data: UnsafeMutablePointer<Complex>
    ) {
      let start = target + 2 &* frame &* bins
      let stored = mirrors ? bins / 2 &+ 1 : bins
      for index in 0..<bins {
        let value = index < stored ? data[index] : Complex(data[bins &- index].x, -data[bins &- index].y)
        start[2 &* index] = T(value.x)
        start[2 &* index &+ 1] = T(value.y)
      }
    }
  }
}
