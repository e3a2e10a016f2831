import DLRTGraph

/// ONNX DFT (17–28): the discrete Fourier transform along one axis, or its inverse, of any length.
///
/// `input`: `[…, 1]` (real) or `[…, 2]` (complex) of float16, bfloat16, float, double; `dft_length`: a scalar of int32 or
/// int64, to which signals are cut or filled with zeros; `axis`: a scalar of int64. `output`: `[…, 2]`, with
/// `dft_length / 2 + 1` bins if `onesided`; `[…, 1]` for the inverse of onesided bins. Computed in double precision.
package struct DFT: Operator {
  package static let schema = OperatorSchema(
    "DFT", versions: [17, 20],
    inputs: [("input", "T1"), ("dft_length?", "T2"), ("axis?", "tensor(int64)")], outputs: [("output", "T1")],
    types: ["T1": .floats, "T2": .indices, "tensor(int64)": .int64])

  package static let promotedTypes = TypeSet.halfFloats

  private let isInverse: Bool
  private let isOneSided: Bool

  /// `axis` was an attribute at first.
  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    guard version < 20 else { return }
    var axis = 1
    if case .int(let value)? = node.attributes.removeValue(forKey: "axis") { axis = value }
    while node.inputs.count < 2 { node.inputs.append(nil) }
    node.inputs.append(graph.addConstant(try Tensor(int64: [axis], shape: [])))
  }

  package init(_ attributes: inout AttributeReader) throws {
    isInverse = try attributes.flag("inverse")
    isOneSided = try attributes.flag("onesided")
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    var shape = try inference.shape(0)
    guard shape.rank >= 2 else {
      throw DLRTError(.invalidModel, "wrong rank", tensor: "input", expected: "at least 2", got: "shape \(shape)")
    }
    let last = shape.rank - 1
    guard let parts = shape[last].value else { throw Unresolved.shape(input: 0) }
    guard parts == 1 || parts == 2, !isOneSided || parts == (isInverse ? 2 : 1) else {
      let expected =
        isOneSided ? isInverse ? "[…, 2] for onesided bins" : "[…, 1] for onesided bins" : "[…, 1] or […, 2]"
      throw DLRTError(.invalidModel, "wrong shape", tensor: "input", expected: expected, got: "\(shape)")
    }
    let axis = try inference.axis(inference.has(2) ? try inference.integer(2) : -2, rank: shape.rank)
    guard axis < last else {
      throw DLRTError(
        .invalidModel, "the last axis holds the parts of complex numbers", tensor: "axis", expected: "below \(last)",
        got: "\(axis)")
    }
    let length = try length(inference, shape[axis])
    if let size = length.value, size < 1 || size > FourierTransform.greatestLength {
      throw DLRTError(
        .invalidModel, "no such transform", tensor: "dft_length",
        expected: "a length of 1...\(FourierTransform.greatestLength)", got: "\(size)")
    }
    shape[axis] = isOneSided && !isInverse ? length / 2 + 1 : length
    shape[last] = isOneSided && isInverse ? 1 : 2
    inference.set(0, type, shape)
  }

  private func length(_ inference: Inference, _ signal: Dim) throws -> Dim {
    if inference.has(1) {
      let given = try inference.dims(1)
      guard given.count == 1 else {
        throw DLRTError(.invalidModel, "not a single number", tensor: "dft_length", got: "\(given.count) elements")
      }
      return given[0]
    }
    return isOneSided && isInverse ? (signal - 1) * 2 : signal
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let rank = shape.count
    let given = planning.constant(2)?.integers?.first ?? -2
    let axis = given < 0 ? given + rank : given
    let output = planning.output(0).shape
    let givenLength = planning.constant(1)?.integers?.first
    let length = isOneSided && !isInverse ? givenLength ?? shape[axis] : output[axis]
    let form: SignalTransform.Form =
      isInverse ? isOneSided ? .inverseReal : .inverseComplex : shape[rank - 1] == 1 ? .real : .complex
    let layout = Layout(
      inner: shape.product(axis + 1..<rank - 1), inputSize: shape[axis], outputSize: output[axis],
      parts: shape[rank - 1], form: form, mirrors: form == .real && !isOneSided)
    let transform = try SignalTransform(length: length, form: form)
    let lines = planning.type(0) == .float64 ? layout.lines(Double.self) : layout.lines(Float.self)
    let loop = SignalLoop(shape.product(0..<axis) &* layout.inner, transform)
    return Step(kernel: "fft", workspace: loop.workspace) { io in
      let (x, y) = (io.input(0), io.output(0))
      loop.run(io) { line, data, scratch in
        lines.read(x, line, data, form == .inverseReal ? transform.bins : length)
        transform.run(data, scratch)
        lines.write(y, line, data)
      }
    }
  }
}

extension DFT {
  /// Where the lines along the axis are.
  private struct Layout: Sendable {
    /// Lines side by side: the product of the sizes after the axis.
    let inner: Int
    let inputSize: Int
    let outputSize: Int
    /// 1 for real, 2 for complex input.
    let parts: Int
    let form: SignalTransform.Form
    /// Whether the upper bins are to be made from the lower ones.
    let mirrors: Bool

    typealias Complex = SignalTransform.Complex
    typealias Lines = (
      read: @Sendable (UnsafeRawPointer, Int, UnsafeMutablePointer<Complex>, Int) -> Void,
      write: @Sendable (UnsafeMutableRawPointer, Int, UnsafeMutablePointer<Complex>) -> Void
    )

    func lines<T: BinaryFloatingPoint & Sendable & BitwiseCopyable>(_: T.Type) -> Lines {
      (
        read: { [self] source, line, data, count in
          read(source.assumingMemoryBound(to: T.self), line, data, count)
        },
        write: { [self] target, line, data in write(target.assumingMemoryBound(to: T.self), line, data) }
      )
    }

    /// Reads a line, cut or filled with zeros to `count` elements; real ones lie one after the other.
    private func read<T: BinaryFloatingPoint>(
      _ source: UnsafePointer<T>, _ line: Int, _ data: UnsafeMutablePointer<Complex>, _ count: Int
    ) {
      let start = line / inner &* inputSize &* inner &+ line % inner
      let present = min(inputSize, count)
      if form == .real {
        data.withMemoryRebound(to: Double.self, capacity: 2 &* count) { reals in
          for index in 0..<present { reals[index] = Double(source[start &+ index &* inner]) }
          for index in present..<count { reals[index] = 0 }
        }
        return
      }
      for index in 0..<present {
        let place = (start &+ index &* inner) &* parts
        data[index] = Complex(Double(source[place]), parts == 2 ? Double(source[place &+ 1]) : 0)
      }
      for index in present..<count { data[index] = .zero }
    }

    private func write<T: BinaryFloatingPoint>(
      _ target: UnsafeMutablePointer<T>, _ line: Int, _ data: UnsafeMutablePointer<Complex>
    ) {
      let start = line / inner &* outputSize &* inner &+ line % inner
      if form == .inverseReal {
        data.withMemoryRebound(to: Double.self, capacity: outputSize) { reals in
          for index in 0..<outputSize { target[start &+ index &* inner] = T(reals[index]) }
        }
        return
      }
      let stored = mirrors ? outputSize / 2 &+ 1 : outputSize
      for index in 0..<outputSize {
        let value = index < stored ? data[index] : Complex(data[outputSize &- index].x, -data[outputSize &- index].y)
        let place = 2 &* (start &+ index &* inner)
        target[place] = T(value.x)
        target[place &+ 1] = T(value.y)
      }
    }
  }
}
