import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

private func refusal(
  _ op: String, _ inputs: [Tensor?], _ attributes: [String: Attribute] = [:], constants: Set<Int> = []
) -> DLRTError.Code? {
  do {
    _ = try OperatorRun.tensors(op, inputs, attributes, constants: constants)
    return nil
  } catch { return (error as? DLRTError)?.code }
}

private func floats(_ values: [Float], _ shape: [Int]) throws -> Tensor { try Tensor(values, shape: shape) }

@Suite struct ResizeTests {
  private let nearest: [String: Attribute] = [
    "coordinate_transformation_mode": .string("asymmetric"), "nearest_mode": .string("floor"),
  ]

  @Test func nearestMovesAnyElement() throws {
    let sizes = try Tensor(int64: [1, 4])
    let strings = try Tensor(["a", "bc"], shape: [1, 2])
    #expect(try OperatorRun.tensor("Resize", [strings, nil, nil, sizes], nearest).strings() == ["a", "a", "bc", "bc"])
    let wide = try Tensor([Int64.max, Int64.min + 1], shape: [1, 2])
    #expect(
      try OperatorRun.tensor("Resize", [wide, nil, nil, sizes], nearest).array(of: Int64.self)
        == [Int64.max, .max, .min + 1, .min + 1])
    let complex = Tensor(.complex64, [1, 2], wide.storage)
    #expect(
      try OperatorRun.tensor("Resize", [complex, nil, nil, sizes], nearest).elements(Int64.self)
        == [Int64.max, .max, .min + 1, .min + 1])
  }

  @Test func integersRoundAndSaturate() throws {
    let x = try Tensor([0, 255, 0, 255] as [UInt8], shape: [4])
    let cubic = try OperatorRun.tensor("Resize", [x, nil, nil, Tensor(int64: [7])], ["mode": .string("cubic")])
    #expect(try cubic.array(of: UInt8.self).contains(0))
    let linear = try OperatorRun.tensor("Resize", [x, nil, nil, Tensor(int64: [8])], ["mode": .string("linear")])
    #expect(try linear.array(of: UInt8.self) == [0, 64, 191, 191, 64, 64, 191, 255])
  }

  @Test func aScaleOfOneThirdKeepsItsPixels() throws {
    // In float64, 2 / Float(2 / 3) is less than 3, and floor would take the pixel before.
    let x = try floats([0, 1, 2, 3, 4, 5], [6])
    let y = try OperatorRun.tensor("Resize", [x, nil, floats([2 / 3], [1])], nearest)
    #expect(y.elements(Float.self) == [0, 1, 3, 4])
  }

  @Test func aspectRatio() throws {
    let x = try Tensor(zeros: [4, 8], type: .float32)
    let sizes = try Tensor(int64: [6, 6])
    for (policy, shape) in [("not_larger", [3, 6]), ("not_smaller", [6, 12]), ("stretch", [6, 6])] {
      let y = try OperatorRun.tensor("Resize", [x, nil, nil, sizes], ["keep_aspect_ratio_policy": .string(policy)])
      #expect(y.shape == shape)
    }
  }

  @Test func emptyImages() throws {
    let x = try Tensor(zeros: [0, 2, 3], type: .float32)
    #expect(
      try OperatorRun.tensor("Resize", [x, nil, floats([1, 2, 2], [3])], ["mode": .string("linear")]).shape == [
        0, 4, 6,
      ])
    #expect(refusal("Resize", [x, nil, nil, try Tensor(int64: [1, 2, 3])]) == .invalidModel)
  }

  @Test func refusals() throws {
    let x = try Tensor(zeros: [2, 3], type: .float32)
    let scales = try floats([2, 2], [2])
    let sizes = try Tensor(int64: [4, 6])
    #expect(refusal("Resize", [x, nil, scales, sizes]) == .invalidModel)
    #expect(refusal("Resize", [x]) == .invalidModel)
    #expect(refusal("Resize", [x, nil, try floats([2], [1])]) == .invalidModel)
    for scale in [0, -1, .infinity, .nan] as [Float] {
      #expect(refusal("Resize", [x, nil, try floats([scale, 1], [2])]) == .invalidModel)
    }
    #expect(refusal("Resize", [x, nil, try floats([1e18, 1e18], [2])]) == .limitExceeded)
    #expect(refusal("Resize", [x, nil, nil, try Tensor(int64: [-1, 2])]) == .invalidModel)
    #expect(refusal("Resize", [x, nil, scales], ["axes": .ints([0, 0])]) == .invalidModel)
    #expect(refusal("Resize", [x, nil, scales], ["antialias": .int(1)]) == .invalidModel)
    let flags = try Tensor([true, false], shape: [1, 2])
    #expect(refusal("Resize", [flags, nil, scales], ["mode": .string("linear")]) == .unsupportedModel)
    let crop: [String: Attribute] = ["coordinate_transformation_mode": .string("tf_crop_and_resize")]
    #expect(refusal("Resize", [x, try floats([0, 1], [2]), scales], crop) == .invalidModel)
  }
}

@Suite struct SamplingTests {
  private func sample(_ x: Tensor, _ points: [Float], _ attributes: [String: Attribute]) throws -> Tensor {
    try OperatorRun.tensor("GridSample", [x, floats(points, [1, points.count / 2, 1, 2])], attributes)
  }

  @Test(arguments: ["linear", "nearest", "cubic"], ["zeros", "border", "reflection"])
  func strayCoordinates(_ mode: String, _ padding: String) throws {
    let x = try floats([1, 2, 3, 4], [1, 1, 2, 2])
    let points: [Float] = [.nan, 0, .infinity, 0, -.infinity, 1e30, 1e9, -1e9]
    let y = try sample(x, points, ["mode": .string(mode), "padding_mode": .string(padding)]).elements(Float.self)
    #expect(y.count == 4)
    if padding == "zeros" { #expect(y == [0, 0, 0, 0]) }
    if padding == "border" { #expect(y.allSatisfy { $0 >= 0.5 && $0 <= 4.5 }) }
  }

  @Test func integersAreTruncated() throws {
    let x = try Tensor([0, 7, 0, 7] as [Int32], shape: [1, 1, 2, 2])
    let y = try sample(x, [0.4, 0], ["align_corners": .int(1)])
    #expect(try y.array(of: Int32.self) == [4])
  }

  @Test func stringsOutsideAreEmpty() throws {
    let x = try Tensor(["a", "b"], shape: [1, 1, 1, 2])
    let y = try sample(x, [1, 0, 3, 0, -1, 0], ["mode": .string("nearest"), "align_corners": .int(1)])
    #expect(try y.strings() == ["b", "", "a"])
    #expect(refusal("GridSample", [x, try floats([0, 0], [1, 1, 1, 2])]) == .unsupportedModel)
  }

  @Test func shapes() throws {
    let x = try floats([1, 2, 3, 4], [1, 1, 2, 2])
    #expect(refusal("GridSample", [x, try floats([0, 0, 0], [1, 1, 1, 3])]) == .invalidModel)
    #expect(refusal("GridSample", [x, try Tensor(zeros: [2, 1, 1, 2], type: .float32)]) == .invalidModel)
    #expect(
      try OperatorRun.tensor("GridSample", [x, Tensor(zeros: [1, 0, 5, 2], type: .float32)]).shape == [1, 1, 0, 5])
  }

  @Test func affineGridOfOnePoint() throws {
    let theta = try floats([1, 0, 0.5, 0, 1, -0.5], [1, 2, 3])
    let size = try Tensor(int64: [1, 1, 1, 1])
    for aligns in [0, 1] {
      let grid = try OperatorRun.tensor("AffineGrid", [theta, size], ["align_corners": .int(aligns)])
      #expect(grid.elements(Float.self) == [0.5, -0.5])
    }
    #expect(refusal("AffineGrid", [theta, try Tensor(int64: [1, 1, 1])]) == .invalidModel)
    #expect(refusal("AffineGrid", [theta, try Tensor(int64: [1, 1, 2, 2, 2])]) == .invalidModel)
  }
}

@Suite struct RegionTests {
  private let image = 0..<16

  private func x() throws -> Tensor { try floats(image.map { Float($0) }, [1, 1, 4, 4]) }

  @Test(arguments: [1, -1, Int.max]) func regionsOfMissingImages(_ index: Int) throws {
    let rois = try floats([0, 0, 2, 2], [1, 4])
    #expect(refusal("RoiAlign", [try x(), rois, try Tensor(int64: [index])]) == .invalidInput)
    #expect(
      refusal(
        "MaxRoiPool", [try x(), try floats([Float(index), 0, 0, 2, 2], [1, 5])], ["pooled_shape": .ints([1, 1])])
        == .invalidInput)
  }

  @Test(arguments: [.nan, .infinity, 1e30] as [Float]) func regionsThatAreNone(_ corner: Float) throws {
    #expect(
      refusal("RoiAlign", [try x(), try floats([0, 0, corner, 2], [1, 4]), try Tensor(int64: [0])]) == .invalidInput)
    guard !corner.isFinite else { return }
    #expect(
      refusal("MaxRoiPool", [try x(), try floats([0, 0, 0, corner, 2], [1, 5])], ["pooled_shape": .ints([1, 1])])
        == .invalidInput)
  }

  @Test(arguments: [-.infinity, -1e30, -5] as [Float]) func regionsThatEndBeforeTheyStartAreZero(_ corner: Float) throws
  {
    let rois = try floats([0, 0, corner, 2], [1, 4])
    #expect(try OperatorRun.tensor("RoiAlign", [x(), rois, Tensor(int64: [0])]).elements(Float.self) == [0])
  }

  @Test func regionsBeyondTheImageAreZero() throws {
    let rois = try floats([100, 100, 104, 104], [1, 4])
    #expect(try OperatorRun.tensor("RoiAlign", [x(), rois, Tensor(int64: [0])]).elements(Float.self) == [0])
    let pooled = try OperatorRun.tensor(
      "MaxRoiPool", [x(), floats([0, -9, -9, 1e30, 1e30], [1, 5])], ["pooled_shape": .ints([1, 1])])
    #expect(pooled.elements(Float.self) == [15])
  }

  /// Against sampling one point after the other; the larger ratios give more samples than are found at a time.
  @Test(arguments: [("avg", 0), ("avg", 2), ("avg", 150), ("max", 0), ("max", 3), ("max", 150)])
  func regionsMatchNaive(_ mode: String, _ ratio: Int) throws {
    let (channels, height, width, bins) = (35, 7, 9, 3)
    let x = (0..<channels * height * width).map { (place: Int) -> Float in Float(place * 7919 % 101) / 50 - 1 }
    let corners: [Float] = [-3, 1, 6.5, 5.25, 2, -1, 14, 9, 4, 4, 4.5, 4.25]
    let y = try OperatorRun.tensor(
      "RoiAlign", [floats(x, [1, channels, height, width]), floats(corners, [3, 4]), Tensor(int64: [0, 0, 0])],
      [
        "mode": .string(mode), "sampling_ratio": .int(ratio), "output_height": .int(bins), "output_width": .int(bins),
      ]
    ).elements(Float.self)

    func axis(_ place: Float, _ size: Int) -> [(Int, Float)] {
      guard place >= -1, place <= Float(size) else { return [] }
      let inside: Float = max(place, 0)
      let low = Int(inside)
      if low >= size - 1 { return [(size - 1, 1), (size - 1, 0)] }
      let rest: Float = inside - Float(low)
      return [(low, 1 - rest), (low + 1, rest)]
    }
    for region in 0..<3 {
      let (left, top) = (corners[region * 4] - 0.5, corners[region * 4 + 1] - 0.5)
      let binWidth = (corners[region * 4 + 2] - 0.5 - left) / Float(bins)
      let binHeight = (corners[region * 4 + 3] - 0.5 - top) / Float(bins)
      let columns = ratio > 0 ? ratio : Int(binWidth.rounded(.up))
      let rows = ratio > 0 ? ratio : Int(binHeight.rounded(.up))
      for channel in 0..<channels {
        for bin in 0..<bins * bins {
          var (sum, greatest) = (0.0, -Float.infinity)
          for sample in 0..<rows * columns {
            let insideY: Float = (Float(sample / columns) + 0.5) * binHeight / Float(rows)
            let insideX: Float = (Float(sample % columns) + 0.5) * binWidth / Float(columns)
            let down = axis(top + Float(bin / bins) * binHeight + insideY, height)
            let across = axis(left + Float(bin % bins) * binWidth + insideX, width)
            if down.isEmpty || across.isEmpty { greatest = max(greatest, 0) }
            for (row, weight) in down {
              for (column, other) in across {
                let value = weight * other * x[(channel * height + row) * width + column]
                sum += Double(value)
                greatest = max(greatest, value)
              }
            }
          }
          let expected = mode == "avg" ? Float(sum / Double(rows * columns)) : greatest
          #expect(abs(y[(region * channels + channel) * bins * bins + bin] - expected) < 1e-4)
        }
      }
    }
  }

  @Test func noRegions() throws {
    let y = try OperatorRun.tensor(
      "RoiAlign", [x(), Tensor(zeros: [0, 4], type: .float32), Tensor(int64: [])], ["output_height": .int(2)])
    #expect(y.shape == [0, 1, 2, 1])
  }
}

@Suite struct SuppressionTests {
  private func run(
    boxes: [Float], scores: [Float], most: Int = 9, overlap: Float = 0.5, least: Float? = nil
  ) throws -> [Int]? {
    try OperatorRun.tensor(
      "NonMaxSuppression",
      [
        floats(boxes, [1, boxes.count / 4, 4]), floats(scores, [1, 1, scores.count]), Tensor(int64: [most]),
        floats([overlap], [1]), least.map { try floats([$0], [1]) },
      ]
    ).integers
  }

  private let three: [Float] = [0, 0, 1, 1, 0, 0, 1, 1, 5, 5, 6, 6]

  @Test(arguments: [1, 7, 8, 9, 100, 500], [10, 1000] as [Double]) func manyBoxes(_ count: Int, _ width: Double) throws
  {
    var numbers = RandomNumbers(seed: UInt64(count))
    let boxes = (0..<count).flatMap { index in
      let (y, x) = (Float(numbers.next() * 10), Float(numbers.next() * width))
      let wide: Float = index % 10 == 3 ? 20 : 1
      return [y, x, y + Float(numbers.next() * 3), x + wide * Float(numbers.next() * 3)]
    }
    let scores = try numbers.tensor([count]).array(of: Float.self)
    func area(_ y: Float, _ x: Float) -> Float { max(0, y) * max(0, x) }
    func overlap(_ a: Int, _ b: Int) -> Float {
      let (p, q) = (boxes[a * 4..<a * 4 + 4].map { $0 }, boxes[b * 4..<b * 4 + 4].map { $0 })
      func sides(_ box: [Float], _ axis: Int) -> (Float, Float) {
        (min(box[axis], box[axis + 2]), max(box[axis], box[axis + 2]))
      }
      let (y, x) = (0, 1)
      func shared(_ axis: Int) -> Float {
        min(sides(p, axis).1, sides(q, axis).1) - max(sides(p, axis).0, sides(q, axis).0)
      }
      func whole(_ box: [Float]) -> Float {
        area(sides(box, y).1 - sides(box, y).0, sides(box, x).1 - sides(box, x).0)
      }
      let common = area(shared(y), shared(x))
      return common == 0 ? 0 : common / (whole(p) + whole(q) - common)
    }
    var taken: [Int] = []
    for index in scores.indices.sorted(by: { scores[$0] > scores[$1] })
    where taken.allSatisfy({ overlap($0, index) <= 0.3 }) { taken.append(index) }
    #expect(try run(boxes: boxes, scores: scores, most: count, overlap: 0.3) == taken.flatMap { [0, 0, $0] })
  }

  @Test func manyClassesWithoutBoxes() throws {
    let boxes = try Tensor(zeros: [1 << 30, 0, 4], type: .float32)
    let scores = try Tensor(zeros: [1 << 30, 1 << 30, 0], type: .float32)
    let most = try Tensor(int64: [3])
    #expect(try OperatorRun.tensor("NonMaxSuppression", [boxes, scores, most]).shape == [0, 3])
  }

  @Test func scoresThatAreNoNumbersAreNeverTaken() throws {
    #expect(try run(boxes: three, scores: [.nan, 0.5, 0.9]) == [0, 0, 2, 0, 0, 1])
  }

  @Test func equalScoresGoInOrder() throws {
    #expect(try run(boxes: three, scores: [0.5, 0.5, 0.5]) == [0, 0, 0, 0, 0, 2])
  }

  @Test func boxesOutOfRange() throws {
    let (most, far) = (Float.greatestFiniteMagnitude, Float.infinity)
    var boxes: [Float] = [0, -far, 1, far, 0, .nan, 1, 2, 0, -most, 1, most, 0, 3, 1, 3]
    // The same box over and over, so that there are strips.
    for _ in 0..<100 { boxes += [0, 0, 1, 1] }
    let scores = (0..<104).map { 1 - Float($0) / 200 }
    #expect(try run(boxes: boxes, scores: scores, most: 104) == [0, 1, 2, 3, 4].flatMap { [0, 0, $0] })
  }

  @Test func limits() throws {
    #expect(try run(boxes: three, scores: [0.1, 0.2, 0.3], most: 1) == [0, 0, 2])
    #expect(try run(boxes: three, scores: [0.1, 0.2, 0.3], most: 0) == [])
    #expect(try run(boxes: three, scores: [0.1, 0.2, 0.3], most: -5) == [])
    #expect(try run(boxes: three, scores: [0.1, 0.2, 0.3], most: .max, overlap: 1, least: 0.15) == [0, 0, 2, 0, 0, 1])
    #expect(try run(boxes: [], scores: []) == [])
    for overlap in [-0.1, 1.1, .nan] as [Float] {
      #expect(throws: DLRTError.self) { try run(boxes: three, scores: [0.1, 0.2, 0.3], overlap: overlap) }
    }
  }

  @Test func shapes() throws {
    let scores = try Tensor(zeros: [1, 1, 2], type: .float32)
    #expect(refusal("NonMaxSuppression", [try Tensor(zeros: [1, 2, 3], type: .float32), scores]) == .invalidModel)
    #expect(refusal("NonMaxSuppression", [try Tensor(zeros: [1, 3, 4], type: .float32), scores]) == .invalidModel)
  }
}
