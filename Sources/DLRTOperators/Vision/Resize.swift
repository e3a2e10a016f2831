import DLRTGraph

/// ONNX Resize (10, 11, 13, 18, 19) and, through it, Upsample: each output element is the nearest input element or a
/// weighted mean of neighbours along the resized axes. Inputs: X, roi (for tf_crop_and_resize), and either scales or
/// sizes. Any element type for nearest, numbers for linear and cubic.
package struct Resize: Operator {
  package static let schema = OperatorSchema(
    "Resize", versions: [10, 11, 13, 18, 19],
    inputs: [("X", "T1"), ("roi?", "T2"), ("scales?", "F"), ("sizes?", "I")], outputs: [("Y", "T1")],
    types: [
      "T1": [.numeric, .string, .bool, .complex], "T2": [.ieeeFloats, TypeSet(.bfloat16)], "F": .float32, "I": .int64,
    ])
  package static var promotedTypes: TypeSet { .halfFloats }

  package enum Mode: String, CaseIterable, Sendable {
    case nearest, linear, cubic
  }

  private enum Policy: String, CaseIterable {
    case stretch
    case notLarger = "not_larger"
    case notSmaller = "not_smaller"
  }

  /// Each output element of a resized axis has an entry in a table.
  private static let longestAxis = 1 << 26

  private let mode: Mode
  private let transformation: CoordinateTransformation
  private let nearestMode: NearestMode
  private let policy: Policy
  private let axes: [Int]?
  private let isAntialiased: Bool
  private let excludesOutside: Bool
  private let extrapolation: Float
  private let cubicCoefficient: Float

  /// Version 10 had `scales` as its second input and no attribute but the mode.
  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    guard version < 11 else { return }
    node.inputs.insert(nil, at: min(1, node.inputs.count))
    node.attributes["coordinate_transformation_mode"] = .string(CoordinateTransformation.asymmetric.rawValue)
    node.attributes["nearest_mode"] = .string(NearestMode.simple.rawValue)
  }

  package init(_ attributes: inout AttributeReader) throws {
    mode = try attributes.choice("mode", default: .nearest)
    transformation = try attributes.choice("coordinate_transformation_mode", default: .halfPixel)
    nearestMode = try attributes.choice("nearest_mode", default: .roundPreferFloor)
    policy = try attributes.choice("keep_aspect_ratio_policy", default: .stretch)
    axes = try attributes.optionalInts("axes")
    isAntialiased = try attributes.flag("antialias")
    excludesOutside = try attributes.flag("exclude_outside")
    extrapolation = try attributes.float("extrapolation_value", default: 0)
    cubicCoefficient = try attributes.float("cubic_coeff_a", default: -0.75)
    if isAntialiased, mode == .nearest {
      throw DLRTError(.invalidModel, "nearest interpolation has no antialiasing", tensor: "antialias", got: "1")
    }
  }
}

// MARK: Shapes

extension Resize {
  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    guard mode == .nearest || TypeSet.numeric.contains(type) else {
      throw DLRTError(
        .unsupportedModel, "elements of this type cannot be interpolated", tensor: inference.name(0),
        expected: "a number", got: type.name)
    }
    let input = try inference.shape(0)
    inference.setRank(0, type, input.rank)
    let axes = try inference.axes(self.axes ?? Array(0..<input.rank), rank: input.rank)
    if transformation == .cropAndResize {
      let roi = try inference.tensor(1)
      guard roi.count == 2 * axes.count else { throw wrongCount(inference.name(1), 2 * axes.count, roi.count) }
    }
    var output = input
    if try isGiven(inference, 3) {
      guard try !isGiven(inference, 2) else {
        throw DLRTError(.invalidModel, "both scales and sizes are given", tensor: inference.name(3))
      }
      try setSizes(&output, axes, inference)
    } else {
      try setScaled(&output, axes, try scales(inference.tensor(2), axes.count))
    }
    for (from, to) in zip(input.dims, output.dims) where from == 0 {
      if let size = to.value, size > 0 {
        throw DLRTError(.invalidModel, "nothing to resize", tensor: inference.name(0), got: "\(input) to \(output)")
      }
    }
    inference.set(0, type, output)
  }

  /// Before version 13 what is not given may be an empty tensor.
  private func isGiven(_ inference: borrowing Inference, _ index: Int) throws -> Bool {
    inference.has(index) ? try inference.shape(index).elementCount != 0 : false
  }

  private func wrongCount(_ name: String, _ expected: Int, _ got: Int) -> DLRTError {
    DLRTError(.invalidModel, "wrong size", tensor: name, expected: "\(expected) elements", got: "\(got)")
  }

  private func setSizes(_ output: inout Shape, _ axes: [Int], _ inference: borrowing Inference) throws {
    let sizes = try inference.dims(3)
    guard sizes.count == axes.count else { throw wrongCount(inference.name(3), axes.count, sizes.count) }
    guard sizes.allSatisfy({ ($0.value ?? 0) >= 0 }) else {
      throw DLRTError(.invalidModel, "a size is negative", tensor: inference.name(3), got: "\(sizes)")
    }
    guard policy != .stretch else {
      for (axis, size) in zip(axes, sizes) { output[axis] = size }
      return
    }
    let input = axes.map { output[$0] }
    guard let scale = commonScale(input.compactMap(\.value), sizes.compactMap(\.value), count: axes.count) else {
      for axis in axes { output[axis] = .unknown }
      return
    }
    for axis in axes { output[axis] = .known(Int((scale * Double(output[axis].value ?? 0) + 0.5).rounded(.down))) }
  }

  /// The one scale of all axes that keeps the aspect ratio.
  private func commonScale(_ input: [Int], _ sizes: [Int], count: Int) -> Double? {
    guard input.count == count, sizes.count == count, !input.contains(0) else { return nil }
    let scales = zip(input, sizes).map { Double($1) / Double($0) }
    let scale = policy == .notLarger ? scales.min() : scales.max()
    // A size that no memory holds; the shape stays unknown, which is refused while planning.
    guard let scale, input.allSatisfy({ scale * Double($0) < 0x1p62 }) else { return nil }
    return scale
  }

  private func scales(_ tensor: Tensor, _ count: Int) throws -> [Float] {
    let scales = tensor.elements(Float.self)
    guard scales.count == count else { throw wrongCount("scales", count, scales.count) }
    for scale in scales where !(scale > 0 && scale < .infinity) {
      throw DLRTError(.invalidModel, "out of range", tensor: "scales", expected: "> 0", got: "\(scales)")
    }
    return scales
  }

  private func setScaled(_ output: inout Shape, _ axes: [Int], _ scales: [Float]) throws {
    for (axis, scale) in zip(axes, scales) {
      if let size = output[axis].value {
        let scaled = Float(size) * scale
        guard scaled < 0x1p62 else {
          throw DLRTError(.limitExceeded, "the output is too large", tensor: "scales", got: "\(size) × \(scale)")
        }
        output[axis] = .known(Int(scaled))
      } else if scale == 1 {
        continue
      } else if let whole = Int(exactly: scale) {
        output[axis] = output[axis] * .known(whole)
      } else {
        output[axis] = .unknown
      }
    }
  }
}

// MARK: Plan

extension Resize {
  /// Among the channels of other pixels, where channels are the last axis and stay.
  package func writes(_ view: StridedView, _ planning: Planning) -> Bool {
    let last = planning.shape(0).count - 1
    guard view.hasPixels(planning.output(0)), planning.shape(0).last ?? 1 > 1,
      let axes = try? resizedAxes(planning).map(\.axis)
    else { return false }
    return mode == .nearest ? axes.max() == last - 1 : !axes.contains(last)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let output = planning.output(0).shape
    if output.product == 0 { return .nothing }
    let resized = try resizedAxes(planning)
    let tables = resized.map { axis in
      switch mode {
      case .nearest: ResizeTable.nearest(axis, transformation, nearestMode)
      case .linear:
        ResizeTable.filtered(
          axis, transformation, radius: 1, isAntialiased: isAntialiased, excludesOutside: excludesOutside,
          ResizeTable.triangle)
      case .cubic:
        ResizeTable.filtered(
          axis, transformation, radius: 2, isAntialiased: isAntialiased, excludesOutside: excludesOutside
        ) { [a = Double(cubicCoefficient)] in ResizeTable.cubic($0, a: a) }
      }
    }
    let type = planning.type(0)
    var step: Step
    if mode == .nearest {
      let gather = AxisGather(
        input: planning.shape(0), output: output, axes: resized.map(\.axis), tables: tables, elementSize: type.size,
        filler: type.bytes(of: Double(extrapolation)), place: PixelPlace(planning.output(0)))
      step = gather.plan()
    } else {
      let passes = Resampling(
        planning.shape(0), zip(resized, tables).map { ($0, $1) }, extrapolation, planning.output(0))
      step = try type.dispatch(ResamplingPlan(passes: passes, type: type))
    }
    step.skippedInputs = [1, 2, 3]
    return step
  }

  /// The axes that change, as the output's shape and the other inputs say.
  private func resizedAxes(_ planning: Planning) throws -> [ResizeAxis] {
    let (input, output) = (planning.shape(0), planning.output(0).shape)
    let axes = (self.axes ?? Array(input.indices)).map { $0 < 0 ? $0 + input.count : $0 }
    let given = planning.input(3).count == 0 || !planning.has(3) ? planning.constant(2)?.elements(Float.self) : nil
    let sizes = planning.constant(3)?.integers
    let common =
      policy == .stretch || given != nil ? nil : commonScale(axes.map { input[$0] }, sizes ?? [], count: axes.count)
    let roi = transformation == .cropAndResize ? planning.constant(1) : nil
    return try axes.enumerated().compactMap { index, axis in
      guard max(input[axis], output[axis]) <= Self.longestAxis else {
        throw DLRTError(
          .limitExceeded, "the axis is too long to resize", tensor: "X", expected: "at most \(Self.longestAxis)",
          got: "\(input[axis]) to \(output[axis])")
      }
      let stretched = Double(output[axis]) / Double(max(input[axis], 1))
      let scale = given.map { Double($0[index]) } ?? common ?? stretched
      let resized = ResizeAxis(
        axis: axis, input: input[axis], output: output[axis], scale: scale, isScaleGiven: given != nil,
        start: roi.map { ParameterVector(type: $0.type, base: $0.pointer)[index] } ?? 0,
        end: roi.map { ParameterVector(type: $0.type, base: $0.pointer)[index + axes.count] } ?? 1)
      return resized.isIdentity(transformation) ? nil : resized
    }
  }
}
