import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

@Suite struct RegexTests {
  private func matches(_ pattern: String, _ texts: [String]) throws -> [Bool] {
    let input = try Tensor(texts, shape: [texts.count])
    return try OperatorRun.tensor("RegexFullMatch", [input], ["pattern": .string(pattern)]).array()
  }

  @Test(arguments: [
    (#"a*b+c?"#, ["bb", "aabc", "ac", "aabcc"], [true, true, false, false]),
    (#"(?:ab|a)(?:c|bcd)"#, ["abcd", "abc", "ac", "acd"], [true, true, true, false]),
    (#"[^a-c\d-]+"#, ["xyz", "x1", "x-", ""], [true, false, false, false]),
    (#"[]a]+"#, ["]a]", "b"], [true, false]),
    (#"x{2,3}y{2}z{0,}"#, ["xxyy", "xxxyyzz", "xyy", "xxxxyy"], [true, true, false, false]),
    (#"a{,2}"#, ["a{,2}", "aa"], [true, false]),
    (#"(?i)straße K"#, ["STRAßE k", "straSSe k"], [true, false]),
    (#"(?i:a)b"#, ["Ab", "AB"], [true, false]),
    (#"."#, ["é", "日", "\n", "ab"], [true, true, false, false]),
    (#"(?s)."#, ["\n"], [true]),
    (#"\p{Lu}\pN\P{L}"#, ["É4-", "é4-", "A11"], [true, false, true]),
    (#"[[:alpha:]]+[[:^digit:]]"#, ["ab-", "ab1"], [true, false]),
    (#"\bfoo\b.*\Bar"#, ["foo bar", "foo ar", "foobar"], [true, false, false]),
    (#"(?m)^a$\n^b$"#, ["a\nb", "a b"], [true, false]),
    (#"\x41\x{1F600}\101\t"#, ["A😀A\t"], [true]),
    (#"\Qa.b\E+"#, ["a.bb", "a.b", "axb"], [true, true, false]),
    (#"(?P<name>a)(?<other>b)"#, ["ab"], [true]),
    (#"|a"#, ["", "a", "b"], [true, true, false]),
    (#"(a*)*"#, ["aaaa", "", "b"], [true, true, false]),
    (#""#, ["", "a"], [true, false]),
  ])
  func syntax(_ pattern: String, _ texts: [String], _ expected: [Bool]) throws {
    #expect(try matches(pattern, texts) == expected)
  }

  @Test(arguments: [
    "(", ")", "a**", "*a", "[a", "[b-a]", #"\1"#, "(?=a)", "(?<!a)", "a{2}{3}", "a{1001}", #"\y"#, #"\x{110000}"#,
    #"\"#,
    "(?z)", "(?P<a", #"\p{Greek}"#, "((a{1000}){1000}){1000}", String(repeating: "(", count: 5000),
  ])
  func whatIsRefused(_ pattern: String) {
    let error = #expect(throws: DLRTError.self) { try matches(pattern, [""]) }
    #expect(error?.operatorName == "RegexFullMatch")
  }

  /// Backtracking matchers need longer than the universe has for these.
  @Test(arguments: [
    "(a*)*b", "(a|a)*b", "(a?){200}a{200}", "(.*)(.*)(.*)(.*)(.*)x",
    "((((((){1000}){1000}){1000}){1000}){1000}){1000}b",
  ])
  func timeIsLinear(_ pattern: String) throws {
    #expect(try matches(pattern, [String(repeating: "a", count: 3000)]) == [false])
  }

  @Test func bytesThatAreNotText() throws {
    let input = try Tensor(byteStrings: [[0xff], [0xc3, 0xa9], [0xc3]], shape: [3])
    let result = try OperatorRun.tensor("RegexFullMatch", [input], ["pattern": .string(".")])
    #expect(try result.array(of: Bool.self) == [true, true, true])
  }
}

@Suite struct StringTests {
  @Test(
    arguments: [
      (nil, nil, "  a b\t\u{3000}c  ", ["a", "b", "c"]), (nil, 1, " a b  c ", ["a", "b  c"]),
      (",", nil, ",a,,", ["", "a", "", ""]), (",", 0, "a,b", ["a,b"]), ("ab", 1, "ababab", ["", "abab"]),
      (",", nil, "", [""]),
    ] as [(String?, Int?, String, [String])])
  func split(_ delimiter: String?, _ most: Int?, _ text: String, _ expected: [String]) throws {
    var attributes: [String: Attribute] = [:]
    attributes["delimiter"] = delimiter.map(Attribute.string)
    attributes["maxsplit"] = most.map(Attribute.int)
    let result = try OperatorRun.tensors("StringSplit", [try Tensor([text], shape: [])], attributes, outputs: 2)
    #expect(try result[0].strings() == expected)
    #expect(result[1].integers == [expected.count])
  }

  @Test func splitWithoutParts() throws {
    let result = try OperatorRun.tensors("StringSplit", [try Tensor([" ", ""], shape: [2])], outputs: 2)
    #expect(result.map(\.shape) == [[2, 0], [2]])
  }

  @Test func concatenationBroadcasts() throws {
    let result = try OperatorRun.tensor(
      "StringConcat", [Tensor(["a", ""], shape: [2, 1]), Tensor(["x", "", "é"], shape: [3])])
    #expect(try result.strings() == ["ax", "a", "aé", "x", "", "é"])
  }

  @Test func normalizerDropsAndChanges() throws {
    let words = try Tensor(["Mon", "TUE", "straße"], shape: [1, 3])
    let result = try OperatorRun.tensor(
      "StringNormalizer", [words], ["stopwords": .strings(["tue"]), "case_change_action": .string("UPPER")])
    #expect(result.shape == [1, 2])
    #expect(try result.strings() == ["MON", "STRASSE"])
    let none = try OperatorRun.tensor("StringNormalizer", [words], ["stopwords": .strings(["mon", "tue", "STRAßE"])])
    #expect(none.shape == [1, 1])
    #expect(throws: DLRTError.self) {
      try OperatorRun.tensor("StringNormalizer", [Tensor(["a", "b"], shape: [2, 1])])
    }
  }

  @Test func nGramsOfWords() throws {
    let attributes: [String: Attribute] = [
      "mode": .string("TFIDF"), "min_gram_length": .int(1), "max_gram_length": .int(2), "max_skip_count": .int(1),
      "ngram_counts": .ints([0, 2]), "ngram_indexes": .ints([2, 0, 1]), "weights": .floats([1, 10, 0.5]),
      "pool_strings": .strings(["a", "b", "a", "b"]),
    ]
    let rows = try Tensor(["a", "c", "b", "b", "b", "b"], shape: [2, 3])
    let result = try OperatorRun.tensor("TfIdfVectorizer", [rows], attributes)
    #expect(try result.array(of: Float.self) == [10, 0.5, 1, 30, 0, 0])
    #expect(throws: DLRTError.self) { try OperatorRun.tensor("TfIdfVectorizer", [Tensor(int64: [1])], attributes) }
    for (name, value) in [
      ("ngram_counts", Attribute.ints([0, 9])), ("weights", .floats([1, 2])),
      ("ngram_indexes", .ints([2, 0, 1 << 62])),
    ] {
      var broken = attributes
      broken[name] = value
      #expect(throws: DLRTError.self) { try OperatorRun.tensor("TfIdfVectorizer", [rows], broken) }
    }
    var endless = attributes
    endless["max_gram_length"] = .int(Int.max)
    endless["max_skip_count"] = .int(Int.max)
    #expect(try OperatorRun.tensor("TfIdfVectorizer", [rows], endless).shape == [2, 3])
  }
}
