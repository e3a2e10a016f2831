import CFileFormats
import Testing

/// Parses the text and hands the root to `body`.
private func withJSON<R>(_ text: String, maxDepth: Int = 8, _ body: (OpaquePointer?) throws -> R) throws -> R {
  let bytes = Array(text.utf8)
  var root: OpaquePointer?
  try checked { dlf_json_parse(bytes, bytes.count, maxDepth, &root, $0) }
  defer { dlf_json_release(root) }
  return try body(root)
}

private func string(_ value: OpaquePointer?) -> String? {
  var length = 0
  guard let start = dlf_json_string(value, &length) else { return nil }
  let bytes = UnsafeRawBufferPointer(start: start, count: length)
  return String(decoding: bytes, as: UTF8.self)
}

@Suite struct JSONTests {
  @Test func scalars() throws {
    try withJSON("9223372036854775807") {
      #expect(dlf_json_get_kind($0) == DLF_JSON_INTEGER)
      #expect(dlf_json_integer($0) == .max)
    }
    try withJSON("-1.5e3") {
      #expect(dlf_json_get_kind($0) == DLF_JSON_REAL)
      #expect(dlf_json_real($0) == -1500)
    }
    try withJSON("3") { #expect(dlf_json_real($0) == 3) }
    try withJSON("true") { #expect(dlf_json_bool($0)) }
    try withJSON("null") { #expect(dlf_json_get_kind($0) == DLF_JSON_NULL) }
    try withJSON(#""zwölf\n""#) { #expect(string($0) == "zwölf\n") }
  }

  @Test func arraysAndObjects() throws {
    try withJSON(#"{"x": [1, [2, 3]], "names": {"b": "B", "a": "A"}}"#) { root in
      let x = dlf_json_member(root, "x")
      #expect(dlf_json_count(x) == 2)
      #expect(dlf_json_integer(dlf_json_element(dlf_json_element(x, 1), 1)) == 3)
      #expect(dlf_json_element(x, 2) == nil)
      #expect(dlf_json_member(root, "y") == nil)

      let names = dlf_json_member(root, "names")
      var entries: [String] = []
      var entry = dlf_json_next(names, nil)
      while let current = entry {
        let key = try #require(dlf_json_entry_key(current))
        entries.append(String(cString: key) + (string(dlf_json_entry_value(current)) ?? "?"))
        entry = dlf_json_next(names, current)
      }
      #expect(entries == ["bB", "aA"])
    }
  }

  @Test func wrongKindsGiveNothing() throws {
    try withJSON("[]") {
      #expect(string($0) == nil)
      #expect(dlf_json_real($0) == 0)
      #expect(dlf_json_member($0, "key") == nil)
      #expect(dlf_json_next($0, nil) == nil)
    }
    #expect(dlf_json_get_kind(nil) == DLF_JSON_NULL)
    #expect(dlf_json_count(nil) == 0)
  }

  @Test(arguments: [
    "", "{", "[1,]", "01", "nul", "1 2", "\"\u{1}\"", #"{"a":1,"a":2}"#, "1e999", "9223372036854775808",
  ])
  func malformedTextIsRefused(text: String) {
    #expect(throws: FormatFailure.of(DLF_MALFORMED)) { try withJSON(text) { _ in } }
  }

  @Test func depthIsBounded() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    try withJSON(nested(8)) { #expect(dlf_json_count($0) == 1) }
    for depth in [9, 1000, 100_000] {
      #expect(throws: FormatFailure.of(DLF_LIMIT)) { try withJSON(nested(depth)) { _ in } }
    }
  }
}
