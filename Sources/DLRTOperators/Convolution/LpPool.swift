import CKernelSupport
import DLRTGraph
import DLRTKernels
import Glibc

/// ONNX LpPool (1, 2, 11, 18, 22): (Σ |x|ᵖ)^(1/p) over windows of `[N, C, spatial…]`. float16, bfloat16, float, double.
package struct LpPool: Operator {
  package static let schema = OperatorSchema(
    "LpPool", versions: [1, 2, 11, 18, 22], inputs: [("X", "T")], outputs: [("Y", "T")], types: ["T": .floats])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let pool: PoolAttributes
  private let p: Int

  package static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    try LpNorm.modernize(&node)
  }

  package init(_ attributes: inout AttributeReader) throws {
    pool = try PoolAttributes(&attributes)
    p = try LpNorm.exponent(&attributes)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    inference.set(0, type, try pool.output(inference))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    return try planning.type(0).dispatch(
      Plan(geometry: try pool.geometry(shape), planes: shape.planes, kernels: planning.kernels, p: p))
  }

  private struct Plan: FloatTask {
    let geometry: ConvolutionGeometry
    let planes: Int
    let kernels: KernelSet
    let p: Int

    func run<T: NumericElement & BinaryFloatingPoint>(_ type: T.Type) -> Step {
      switch p {
      case 1: WindowPooling(AbsoluteSum<T>(), planes: planes, geometry, kernels).step
      case 2: WindowPooling(SquareSum<T>(), planes: planes, geometry, kernels).step
      default: WindowPooling(PowerSum<T>(p: Double(p)), planes: planes, geometry, kernels).step
      }
    }
  }
}

/// What LpPool and GlobalLpPool share.
enum LpNorm {
  /// Version 1 had a float exponent.
  static func modernize(_ node: inout Node) throws(DLRTError) {
    guard case .float(let p) = node.attributes["p"] else { return }
    guard let whole = Int(exactly: p) else {
      throw DLRTError(.unsupportedModel, "the exponent is not a whole number", tensor: "p", got: "\(p)")
    }
    node.attributes["p"] = .int(whole)
  }

  static func exponent(_ attributes: inout AttributeReader) throws(DLRTError) -> Int {
    let p = try attributes.int("p", default: 2)
    guard p >= 1 else { throw DLRTError(.invalidModel, "out of range", tensor: "p", expected: "≥ 1", got: "\(p)") }
    return p
  }
}

struct AbsoluteSum<T: NumericElement & BinaryFloatingPoint>: PoolReduction {
  var initial: T { 0 }
  @inline(__always) func combine(_ result: T, _ element: T) -> T { result + element.magnitude }
  @inline(__always) func join(_ a: T, _ b: T) -> T { a + b }
}

struct SquareSum<T: NumericElement & BinaryFloatingPoint>: PoolReduction {
  var initial: T { 0 }
  @inline(__always) func combine(_ result: T, _ element: T) -> T { result + element * element }
  @inline(__always) func join(_ a: T, _ b: T) -> T { a + b }
  func finish(_ row: UnsafeMutablePointer<T>, _ width: Int, _ index: Int) {
    for x in 0..<width { row[x] = row[x].squareRoot() }
  }
}

struct PowerSum<T: NumericElement & BinaryFloatingPoint>: PoolReduction {
  let p: Double
  var initial: T { 0 }
  @inline(__always) func combine(_ result: T, _ element: T) -> T { result + T(pow(Double(element.magnitude), p)) }
  @inline(__always) func join(_ a: T, _ b: T) -> T { a + b }
  func finish(_ row: UnsafeMutablePointer<T>, _ width: Int, _ index: Int) {
    for x in 0..<width { row[x] = T(pow(Double(row[x]), 1 / p)) }
  }
}
