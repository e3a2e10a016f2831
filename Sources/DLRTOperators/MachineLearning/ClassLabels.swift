import DLRTGraph
import Glibc

/// The labels that a classifier gives out: integers or strings.
struct ClassLabels: Sendable {
  /// How many labels the model names.
  let count: Int
  let type: DataType
  /// Index of the label for the two answers of a classifier with one score.
  let negative: Int
  let positive: Int
  private let tensor: Tensor

  /// Reads one of two attributes. A model that names fewer than two labels answers 0 and 1 where it has one score, and
  /// the class's index where it has several.
  ///
  /// - Parameter classes: how many classes can be answered at most.
  init(_ attributes: inout AttributeReader, integers: String, strings: String, classes: Int) throws {
    let numbers = try attributes.optionalInts(integers) ?? []
    let names = try attributes.optionalStrings(strings) ?? []
    guard numbers.isEmpty || names.isEmpty else {
      throw DLRTError(.invalidModel, "labels are given twice", tensor: "\(integers), \(strings)")
    }
    count = max(numbers.count, names.count)
    negative = count < 2 ? count : 0
    positive = negative + 1
    if names.isEmpty {
      let implied = count < 2 ? Array(0..<max(classes, 2)) : []
      type = .int64
      tensor = try Tensor(int64: numbers + implied)
    } else {
      type = .string
      let all = count < 2 ? names + ["0", "1"] : names
      tensor = try Tensor(all, shape: [all.count])
    }
  }

  /// Writes the label at an index of the model's list as element `row` of an output.
  @inline(__always)
  func write(_ index: Int, to target: UnsafeMutableRawPointer, row: Int) {
    let size = type.size
    memcpy(target + row &* size, tensor.pointer + index &* size, size)
  }
}

extension UnsafeMutablePointer<Double> {
  /// The first index of the greatest element.
  func indexOfGreatest(_ count: Int) -> Int {
    var best = 0
    for index in 1..<Swift.max(count, 1) where self[index] > self[best] { best = index }
    return best
  }
}
