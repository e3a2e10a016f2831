import DLRTGraph

/// What the global pools share: `[N, C, spatial…]` becomes `[N, C, 1…]`, one number for each plane.
enum GlobalPooling {
  static func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let input = try inference.shape(0)
    guard input.rank >= 2 else {
      throw DLRTError(
        .invalidModel, "wrong rank", tensor: inference.name(0), expected: "at least 2", got: "shape \(input)")
    }
    inference.set(0, type, Shape(input.dims.prefix(2) + Array(repeating: 1, count: input.rank - 2)))
  }

  /// A step that reduces each plane by `reduce(plane, size)`.
  static func step<T: NumericElement>(
    _ planning: Planning, _ reduce: @escaping @Sendable (UnsafePointer<T>, Int) -> T
  ) -> Step {
    let shape = planning.shape(0)
    let size = shape.dropFirst(2).reduce(1) { $0 &* $1 }
    let chunks = Chunks(shape.planes, cost: Double(size) * 0.3)
    return Step(kernel: "pool") { io in
      let input = io.input(0, as: T.self)
      let output = io.output(0, as: T.self)
      io.parallel(chunks) { for plane in $0 { output[plane] = reduce(input + plane &* size, size) } }
    }
  }

  /// The combination of all elements: eight independent chains, so that the loop need not wait for each addition.
  @inline(__always)
  static func fold<R: PoolReduction>(_ reduction: R, _ elements: UnsafePointer<R.Element>, _ count: Int) -> R.Element {
    var (a, b, c, d) = (reduction.initial, reduction.initial, reduction.initial, reduction.initial)
    var (e, f, g, h) = (a, b, c, d)
    var index = 0
    while index &+ 8 <= count {
      a = reduction.combine(a, elements[index])
      b = reduction.combine(b, elements[index &+ 1])
      c = reduction.combine(c, elements[index &+ 2])
      d = reduction.combine(d, elements[index &+ 3])
      e = reduction.combine(e, elements[index &+ 4])
      f = reduction.combine(f, elements[index &+ 5])
      g = reduction.combine(g, elements[index &+ 6])
      h = reduction.combine(h, elements[index &+ 7])
      index = index &+ 8
    }
    while index < count {
      a = reduction.combine(a, elements[index])
      index = index &+ 1
    }
    return reduction.join(
      reduction.join(reduction.join(a, b), reduction.join(c, d)),
      reduction.join(reduction.join(e, f), reduction.join(g, h)))
  }
}
