import DLRTGraph
import Glibc

/// What the window operators share: a sum of cosines, `a₀ − a₁ cos(2πi/n) + a₂ cos(4πi/n)`, where n is the size of a
/// periodic window and one less for a symmetric one.
struct CosineWindow: Sendable {
  static func schema(_ name: String) -> OperatorSchema {
    OperatorSchema(
      name, versions: [17], inputs: [("size", "T1")], outputs: [("output", "T2")], types: ["T1": .indices])
  }

  private let coefficients: (Double, Double, Double)
  private let type: DataType
  private let isPeriodic: Bool

  init(_ attributes: inout AttributeReader, _ coefficients: (Double, Double, Double)) throws {
    self.coefficients = coefficients
    type = try attributes.numericType("output_datatype")
    isPeriodic = try attributes.flag("periodic", default: true)
  }

  func infer(_ inference: inout Inference) throws {
    inference.setType(0, type)
    let size = try inference.dims(0)
    guard size.count == 1, size[0].value ?? 0 >= 0 else {
      throw DLRTError(.invalidModel, "not a size", tensor: "size", got: "\(size)")
    }
    inference.set(0, type, Shape(size))
  }

  func plan(_ planning: Planning) throws -> Step {
    let size = planning.output(0).count
    // A symmetric window of one element is its middle.
    let period = isPeriodic ? Double(size) : Double(size - 1)
    let (a0, a1, a2) = coefficients
    let store = try planning.outputType(0).dispatch(NumberStore())
    return Step(kernel: "window") { io in
      let y = io.output(0)
      for index in 0..<size {
        let angle = period > 0 ? 2 * Double.pi * Double(index) / period : Double.pi
        store(y, index, a2 * cos(2 * angle) - a1 * cos(angle) + a0)
      }
    }
  }
}

extension AttributeReader {
  /// The element type of generated numbers: a float or an integer of at least eight bits.
  mutating func numericType(_ name: String) throws -> DataType {
    let type = try optionalDataType(name) ?? .float32
    guard TypeSet.numeric.contains(type) else {
      throw DLRTError(
        .unsupportedModel, "element type is not supported", tensor: name, expected: "one of \(TypeSet.numeric)",
        got: type.name)
    }
    return type
  }
}
