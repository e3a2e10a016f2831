import Glibc

/// A JSON value to print.
indirect enum JSON {
  case null
  case bool(Bool)
  case int(Int)
  case unsigned(UInt64)
  case number(Double)
  case string(String)
  case array([JSON])
  /// Keys stay in this order.
  case object([(String, JSON)])

  /// Compact text on one line.
  var text: String {
    switch self {
    case .null: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .int(let value): return String(value)
    case .unsigned(let value): return String(value)
    // JSON has no names for these.
    case .number(let value): return value.isFinite ? String(value) : "null"
    case .string(let value): return Self.quoted(value)
    case .array(let values): return "[" + values.map(\.text).joined(separator: ", ") + "]"
    case .object(let members):
      return "{" + members.map { "\(Self.quoted($0.0)): \($0.1.text)" }.joined(separator: ", ") + "}"
    }
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      case _ where scalar.value < 0x20:
        let hex = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

extension Double {
  /// The number with a fixed count of decimals, for tables.
  func fixed(_ decimals: Int) -> String {
    guard isFinite, magnitude < 1e15 else { return String(self) }
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let scaled = (magnitude * scale).rounded()
    guard scaled < 9e15 else { return String(self) }
    let whole = Int(scaled)
    let sign = self < 0 && whole > 0 ? "-" : ""
    let divisor = Int(scale)
    if decimals == 0 { return "\(sign)\(whole)" }
    return "\(sign)\(whole / divisor)." + String(whole % divisor).zeroPadded(to: decimals)
  }
}

extension String {
  fileprivate func zeroPadded(to width: Int) -> String { String(repeating: "0", count: max(0, width - count)) + self }
}
