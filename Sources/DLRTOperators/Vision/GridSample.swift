import DLRTGraph
import Glibc

/// ONNX GridSample (16, 20, 22): Y[N, C, out…] takes X[N, C, spatial…] at the places of grid[N, out…, axes], whose
/// coordinates run from -1 to 1 and come innermost axis first. Any element type for nearest, numbers for linear and
/// cubic; integers are truncated.
package struct GridSample: Operator {
  package static let schema = OperatorSchema(
    "GridSample", versions: [16, 20, 22], inputs: [("X", "T1"), ("grid", "T2")], outputs: [("Y", "T1")],
    types: ["T1": [.numeric, .string, .bool, .complex], "T2": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let sampling: GridSampling

  /// Before version 20 there were two spatial axes only, and the modes were named after them.
  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    guard version < 20 else { return }
    switch node.attributes["mode"] {
    case .string("bilinear"): node.attributes["mode"] = .string(GridSampling.Mode.linear.rawValue)
    case .string("bicubic"): node.attributes["mode"] = .string(GridSampling.Mode.cubic.rawValue)
    default: break
    }
  }

  package init(_ attributes: inout AttributeReader) throws {
    sampling = GridSampling(
      mode: try attributes.choice("mode", default: .linear),
      padding: try attributes.choice("padding_mode", default: .zeros),
      alignsCorners: try attributes.flag("align_corners"))
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    guard sampling.mode == .nearest || TypeSet.numeric.contains(type) else {
      throw DLRTError(
        .unsupportedModel, "elements of this type cannot be interpolated", tensor: inference.name(0),
        expected: "a number", got: type.name)
    }
    let input = try inference.shape(0)
    guard (3...2 + GridSampling.mostAxes).contains(input.rank) else {
      throw DLRTError(
        .invalidModel, "wrong rank", tensor: inference.name(0), expected: "3...\(2 + GridSampling.mostAxes)",
        got: "shape \(input)")
    }
    let grid = try inference.shape(1, rank: input.rank)
    guard !grid[0].provablyDiffers(input[0]), !grid[grid.rank - 1].provablyDiffers(.known(input.rank - 2)) else {
      throw DLRTError(
        .invalidModel, "wrong shape", tensor: inference.name(1), expected: "[\(input[0]), …, \(input.rank - 2)]",
        got: "\(grid)")
    }
    let output = Shape(input.dims.prefix(2) + grid.dims.dropFirst().dropLast())
    if let sizes = input.sizes, sizes.dropFirst(2).contains(0), output.elementCount.value ?? 0 > 0 {
      throw DLRTError(.invalidModel, "nothing to sample", tensor: inference.name(0), got: "\(input)")
    }
    inference.set(0, type, output)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let (input, output) = (planning.shape(0), planning.output(0).shape)
    let layout = GridLayout(
      images: input[0], channels: input[1], spatial: Array(input.dropFirst(2)),
      positions: output.dropFirst(2).reduce(1) { $0 &* $1 }, taps: sampling.taps(axes: input.count - 2),
      threads: planning.threads)
    return try planning.type(1).dispatch(Plan(sampling: sampling, layout: layout, type: planning.type(0)))
  }

  private struct Plan: FloatTask {
    let sampling: GridSampling
    let layout: GridLayout
    let type: DataType

    func run<G: RealElement>(_: G.Type) throws -> Step {
      let locator = GridLocator<G>(sampling: sampling, layout: layout)
      if sampling.mode == .nearest { return try type.dispatch(Picking(locator: locator)) }
      return try type.dispatch(Mixing(locator: locator))
    }
  }
}

/// Nearest: elements are moved as they are.
private struct Picking<G: RealElement>: PlainTask {
  let locator: GridLocator<G>

  func run<T: BitwiseCopyable & Equatable>(_ type: T.Type) -> Step { step(type) }

  private func step<T: BitwiseCopyable>(_: T.Type) -> Step {
    let size = MemoryLayout<T>.size
    return locator.step { (source: UnsafePointer<T>, target: UnsafeMutablePointer<T>, taps, count) in
      for position in 0..<count {
        if taps.weights[position] != 0 {
          target[position] = source[taps.places[position]]
        } else {
          // Zero bytes are zero in every type, and the empty string.
          memset(target + position, 0, size)
        }
      }
    }
  }
}

/// Linear and cubic: weighted sums, in float64 unless the elements are float32.
private struct Mixing<G: RealElement>: NumericTask {
  let locator: GridLocator<G>

  func run<T: NumericElement>(_ type: T.Type) -> Step {
    let count = locator.layout.taps
    let block = locator.layout.block
    if T.self == G.self {
      let layout = locator.layout
      let inputSize = layout.spatial.product
      return locator.stepOverImages { (x: UnsafePointer<G>, y: UnsafeMutablePointer<G>, taps, positions) in
        WeightedGather.run(
          x, stride: inputSize, planes: layout.channels, taps.places, taps.weights, taps: count, block: block, y,
          stride: layout.positions, positions)
      }
    }
    if T.dataType == .float32 {
      return locator.step { (source: UnsafePointer<Float>, target: UnsafeMutablePointer<Float>, taps, positions) in
        for position in 0..<positions {
          var sum: Float = 0
          for tap in 0..<count {
            let entry = tap &* block &+ position
            sum += Float(taps.weights[entry]) * source[taps.places[entry]]
          }
          target[position] = sum
        }
      }
    }
    let truncates = T.dataType.isInteger
    return locator.step { (source: UnsafePointer<T>, target: UnsafeMutablePointer<T>, taps, positions) in
      for position in 0..<positions {
        var sum = 0.0
        for tap in 0..<count {
          let entry = tap &* block &+ position
          sum += Double(taps.weights[entry]) * source[taps.places[entry]].double
        }
        target[position] = T(nearest: truncates ? sum.rounded(.towardZero) : sum)
      }
    }
  }
}
