import CKernelSupport
import DLRTGraph
import DLRTKernels

/// ONNX AveragePool (1, 7, 10, 11, 19, 22): the mean over windows of `[N, C, spatial…]`; padding counts only with
/// count_include_pad. float16, bfloat16, float, double.
package struct AveragePool: Operator {
  package static let schema = OperatorSchema(
    "AveragePool", versions: [1, 7, 10, 11, 19, 22], inputs: [("X", "T")], outputs: [("Y", "T")],
    types: ["T": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let pool: PoolAttributes
  private let includesPadding: Bool

  package init(_ attributes: inout AttributeReader) throws {
    pool = try PoolAttributes(&attributes)
    includesPadding = try attributes.flag("count_include_pad")
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    inference.set(0, type, try pool.output(inference))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    return try planning.type(0).dispatch(
      Plan(
        geometry: try pool.geometry(shape), planes: shape.planes, kernels: planning.kernels,
        includesPadding: includesPadding))
  }

  private struct Plan: FloatTask {
    let geometry: ConvolutionGeometry
    let planes: Int
    let kernels: KernelSet
    let includesPadding: Bool

    func run<T: NumericElement & BinaryFloatingPoint>(_ type: T.Type) -> Step {
      let mean = MeanReduction<T>(geometry, includesPadding: includesPadding)
      return WindowPooling(mean, planes: planes, geometry, kernels).step
    }
  }
}

struct MeanReduction<T: NumericElement & BinaryFloatingPoint>: PoolReduction {
  /// Elements that count, for each row and for each column of a plane: their product is a window's.
  private let rowCounts: [T]
  private let columnCounts: [T]

  init(_ geometry: ConvolutionGeometry, includesPadding: Bool) {
    let counts = geometry.axes.map { axis in
      (0..<axis.output).map { T(axis.count($0, includingPadding: includesPadding)) }
    }
    rowCounts = counts.dropLast().reduce([1]) { outer, inner in outer.flatMap { a in inner.map { a * $0 } } }
    columnCounts = counts[counts.count - 1]
  }

  var initial: T { 0 }
  var function: dlk_binary? { DLK_BINARY_ADD }
  @inline(__always) func combine(_ result: T, _ element: T) -> T { result + element }

  func finish(_ row: UnsafeMutablePointer<T>, _ width: Int, _ index: Int) {
    let outer = rowCounts[index]
    columnCounts.withUnsafeBufferPointer { counts in
      for x in counts.indices {
        let count = outer * counts[x]
        // A window wholly within padding that does not count has no mean.
        row[x] = count == 0 ? 0 : row[x] / count
      }
    }
  }
}
