import DLRTGraph

/// Numbers as text, as Cast writes and reads them.
enum NumberText {
  /// The shortest decimal that reads back as the same number, plain from 10⁻⁴ to 10¹⁶ and with an exponent beyond.
  static func write<T: BinaryFloatingPoint & LosslessStringConvertible>(_ value: T) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-INF" : "INF" }
    let text = value.description
    let parts = text.split(separator: "e")
    guard parts.count == 2, let exponent = Int(parts[1]), exponent > 0, exponent < 16 else { return text }
    var digits = parts[0].filter(\.isNumber)
    digits += String(repeating: "0", count: max(0, exponent + 1 - digits.count))
    let point = digits.index(digits.startIndex, offsetBy: exponent + 1)
    let fraction = digits[point...]
    return (value < 0 ? "-" : "") + digits[..<point] + "." + (fraction.isEmpty ? "0" : fraction)
  }

  /// One element of any number type or bool.
  static func write(_ element: UnsafeRawPointer, _ type: DataType) -> String {
    switch type {
    case .float32: write(element.loadUnaligned(as: Float.self))
    case .float64: write(element.loadUnaligned(as: Double.self))
    case .float16: write(element.loadUnaligned(as: Float16.self))
    case .bool: element.load(as: UInt8.self) != 0 ? "True" : "False"
    case .uint64: "\(element.loadUnaligned(as: UInt64.self))"
    case .int64: "\(element.loadUnaligned(as: Int64.self))"
    case _ where type.isFloat: write(Float(element: element, type))
    default: "\(Int64(element: element, type))"
    }
  }

  /// Reads one element of a number type or bool; false when the text is no number.
  ///
  /// Spaces around are allowed, as are the words for infinity and NaN. Text of a fraction read as an integer is
  /// rounded towards zero.
  static func read(
    _ text: String, _ type: DataType, _ target: UnsafeMutableRawPointer, _ rounding: FloatRounding
  ) -> Bool {
    let trimmed = text.drop(while: \.isWhitespace)
    let word = trimmed.prefix(trimmed.count - trimmed.reversed().prefix(while: \.isWhitespace).count)
    if type == .float32 {
      guard let value = Float(word) else { return false }
      target.storeBytes(of: value, as: Float.self)
    } else if !type.isFloat, let value = Int64(word) {
      withUnsafePointer(to: value) { ElementConverter(from: .int64, to: type)($0, target, 1) }
    } else if !type.isFloat, let value = UInt64(word) {
      withUnsafePointer(to: value) { ElementConverter(from: .uint64, to: type)($0, target, 1) }
    } else if type == .bool, let value = Bool(word.lowercased()) {
      target.storeBytes(of: value, as: Bool.self)
    } else {
      guard let value = Double(word) else { return false }
      withUnsafePointer(to: value) { ElementConverter(from: .float64, to: type, rounding)($0, target, 1) }
    }
    return true
  }
}
