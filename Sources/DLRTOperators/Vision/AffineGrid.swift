import DLRTGraph

/// ONNX AffineGrid (20): grid[N, (D,) H, W, axes] of the places to which theta[N, axes, axes + 1] takes the points of an
/// image of `size` (N, C, (D,) H, W) whose coordinates run from -1 to 1. float16, bfloat16, float, double.
package struct AffineGrid: Operator {
  package static let schema = OperatorSchema(
    "AffineGrid", versions: [20], inputs: [("theta", "T1"), ("size", "T2")], outputs: [("grid", "T1")],
    types: ["T1": .floats, "T2": .int64])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let alignsCorners: Bool

  package init(_ attributes: inout AttributeReader) throws {
    alignsCorners = try attributes.flag("align_corners")
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let theta = try inference.shape(0, rank: 3)
    let size = try inference.dims(1)
    let axes = size.count - 2
    guard axes == 2 || axes == 3, size.allSatisfy({ ($0.value ?? 0) >= 0 }) else {
      throw DLRTError(
        .invalidModel, "no image size", tensor: inference.name(1), expected: "4 or 5 sizes", got: "\(size)")
    }
    guard !theta[0].provablyDiffers(size[0]), !theta[1].provablyDiffers(.known(axes)),
      !theta[2].provablyDiffers(.known(axes + 1))
    else {
      throw DLRTError(
        .invalidModel, "wrong shape", tensor: inference.name(0), expected: "[\(size[0]), \(axes), \(axes + 1)]",
        got: "\(theta)")
    }
    inference.set(0, type, Shape([theta[0]] + size.dropFirst(2) + [.known(axes)]))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    var step = try planning.type(0).dispatch(
      Plan(shape: planning.output(0).shape, alignsCorners: alignsCorners))
    step.skippedInputs = [1]
    return step
  }

  private struct Plan: FloatTask {
    let shape: [Int]
    let alignsCorners: Bool

    func run<T: RealElement>(_ type: T.Type) -> Step {
      let axes = shape.count - 2
      let spatial = Array(shape[1...axes])
      // Of every axis, innermost first, the coordinate of each index.
      let coordinates = spatial.reversed().map { size in
        (0..<size).map { index in
          alignsCorners
            ? (size > 1 ? 2 * T(index) / T(size - 1) - 1 : 0) : (2 * T(index) + 1) / T(size) - 1
        }
      }
      let points = spatial.product
      let chunks = Chunks(shape[0] &* points, cost: Double(axes * axes) * 3)
      return Step(kernel: "affine-grid") { io in
        let (theta, grid) = (io.input(0, as: T.self), io.output(0, as: T.self))
        io.parallel(chunks) { range in
          if axes == 2 {
            coordinates[0].withUnsafeBufferPointer { columns in
              coordinates[1].withUnsafeBufferPointer { rows in
                Self.fill(range, points, theta, columns, rows, grid)
              }
            }
            return
          }
          for point in range {
            let matrix = theta + point / points &* axes &* (axes &+ 1)
            let target = grid + point &* axes
            for row in 0..<axes { target[row] = matrix[row &* (axes &+ 1) &+ axes] }
            var rest = point % points
            for axis in 0..<axes {
              let line = coordinates[axis]
              let value = line[rest % line.count]
              rest /= line.count
              for row in 0..<axes { target[row] += matrix[row &* (axes &+ 1) &+ axis] * value }
            }
          }
        }
      }
    }

    /// Points of planes.
    @inline(never)
    private static func fill<T: RealElement>(
      _ range: Range<Int>, _ points: Int, _ theta: UnsafePointer<T>, _ columns: UnsafeBufferPointer<T>,
      _ rows: UnsafeBufferPointer<T>, _ grid: UnsafeMutablePointer<T>
    ) {
      var point = range.lowerBound
      while point < range.upperBound {
        let m = theta + point / points &* 6
        let (row, first) = (point % points / columns.count, point % columns.count)
        let count = min(columns.count &- first, range.upperBound &- point)
        let (x, y) = (m[2] + m[1] * rows[row], m[5] + m[4] * rows[row])
        let target = grid + 2 &* point
        for index in 0..<count {
          target[2 &* index] = x + m[0] * columns[first &+ index]
          target[2 &* index &+ 1] = y + m[3] * columns[first &+ index]
        }
        point = point &+ count
      }
    }
  }
}
