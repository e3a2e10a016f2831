/// Text in columns.
struct Table {
  private var rows: [[String]]
  private let rightAligned: Set<Int>
  /// Longer cells, such as exporters' node names, are cut in the middle.
  private static let widest = 48

  init(_ titles: [String], rightAligned: Set<Int> = []) {
    rows = [titles]
    self.rightAligned = rightAligned
  }

  mutating func add(_ row: [String]) { rows.append(row.map(Self.cut)) }

  private static func cut(_ text: String) -> String {
    let text = text.harmless()
    guard text.count > widest else { return text }
    return "\(text.prefix(widest / 2 - 1))…\(text.suffix(widest / 2))"
  }

  var text: String {
    let columns = rows[0].count
    let widths = (0..<columns).map { column in rows.reduce(0) { max($0, column < $1.count ? $1[column].count : 0) } }
    return rows.map { row in
      let cells = row.enumerated().map { column, cell in
        if rightAligned.contains(column) { return cell.leftPadded(to: widths[column]) }
        return column == columns - 1 ? cell : cell.padded(to: widths[column])
      }
      return cells.joined(separator: "  ")
    }.joined(separator: "\n")
  }
}

/// Numbers for people.
enum Quantity {
  static func bytes(_ count: Int) -> String {
    let units = ["B", "KB", "MB", "GB", "TB"]
    var value = Double(count)
    var unit = 0
    while value >= 1024 && unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    return unit == 0 ? "\(count) B" : "\(value.fixed(1)) \(units[unit])"
  }

  static func count(_ count: Int) -> String {
    let units: [(Double, String)] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")]
    for (scale, name) in units where Double(count) >= scale {
      return "\((Double(count) / scale).fixed(2)) \(name)"
    }
    return "\(count)"
  }
}
