import DLRTGraph
import Glibc

/// com.microsoft CropAndResize (1): for each region, [y1, x1, y2, x2] in parts of the image's height and width, that region of
/// image `batch_indices` of X [N, C, H, W], resized to `crop_size`. Places outside the image get `extrapolation_value`.
package struct CropAndResize: Operator {
  package static let schema = OperatorSchema.microsoft(
    "CropAndResize", [("X", "T1"), ("rois", "T1"), ("batch_indices", "T2"), ("crop_size", "T2")], [("Y", "T1")],
    ["T1": [.float32, .halfFloats], "T2": .int32])
  package static let promotedTypes = TypeSet.halfFloats

  private enum Mode: String, CaseIterable { case bilinear, nearest }

  private let isNearest: Bool
  private let outside: Float

  package init(_ attributes: inout AttributeReader) throws {
    isNearest = try attributes.choice("mode", default: Mode.bilinear) == .nearest
    outside = try attributes.float("extrapolation_value", default: 0)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let x = try inference.shape(0, rank: 4)
    let rois = try inference.shape(1, rank: 2)
    try inference.requireEqual(rois[1], 4, "the number of coordinates", of: 1)
    try inference.requireEqual(try inference.shape(2, rank: 1)[0], rois[0], "the number of regions", of: 2)
    let size = try inference.integers(3)
    guard size.count == 2, size.allSatisfy({ $0 > 0 }) else {
      throw DLRTError(.invalidModel, "not a height and a width", tensor: "crop_size", got: "\(size)")
    }
    inference.set(0, type, [rois[0], x[1], .known(size[0]), .known(size[1])])
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let crop = Cropping(
      image: planning.shape(0), output: planning.output(0).shape, isNearest: isNearest, outside: outside)
    return Step(kernel: "crop") { try crop.run($0) }
  }
}

private struct Cropping: Sendable {
  let image: [Int]
  let output: [Int]
  let isNearest: Bool
  let outside: Float

  func run(_ io: borrowing StepIO) throws {
    let batches = io.input(2, as: Int32.self)
    for region in 0..<output[0] where batches[region] < 0 || Int(batches[region]) >= image[0] {
      throw DLRTError(
        .invalidInput, "index out of range", tensor: "batch_indices", expected: "0..<\(image[0])",
        got: "\(batches[region])")
    }
    let (rows, columns) = (output[2], output[3])
    guard image[2] > 0, image[3] > 0 else {
      return io.output(0, as: Float.self).update(repeating: outside, count: output.product)
    }
    io.parallel(Chunks(output[0] &* output[1], cost: Double(rows &* columns) * 4)) { range in
      for plane in range {
        let region = plane / output[1]
        let channel = plane &- region &* output[1]
        let source =
          io.input(0, as: Float.self)
          + (Int(batches[region]) &* image[1] &+ channel) &* image[2] &* image[3]
        crop(
          source, io.input(1, as: Float.self) + 4 &* region,
          io.output(0, as: Float.self) + plane &* rows &* columns)
      }
    }
  }

  /// Where output position `index` of `count` falls between two edges of an axis; nil outside.
  private func place(_ index: Int, _ count: Int, _ low: Float, _ high: Float, _ size: Int) -> Float? {
    let last = Float(size &- 1)
    let place =
      count > 1
      ? low * last + Float(index) * ((high - low) * last / Float(count &- 1)) : 0.5 * (low + high) * last
    return place >= 0 && place <= last ? place : nil
  }

  /// A float32 near the end of a long axis may have been rounded beyond it.
  private func index(_ place: Float, _ size: Int) -> Int { min(Int(place), size &- 1) }

  private func crop(_ x: UnsafePointer<Float>, _ roi: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
    let (rows, columns, width) = (output[2], output[3], image[3])
    for row in 0..<rows {
      let vertical = place(row, rows, roi[0], roi[2], image[2])
      for column in 0..<columns {
        let target = y + (row &* columns &+ column)
        guard let vertical, let horizontal = place(column, columns, roi[1], roi[3], width) else {
          target.pointee = outside
          continue
        }
        if isNearest {
          target.pointee = x[index(roundf(vertical), image[2]) &* width &+ index(roundf(horizontal), width)]
          continue
        }
        let (top, left) = (index(vertical, image[2]), index(horizontal, width))
        let (bottom, right) = (min(top &+ 1, image[2] &- 1), min(left &+ 1, width &- 1))
        let (down, across) = (vertical - Float(top), horizontal - Float(left))
        let above = x[top &* width &+ left] + (x[top &* width &+ right] - x[top &* width &+ left]) * across
        let below = x[bottom &* width &+ left] + (x[bottom &* width &+ right] - x[bottom &* width &+ left]) * across
        target.pointee = above + (below - above) * down
      }
    }
  }
}
