import DLRTGraph
import Glibc

extension Inference {
  /// The type of the elements of an input that is a sequence.
  func elementType(_ index: Int) throws -> ValueType {
    let type = try fact(index).type
    guard case .sequence(let element) = type else {
      throw DLRTError(.invalidModel, "not a sequence", tensor: name(index), expected: "a sequence", got: "\(type)")
    }
    return element
  }

  /// Checks an input that holds one position, if it is there.
  func checkPosition(_ index: Int) throws {
    guard has(index), let count = try fact(index).shape?.elementCount else { return }
    guard !count.provablyDiffers(1) else {
      throw DLRTError(
        .invalidModel, "not a single number", tensor: name(index), expected: "1 element", got: "\(count)")
    }
  }
}

extension StepIO {
  /// The elements of an input that is a sequence.
  func elements(_ input: Int) throws -> [Value] {
    let value = try value(input)
    guard case .sequence(let elements, _) = value else {
      throw DLRTError(.invalidInput, "not a sequence", tensor: "input \(input)", got: "\(value.type)")
    }
    return elements
  }

  /// An input as a value that may outlive the step.
  func ownedValue(_ input: Int) throws -> Value {
    let value = try value(input)
    guard let tensor = value.tensor else { return value }
    return .tensor(try tensor.copied())
  }

  /// Reads a position counted from either end of `count` elements, `past` of which may lie behind the last one.
  func position(_ input: Int, _ type: DataType, count: Int, past: Int = 0) throws(DLRTError) -> Int {
    let raw =
      type == .int64 ? Int(self.input(input, as: Int64.self)[0]) : Int(self.input(input, as: Int32.self)[0])
    guard raw >= -count, raw < count + past else {
      throw DLRTError(
        .invalidInput, "position out of range", tensor: "position", expected: "-\(count)..<\(count + past)",
        got: "\(raw)")
    }
    return raw < 0 ? raw + count : raw
  }
}
