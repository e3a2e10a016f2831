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
  /// So many elements, each made when it is written: of a large tensor.
  case list(Int, (Int) -> JSON)
  /// Keys stay in this order.
  case object([(String, JSON)])

  /// Compact text on one line.
  var text: String {
    var result = ""
    write { result += $0 }
    return result
  }

  /// Gives the text to `sink` part by part.
  func write(_ sink: (String) -> Void) {
    var part = ""
    append(to: &part, sink)
    sink(part)
  }

  private static let partSize = 1 << 16

  private func append(to part: inout String, _ sink: (String) -> Void) {
    switch self {
    case .null: part += "null"
    case .bool(let value): part += value ? "true" : "false"
    case .int(let value): part += String(value)
    case .unsigned(let value): part += String(value)
    // JSON has no names for these.
    case .number(let value): part += value.isFinite ? String(value) : "null"
    case .string(let value): part += Self.quoted(value)
    case .array(let values): JSON.list(values.count) { values[$0] }.append(to: &part, sink)
    case .list(let count, let element):
      part += "["
      for index in 0..<count {
        if index > 0 { part += ", " }
        element(index).append(to: &part, sink)
      }
      part += "]"
    case .object(let members):
      part += "{"
      for (index, member) in members.enumerated() {
        part += (index > 0 ? ", " : "") + Self.quoted(member.0) + ": "
        member.1.append(to: &part, sink)
      }
      part += "}"
    }
    if part.utf8.count >= Self.partSize {
      sink(part)
      part = ""
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
      case _ where scalar.isControl:
        let hex = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

extension Unicode.Scalar {
  /// Whether terminals take it, or what follows it, for a command; line feeds and tabs, too.
  var isControl: Bool { value < 0x20 || (0x7f...0x9f).contains(value) }
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
