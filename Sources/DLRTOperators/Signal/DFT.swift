import DLRTGraph

/// ONNX DFT (17–28): the discrete Fourier transform along one axis, or its inverse, of any length.
///
/// `input`: `[…, 1]` (real) or `[…, 2]` (complex) of float16, bfloat16, float, double; `dft_length`: a scalar of int32
/// or int64, to which signals are cut or filled with zeros; `axis`: a scalar of int64. `output`: `[…, 2]`, with
/// `dft_length / 2 + 1` bins if `onesided`; `[…, 1]` for the inverse of onesided bins.
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
      let expected = isOneSided ? "[…, \(isInverse ? 2 : 1)] for onesided bins" : "[…, 1] or […, 2]"
      throw DLRTError(.invalidModel, "wrong shape", tensor: "input", expected: expected, got: "\(shape)")
    }
    let axis = try inference.axis(inference.has(2) ? try inference.integer(2) : -2, rank: shape.rank)
    guard axis < last else {
      throw DLRTError(
        .invalidModel, "the last axis holds the parts of complex numbers", tensor: "axis", expected: "below \(last)",
        got: "\(axis)")
    }
    let length = try length(inference, shape[axis])
    if let size = length.value, size < 1 || size > SignalForm.greatestLength {
      throw DLRTError(
        .invalidModel, "no such transform", tensor: "dft_length",
        expected: "a length of 1...\(SignalForm.greatestLength)", got: "\(size)")
    }
    shape[axis] = isOneSided && !isInverse ? length / 2 + 1 : length
    shape[last] = isOneSided && isInverse ? 1 : 2
    inference.set(0, type, shape)
  }

  private func length(_ inference: Inference, _ signal: Dim) throws -> Dim {
    if inference.has(1) {
      let given = try inference.dims(1)
      guard given.count == 1 else {
        throw DLRTError(
          .invalidModel, "not a single number", tensor: "dft_length", got: "\(given.count) elements")
      }
      return given[0]
    }
    return isOneSided && isInverse ? (signal - 1) * 2 : signal
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    planning.type(0) == .float64 ? try plan(planning, Double.self) : try plan(planning, Float.self)
  }

  private func plan<Real: FourierReal>(_ planning: Planning, _: Real.Type) throws -> Step {
    let shape = planning.shape(0)
    let output = planning.output(0).shape
    let last = shape.count - 1
    let given = planning.constant(2)?.integers?.first ?? -2
    let axis = given < 0 ? given + shape.count : given
    let isReal = shape[last] == 1
    let form: SignalForm = isInverse ? isOneSided ? .inverseReal : .inverseComplex : isReal ? .real : .complex
    let length =
      isOneSided && !isInverse ? planning.constant(1)?.integers?.first ?? shape[axis] : output[axis]
    let transform = try SignalTransform<Real>(length: length, form: form)
    let lines = SignalLines<Real>(
      inner: shape.product(axis + 1..<last), inputSize: shape[axis], outputSize: output[axis], parts: shape[last],
      form: form, mirrors: form == .real && !isOneSided)
    let taken = form == .inverseReal ? transform.bins : length
    let loop = SignalLoop(shape.product(0..<axis) &* lines.inner, transform)
    return Step(kernel: "fft", workspace: loop.workspace) { io in
      let (x, y) = (io.input(0, as: Real.self), io.output(0, as: Real.self))
      loop.run(io) { line, data, scratch in
        lines.read(x, line, data, taken)
        transform.run(data, scratch)
        lines.write(y, line, data)
      }
    }
  }
}

/// Where the signals along an axis are, before and after a transform.
private struct SignalLines<Real: FourierReal>: Sendable {
  typealias Complex = SIMD2<Real>

  /// Signals side by side: the product of the sizes after the axis.
  let inner: Int
  let inputSize: Int
  let outputSize: Int
  /// 1 for real, 2 for complex input.
  let parts: Int
  let form: SignalForm
  /// Whether the upper bins are to be made from the lower ones.
  let mirrors: Bool

  /// Reads a signal, cut or filled with zeros to `count` elements.
  func read(_ source: UnsafePointer<Real>, _ line: Int, _ data: UnsafeMutablePointer<Complex>, _ count: Int) {
    let start = line / inner &* inputSize &* inner &+ line % inner
    let present = min(inputSize, count)
    if form == .real {
      data.withMemoryRebound(to: Real.self, capacity: count) { reals in
        for index in 0..<present { reals[index] = source[start &+ index &* inner] }
        for index in present..<count { reals[index] = 0 }
      }
      return
    }
    for index in 0..<present {
      let place = (start &+ index &* inner) &* parts
      data[index] = Complex(source[place], parts == 2 ? source[place &+ 1] : 0)
    }
    for index in present..<count { data[index] = .zero }
  }

  func write(_ target: UnsafeMutablePointer<Real>, _ line: Int, _ data: UnsafeMutablePointer<Complex>) {
    let start = line / inner &* outputSize &* inner &+ line % inner
    if form == .inverseReal {
      data.withMemoryRebound(to: Real.self, capacity: outputSize) { reals in
        for index in 0..<outputSize { target[start &+ index &* inner] = reals[index] }
      }
      return
    }
    if mirrors { data.mirrorBins(outputSize) }
    for index in 0..<outputSize {
      let place = 2 &* (start &+ index &* inner)
      (target[place], target[place &+ 1]) = (data[index].x, data[index].y)
    }
  }
}
