import DLRT

/// How far a float may lie from what is expected: `absolute + relative * |expected|`.
package struct Tolerance: Sendable {
  package var relative: Double
  package var absolute: Double

  package init(relative: Double = 1e-3, absolute: Double = 1e-5) {
    self.relative = relative
    self.absolute = absolute
  }

  /// ONNX's own test runner allows bfloat16 two units in the last place.
  func widened(for type: DataType) -> Tolerance {
    type == .bfloat16 ? Tolerance(relative: max(relative, 0x1p-6), absolute: absolute) : self
  }
}

/// The tolerances of test folders: a `cases.json` in a parent folder lists them by path.
package struct ToleranceTable {
  private var tables: [String: JSONDocument?] = [:]

  package init() {}

  package mutating func tolerance(for folder: String) -> Tolerance {
    let parts = folder.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
    let root = folder.hasPrefix("/") ? "/" : ""
    var result = Tolerance()
    // Two levels, as in `node/test_add` beside `cases.json`.
    guard parts.count >= 3 || parts.count == 2 else { return result }
    let base = root + parts.dropLast(2).joined(separator: "/")
    let path = base.isEmpty ? "cases.json" : base + "/cases.json"
    if tables[path] == nil { tables[path] = .some(try? JSONDocument(path: path)) }
    guard let document = tables[path] ?? nil, let entry = document.value[parts.suffix(2).joined(separator: "/")] else {
      return result
    }
    result.relative = entry["rtol"]?.number ?? result.relative
    result.absolute = entry["atol"]?.number ?? result.absolute
    return result
  }
}
