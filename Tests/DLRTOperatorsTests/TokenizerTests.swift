import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

/// com.microsoft's Tokenizer; expected values are ONNX Runtime's.
@Suite struct TokenizerTests {
  private func run(_ texts: Tensor, _ attributes: [String: Attribute]) throws -> Tensor {
    let defaults: [String: Attribute] = ["mark": .int(0), "pad_value": .string("#"), "mincharnum": .int(1)]
    return try OperatorRun.tensor(
      "Tokenizer", domain: "com.microsoft", [texts], defaults.merging(attributes) { $1 })
  }

  private func rows(_ texts: [String], _ attributes: [String: Attribute]) throws -> [[String]] {
    let result = try run(Tensor(texts, shape: [texts.count]), attributes)
    #expect(result.rank == 2 && result.shape[0] == texts.count)
    let (strings, width) = (try result.strings(), result.shape[1])
    return texts.indices.map { Array(strings[$0 * width..<($0 + 1) * width]) }
  }

  @Test(
    arguments: [
      ([" "], 1, ["Hello World", "I  go"], [["Hello", "World"], ["I", "go"]]),
      // An expression, not a text.
      (["."], 1, ["a.b", "axb"], [[], []]),
      ([#"\."#], 1, ["a.b", "axb"], [["a", "b"], ["axb", "#"]]),
      (["[,;] *"], 1, ["one, two;three", "été;a, b"], [["one", "two", "three"], ["été", "a", "b"]]),
      ([",", " "], 1, ["a,b c,d", "e"], [["a", "b", "c", "d"], ["e", "#", "#", "#"]]),
      // Each expression sees what those before it left as texts of their own.
      (["1", "^b"], 1, ["a1b2", "b"], [["a", "2"], ["#", "#"]]),
      (["aa?"], 1, ["aaab"], [["b"]]),
      (["(?i)x"], 1, ["aXbxc"], [["a", "b", "c"]]),
      (["x*$"], 1, ["axxb", "xx", "b"], [["axxb"], ["#"], ["b"]]),
      (["x*"], 1, ["abc"], [[]]),
      (["", " "], 1, ["ab c"], [[]]),
      ([" "], 2, ["a bb ccc", "dé é"], [["bb", "ccc"], ["dé", "#"]]),
      ([" ", "d"], 2, ["ab cde x", "b"], [["ab"], ["#"]]),
      ([" "], 1, ["", " "], [[], []]),
    ] as [([String], Int, [String], [[String]])])
  func separators(_ separators: [String], _ least: Int, _ texts: [String], _ expected: [[String]]) throws {
    #expect(try rows(texts, ["separators": .strings(separators), "mincharnum": .int(least)]) == expected)
  }

  @Test(
    arguments: [
      ("[a-zA-Z0-9_]+", 1, ["été à la mer", "fox!"], [["t", "la", "mer"], ["fox", "#", "#"]]),
      // The longest of the matches that start first, whatever comes first in the expression.
      ("a|aa|b", 1, ["aab"], [["aa", "b"]]),
      ("a+?", 1, ["aab"], [["aa"]]),
      ("b|abc|ab", 1, ["abd abc"], [["ab", "abc"]]),
      ("^a", 1, ["aaba"], [["a"]]),
      (#"\bab"#, 1, ["abab ab"], [["ab", "ab"]]),
      ("a$|b$", 1, ["aab"], [["b"]]),
      ("(?m)^a", 1, ["aa\na"], [["a", "a"]]),
      ("x*", 1, ["axxbx"], [["xx", "x"]]),
      ("[^ ]+", 2, ["a bb ccc", "dé é"], [["bb", "ccc"], ["dé", "#"]]),
      ("a+|b", 2, ["aaa bb"], [["aaa"]]),
      ("a", 1, ["", ""], [[], []]),
      (".", 1, ["a\nb", "日"], [["a", "\n", "b"], ["日", "#", "#"]]),
      ("(a*)*b", 1, [String(repeating: "a", count: 3000)], [[]]),
    ] as [(String, Int, [String], [[String]])])
  func expressions(_ expression: String, _ least: Int, _ texts: [String], _ expected: [[String]]) throws {
    #expect(try rows(texts, ["tokenexp": .string(expression), "mincharnum": .int(least)]) == expected)
  }

  @Test func characters() throws {
    #expect(
      try rows(["ab", "été", ""], ["separators": .strings([""]), "pad_value": .string("")])
        == [["a", "b", ""], ["é", "t", "é"], ["", "", ""]])
  }

  @Test func marksStandAroundTheTokens() throws {
    let attributes: [String: Attribute] = ["separators": .strings([" "]), "mark": .int(1)]
    #expect(
      try rows(["a bb", "", "c"], attributes)
        == [["\u{2}", "a", "bb", "\u{3}"], ["\u{2}", "\u{3}", "#", "#"], ["\u{2}", "c", "\u{3}", "#"]])
    // No token at all: no marks.
    #expect(try rows(["", " "], attributes) == [[], []])
  }

  @Test func shapes() throws {
    let attributes: [String: Attribute] = ["tokenexp": .string("[a-z]+")]
    let result = try run(Tensor(["a b", "c", "", "d e f"], shape: [2, 2]), attributes)
    #expect(result.shape == [2, 2, 3])
    #expect(try result.strings() == ["a", "b", "#", "c", "#", "#", "#", "#", "#", "d", "e", "f"])
    #expect(try run(Tensor([String](), shape: [0]), attributes).shape == [0, 0])
    #expect(try run(Tensor([String](), shape: [3, 0]), attributes).shape == [3, 0, 0])
    for shape in [[], [1, 1, 1]] {
      #expect(throws: DLRTError.self) { try run(Tensor(["a"], shape: shape), attributes) }
    }
  }

  @Test(
    arguments: [
      ["separators": .strings([" "])], ["tokenexp": .string("a")], ["tokenexp": .string(".")],
    ] as [[String: Attribute]])
  func bytesThatAreNotText(_ attributes: [String: Attribute]) throws {
    for bytes: [UInt8] in [[0xff], [0x61, 0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]] {
      let texts = try Tensor(byteStrings: [[0x61], bytes], shape: [2])
      let error = #expect(throws: DLRTError.self) { try run(texts, attributes) }
      #expect(error?.code == .invalidInput)
      #expect(error?.tensor == "X")
    }
  }

  @Test(
    arguments: [
      ([:], "separators"),
      (["separators": .strings([" "]), "tokenexp": .string("a")], "separators"),
      (["separators": .strings([])], "separators"),
      (["tokenexp": .string("")], "separators"),
      (["separators": .strings([" ", "("])], "separators"),
      (["separators": .strings(["(a{1000}){40}", "(b{1000}){40}"])], "separators"),
      (["tokenexp": .string("(")], "tokenexp"),
      (["tokenexp": .string(#"\p{Greek}"#)], "tokenexp"),
      (["tokenexp": .string("a"), "mincharnum": .int(0)], "mincharnum"),
      (["tokenexp": .string("."), "mincharnum": .int(2)], "mincharnum"),
      (["separators": .strings([""]), "mincharnum": .int(2)], "mincharnum"),
    ] as [([String: Attribute], String)])
  func attributesThatAreRefused(_ attributes: [String: Attribute], _ name: String) throws {
    let error = #expect(throws: DLRTError.self) { try run(Tensor(["a"], shape: [1]), attributes) }
    #expect(error?.operatorName == "com.microsoft::Tokenizer")
    #expect(error?.tensor == name)
  }
}
