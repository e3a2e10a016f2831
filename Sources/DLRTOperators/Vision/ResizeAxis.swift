/// How a coordinate of the output is brought into the input: ONNX's `coordinate_transformation_mode`.
package enum CoordinateTransformation: String, CaseIterable, Sendable {
  case halfPixel = "half_pixel"
  case halfPixelSymmetric = "half_pixel_symmetric"
  case pytorchHalfPixel = "pytorch_half_pixel"
  case alignCorners = "align_corners"
  case asymmetric
  case cropAndResize = "tf_crop_and_resize"
  /// Version 11 only.
  case halfPixelForNearest = "tf_half_pixel_for_nn"
}

/// Which neighbour is nearest: ONNX's `nearest_mode`.
package enum NearestMode: String, CaseIterable, Sendable {
  case roundPreferFloor = "round_prefer_floor"
  case roundPreferCeil = "round_prefer_ceil"
  case floor
  case ceil
  /// What ONNX Runtime does for version 10, which left it open: ceil when shrinking, floor when growing.
  case simple
}

/// One axis that is resized: sizes, scale and the part of the input that is shown.
struct ResizeAxis: Sendable {
  let axis: Int
  let input: Int
  let output: Int
  /// Exact when sizes are given; else a float32 of the model, with which float32 arithmetic gives the expected pixels.
  let scale: Double
  let isScaleGiven: Bool
  let start: Double
  let end: Double

  /// True when every output is its input.
  func isIdentity(_ transformation: CoordinateTransformation) -> Bool {
    guard scale == 1, input == output else { return false }
    switch transformation {
    case .halfPixelForNearest: return false
    case .cropAndResize: return start == 0 && end == 1
    default: return true
    }
  }

  /// Where output `x` lies in the input.
  func coordinate(_ x: Int, _ transformation: CoordinateTransformation) -> Double {
    isScaleGiven ? Double(coordinate(x, transformation, Float.self)) : coordinate(x, transformation, Double.self)
  }

  private func coordinate<F: BinaryFloatingPoint>(_ x: Int, _ transformation: CoordinateTransformation, _: F.Type) -> F
  {
    let x = F(x)
    let scale = F(scale)
    let last = F(input - 1)
    // A scale may lead to a fraction of an element, which the output's size drops.
    let width = scale * F(input)
    switch transformation {
    case .halfPixel: return (x + 0.5) / scale - 0.5
    case .halfPixelSymmetric:
      let offset = F(input) / 2 * (1 - F(output) / width)
      return offset + (x + 0.5) / scale - 0.5
    case .pytorchHalfPixel: return output > 1 ? (x + 0.5) / scale - 0.5 : 0
    case .alignCorners: return width == 1 ? 0 : x * last / (width - 1)
    case .asymmetric: return x / scale
    case .halfPixelForNearest: return (x + 0.5) / scale
    case .cropAndResize:
      let (start, end) = (F(self.start), F(self.end))
      let within = width == 1 ? (end - start) * last / 2 : x * (end - start) * last / (width - 1)
      return start * last + within
    }
  }
}

/// For every output of an axis, the inputs that make it and their weights.
struct ResizeTable: Sendable {
  /// Inputs of one output.
  let taps: Int
  /// `[output][tap]`.
  private(set) var indices: [Int32] = []
  private(set) var weights: [Double] = []
  /// Outputs that lie outside of the input and take the extrapolation value; empty when there are none.
  private(set) var outside: [Bool] = []

  private init(taps: Int) { self.taps = taps }

  private static func nearest(_ x: Double, _ mode: NearestMode, isShrinking: Bool) -> Double {
    switch mode {
    case .roundPreferFloor: (x - 0.5).rounded(.up)
    case .roundPreferCeil: (x + 0.5).rounded(.down)
    case .floor: x.rounded(.down)
    case .ceil: x.rounded(.up)
    case .simple: isShrinking ? x.rounded(.up) : x.rounded(.down)
    }
  }

  /// - Parameters:
  ///   - isDropping: weights of inputs beyond the edges are dropped, instead of going to the edge.
  private mutating func add(_ x: Double, at first: Int, _ values: [Double], _ axis: ResizeAxis, isDropping: Bool) {
    var values = values
    if isDropping {
      for tap in values.indices where first + tap < 0 || first + tap >= axis.input { values[tap] = 0 }
      let sum = values.reduce(0, +)
      if sum != 0 { values = values.map { $0 / sum } }
    }
    for tap in 0..<taps { indices.append(Int32(min(max(first + tap, 0), axis.input - 1))) }
    weights += values
  }

  private mutating func findOutside(_ axis: ResizeAxis, _ coordinates: [Double]) {
    let flags = coordinates.map { !($0 >= 0 && $0 <= Double(axis.input - 1)) }
    if flags.contains(true) { outside = flags }
  }

  /// Keeps coordinates where integers are exact; what is further away is outside anyway.
  private static func coordinates(_ axis: ResizeAxis, _ transformation: CoordinateTransformation) -> [Double] {
    let reach = Double(axis.input) + 4
    return (0..<axis.output).map { x in
      let coordinate = axis.coordinate(x, transformation)
      return coordinate.isNaN ? 0 : min(max(coordinate, -reach), 2 * reach)
    }
  }

  static func nearest(
    _ axis: ResizeAxis, _ transformation: CoordinateTransformation, _ mode: NearestMode
  ) -> ResizeTable {
    var table = ResizeTable(taps: 1)
    let coordinates = coordinates(axis, transformation)
    for x in coordinates {
      table.add(x, at: Int(nearest(x, mode, isShrinking: axis.scale < 1)), [1], axis, isDropping: false)
    }
    if transformation == .cropAndResize { table.findOutside(axis, coordinates) }
    return table
  }

  /// - Parameters:
  ///   - filter: the weight at a distance of input elements.
  ///   - radius: where the filter ends.
  ///   - isAntialiased: the filter is widened when the axis shrinks.
  static func filtered(
    _ axis: ResizeAxis, _ transformation: CoordinateTransformation, radius: Int, isAntialiased: Bool,
    excludesOutside: Bool, _ filter: (Double) -> Double
  ) -> ResizeTable {
    let scale = isAntialiased ? min(axis.scale, 1) : 1
    let first = Int((-Double(radius) / scale).rounded(.down)) + 1
    let count = 2 - 2 * first
    var table = ResizeTable(taps: count)
    table.indices.reserveCapacity(axis.output * count)
    table.weights.reserveCapacity(axis.output * count)
    let coordinates = coordinates(axis, transformation)
    for x in coordinates {
      let left = x.rounded(.up) - 1
      var weights = (0..<count).map { filter(scale * (Double(first + $0) - (x - left))) }
      if scale < 1 {
        let sum = weights.reduce(0, +)
        weights = weights.map { $0 / sum }
      }
      table.add(x, at: Int(left) + first, weights, axis, isDropping: excludesOutside)
    }
    if transformation == .cropAndResize { table.findOutside(axis, coordinates) }
    return table
  }

  /// The triangle of linear interpolation.
  static func triangle(_ distance: Double) -> Double { max(0, 1 - distance.magnitude) }

  /// Keys's cubic convolution with coefficient `a`.
  static func cubic(_ distance: Double, a: Double) -> Double {
    let x = distance.magnitude
    if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    if x < 2 { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
    return 0
  }
}
