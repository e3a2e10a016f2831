import CKernelSupport
import DLRTGraph
import DLRTKernels

/// ONNX MaxPool (1, 8, 10, 11, 12, 22): the greatest element of windows of `[N, C, spatial…]`, and where it lies in the
/// whole input (storage_order 1 counts the spatial axes in column-major order). NaN counts as greatest. A window wholly
/// within padding gives the type's least value and index -1. float16, bfloat16, float, double, int8, uint8.
package struct MaxPool: Operator {
  package static let schema = OperatorSchema(
    "MaxPool", versions: [1, 8, 10, 11, 12, 22], inputs: [("X", "T")], outputs: [("Y", "T"), ("Indices?", "I")],
    types: ["T": [.floats, TypeSet(.int8, .uint8)], "I": .int64])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let pool: PoolAttributes
  private let isColumnMajor: Bool

  package init(_ attributes: inout AttributeReader) throws {
    pool = try PoolAttributes(&attributes)
    let order = try attributes.int("storage_order", default: 0)
    guard order == 0 || order == 1 else {
      throw DLRTError(.invalidModel, "out of range", tensor: "storage_order", expected: "0 or 1", got: "\(order)")
    }
    isColumnMajor = order == 1
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    inference.setType(1, .int64)
    let shape = try pool.output(inference)
    inference.set(0, type, shape)
    inference.set(1, .int64, shape)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    return try planning.type(0).dispatchFloatsAndBytes(
      Plan(
        geometry: try pool.geometry(shape), planes: shape.planes, kernels: planning.kernels,
        wantsIndices: planning.wants(output: 1),
        wantsValues: planning.wants(output: 0), isColumnMajor: isColumnMajor))
  }

  private struct Plan: NumericTask {
    let geometry: ConvolutionGeometry
    let planes: Int
    let kernels: KernelSet
    let wantsIndices: Bool
    let wantsValues: Bool
    let isColumnMajor: Bool

    func run<T: NumericElement>(_ type: T.Type) -> Step {
      guard wantsIndices else { return WindowPooling(MaxReduction<T>(), planes: planes, geometry, kernels).step }
      let search = MaxSearch<T>(planes: planes, geometry, isColumnMajor: isColumnMajor)
      let bytes = planes &* geometry.outputSize &* MemoryLayout<T>.size
      return Step(kernel: "pool", workspace: wantsValues ? 0 : bytes) { io in
        let values = wantsValues ? io.output(0, as: T.self) : io.workspace.assumingMemoryBound(to: T.self)
        let input = io.input(0, as: T.self)
        let indices = io.output(1, as: Int64.self)
        io.parallel(search.chunks) { search.run($0, input, values, indices) }
      }
    }
  }
}

struct MaxReduction<T: NumericElement>: PoolReduction {
  var initial: T { T.lowest }
  var function: dlk_binary? { DLK_BINARY_MAX }
  @inline(__always) func combine(_ result: T, _ element: T) -> T {
    element > result || element.isNaN ? element : result
  }
}

/// A pool that also tells where each maximum lies.
private struct MaxSearch<T: NumericElement>: Sendable {
  let rows: WindowRows
  let inputSize: Int
  let spatial: [Int]
  let isColumnMajor: Bool
  let chunks: Chunks

  init(planes: Int, _ geometry: ConvolutionGeometry, isColumnMajor: Bool) {
    rows = WindowRows(geometry)
    inputSize = geometry.inputSize
    spatial = geometry.input
    self.isColumnMajor = isColumnMajor && geometry.axes.count > 1
    chunks = Chunks(planes &* rows.count, cost: Double(rows.width) * Double(geometry.kernelSize))
  }

  func run(
    _ range: Range<Int>, _ input: UnsafePointer<T>, _ values: UnsafeMutablePointer<T>,
    _ indices: UnsafeMutablePointer<Int64>
  ) {
    for index in range {
      let plane = (index / rows.count) &* inputSize
      let source = input + plane
      let best = values + index &* rows.width
      let place = indices + index &* rows.width
      best.update(repeating: T.lowest, count: rows.width)
      place.update(repeating: -1, count: rows.width)
      rows.forEachTap(of: index % rows.count) { start, _, column in
        for x in column.lower..<column.upper {
          let position = start &+ x &* rows.stride
          let element = source[position]
          // The first maximum wins, and of NaNs the first too.
          if element > best[x] || place[x] < 0 || (element.isNaN && !best[x].isNaN) {
            best[x] = element
            place[x] = Int64(position)
          }
        }
      }
      for x in 0..<rows.width where place[x] >= 0 {
        place[x] = Int64(plane) &+ (isColumnMajor ? columnMajor(Int(place[x])) : place[x])
      }
    }
  }

  private func columnMajor(_ position: Int) -> Int64 {
    var rest = position
    var result = 0
    for size in spatial.reversed() {
      result = result &* size &+ rest % size
      rest /= size
    }
    return Int64(result)
  }
}
