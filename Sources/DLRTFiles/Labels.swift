import DLRT

/// Names of classes, from a file with one a line or from the model's metadata `dlrt.labels`.
package struct Labels {
  private let names: [String]

  package init(path: String) throws {
    // By bytes: "\r\n" is one character.
    let bytes = try WholeFile.read(path)
    // Editors of Windows begin a text with a mark of its encoding.
    let mark: [UInt8] = [0xef, 0xbb, 0xbf]
    let text = bytes.starts(with: mark) ? bytes.dropFirst(mark.count) : bytes[...]
    let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    let names = lines.map { line in
      String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
    }
    self.names = names.last?.isEmpty == true ? names.dropLast() : names
  }

  package init(_ metadata: Model.Metadata) {
    names = metadata.properties["dlrt.labels"].map { $0.split(separator: ",").map { String($0) } } ?? []
  }

  package var count: Int { names.count }
  package func name(_ index: Int) -> String? { names.indices.contains(index) ? names[index] : nil }
}

/// The elements of tensors as the numbers that the command shows.
package enum Elements {
  package static func integers(_ tensor: Tensor) -> [Int]? { tensor.integers }
  package static func doubles(_ tensor: Tensor) -> [Double] { (try? Comparison.doubles(tensor)) ?? [] }
}

/// The largest numbers of rows.
package enum Ranking {
  package struct Entry: Sendable {
    package let index: Int
    package let value: Double
  }

  /// NaN ranks last.
  package static func best(_ count: Int, of values: [Double], rowLength: Int) -> [[Entry]] {
    guard rowLength > 0 else { return [] }
    return stride(from: 0, to: values.count, by: rowLength).map { start in
      let row = values[start..<min(start + rowLength, values.count)]
      let sorted = row.enumerated().sorted { a, b in
        if a.element.isNaN || b.element.isNaN { return !a.element.isNaN && b.element.isNaN }
        return (a.element, -a.offset) > (b.element, -b.offset)
      }
      return sorted.prefix(count).map { Entry(index: $0.offset, value: $0.element) }
    }
  }
}
