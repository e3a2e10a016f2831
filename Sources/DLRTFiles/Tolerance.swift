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
  private enum Table {
    case missing
    case read(JSONDocument)
  }

  private var tables: [String: Table] = [:]

  package init() {}

  /// - Throws: `DLRTError` for a table that cannot be read.
  package mutating func tolerance(for folder: String) throws -> Tolerance {
    var result = Tolerance()
    // As the folder is called, which may be by a link; else where it is.
    var found = try entry(folder)
    if found == nil, let place = WholeFile.resolve(folder) { found = try entry(place) }
    guard let found else { return result }
    result.relative = found["rtol"]?.number ?? result.relative
    result.absolute = found["atol"]?.number ?? result.absolute
    return result
  }

  /// Two levels, as in `node/test_add` beside `cases.json`.
  private mutating func entry(_ folder: String) throws -> JSONValue? {
    let parts = folder.split(separator: "/").map(String.init)
    guard parts.count >= 2 else { return nil }
    let path = (folder.hasPrefix("/") ? "/" : "") + (parts.dropLast(2) + ["cases.json"]).joined(separator: "/")
    guard case .read(let document) = try table(path) else { return nil }
    return document.value[parts.suffix(2).joined(separator: "/")]
  }

  private mutating func table(_ path: String) throws -> Table {
    if let known = tables[path] { return known }
    let table = WholeFile.exists(path) ? Table.read(try JSONDocument(path: path)) : .missing
    tables[path] = table
    return table
  }
}
