import DLRTGraph
import Glibc

/// ai.onnx.ml OneHotEncoder (1): a new last axis with a one at the place of the element's category.
///
/// `X`: any shape, of string, int64, int32, float or double (numbers are cut to integers); `Y`: `[…, categories]` of
/// float.
///
/// - Throws: `invalidInput` for an element of no category, unless the model allows them (`zeros`).
package struct OneHotEncoder: Operator {
  package static let schema = OperatorSchema(
    "OneHotEncoder", domain: OperatorName.machineLearningDomain, versions: [1], inputs: [("X", "T")],
    outputs: [("Y", "tensor(float)")], types: ["T": [Features.types, .string]])

  private let table: ElementTable
  private let categories: Int
  private let allowsOthers: Bool

  package init(_ attributes: inout AttributeReader) throws {
    let numbers = try attributes.optionalInts("cats_int64s") ?? []
    let names = try attributes.optionalStrings("cats_strings") ?? []
    guard numbers.isEmpty != names.isEmpty else {
      throw DLRTError(.invalidModel, "one list of categories is needed", tensor: "cats_int64s, cats_strings")
    }
    categories = max(numbers.count, names.count)
    table = try ElementTable(
      names.isEmpty ? try Tensor(int64: numbers) : try Tensor(names, shape: [names.count]))
    allowsOthers = try attributes.flag("zeros", default: true)
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, .float32)
    let type = try inference.type(0)
    guard (type == .string) == (table.type == .string) else {
      throw DLRTError(
        .invalidModel, "the model has categories of another type", tensor: inference.name(0),
        expected: table.type.name, got: type.name)
    }
    inference.set(0, .float32, Shape(try inference.shape(0).dims + [.known(categories)]))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let count = planning.input(0).count
    let type = planning.type(0)
    return Step(kernel: "lookup") { io in
      let target = io.output(0, as: Float.self)
      memset(target, 0, count &* categories &* MemoryLayout<Float>.stride)
      func mark(_ place: Int, _ found: Int?) throws {
        if let found {
          target[place &* categories &+ found] = 1
        } else if !allowsOthers {
          throw DLRTError(.invalidInput, "an element belongs to no category", tensor: "X", got: "element \(place)")
        }
      }
      let source = io.input(0)
      switch type {
      case .float32: try markNumbers(source.assumingMemoryBound(to: Float.self), count, mark)
      case .float64: try markNumbers(source.assumingMemoryBound(to: Double.self), count, mark)
      case .int32: try markNumbers(source.assumingMemoryBound(to: Int32.self), count, mark)
      default: try table.find(source, count, mark)
      }
    }
  }

  @inline(__always)
  private func markNumbers<T: NumericElement>(
    _ source: UnsafePointer<T>, _ count: Int, _ mark: (Int, Int?) throws -> Void
  ) throws {
    for place in 0..<count {
      let number = Int64(exactly: source[place].double.rounded(.towardZero))
      try mark(place, number.flatMap { table.index(of: $0) })
    }
  }
}
