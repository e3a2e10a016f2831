import DLRTGraph

/// ONNX StringSplit (20): the parts of every string between delimiters, along a new last axis filled up with empty
/// strings, and the numbers of parts. Without a delimiter, parts are separated by runs of whitespace. At most
/// `maxsplit` cuts are made; the last part keeps the rest.
package struct StringSplit: Operator {
  package static let schema = OperatorSchema(
    "StringSplit", versions: [20], inputs: [("X", "T1")], outputs: [("Y", "T2"), ("Z", "T3")],
    types: ["T1": .string, "T2": .string, "T3": .int64])

  private let delimiter: [UInt8]
  private let mostCuts: Int

  package init(_ attributes: inout AttributeReader) throws {
    delimiter = Array(try attributes.string("delimiter", default: "").utf8)
    let most = try attributes.optionalInt("maxsplit") ?? .max
    mostCuts = most < 0 ? .max : most
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setDataDependent(0, .tensor(.string))
    inference.setType(1, .int64)
    let shape = try inference.shape(0)
    inference.setDataDependent(0, .tensor(.string), Shape(shape.dims + [.unknown]))
    inference.set(1, .int64, shape)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let total = planning.input(0).count
    let wantsParts = planning.wants(output: 0)
    let wantsCounts = planning.wants(output: 1)
    return Step(kernel: "strings") { io in
      let source = io.input(0, as: StringRef.self)
      var parts: [StringRef] = []
      var counts: [Int] = []
      counts.reserveCapacity(total)
      for index in 0..<total {
        let before = parts.count
        split(source[index], into: &parts)
        counts.append(parts.count - before)
      }
      if wantsCounts {
        let target = io.output(1, as: Int64.self)
        for (index, count) in counts.enumerated() { target[index] = Int64(count) }
      }
      guard wantsParts else { return }
      let width = counts.max() ?? 0
      let target = try io.allocate(output: 0, shape + [width]).assumingMemoryBound(to: StringRef.self)
      var next = 0
      for (row, count) in counts.enumerated() {
        for column in 0..<width {
          target[row &* width &+ column] = column < count ? parts[next + column] : StringRef(start: nil, count: 0)
        }
        next += count
      }
    }
  }

  /// Parts point into the string itself.
  private func split(_ string: StringRef, into parts: inout [StringRef]) {
    let bytes = string.bytes
    func add(_ range: Range<Int>) {
      parts.append(StringRef(start: string.start.map { $0 + range.lowerBound }, count: range.count))
    }
    if delimiter.isEmpty {
      splitAtWhitespace(bytes, add)
      return
    }
    var start = 0
    var index = 0
    var cuts = 0
    while index + delimiter.count <= bytes.count, cuts < mostCuts {
      if bytes[index..<index + delimiter.count].elementsEqual(delimiter) {
        add(start..<index)
        index += delimiter.count
        start = index
        cuts += 1
      } else {
        index += 1
      }
    }
    add(start..<bytes.count)
  }

  private func splitAtWhitespace(_ bytes: UnsafeBufferPointer<UInt8>, _ add: (Range<Int>) -> Void) {
    var index = 0
    var cuts = 0
    while true {
      while let length = bytes.whitespace(at: index) { index += length }
      guard index < bytes.count else { return }
      let start = index
      if cuts == mostCuts {
        add(start..<bytes.endOfText(from: start))
        return
      }
      while index < bytes.count, bytes.whitespace(at: index) == nil { index += 1 }
      add(start..<index)
      cuts += 1
    }
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// The length of the whitespace character at a place, ASCII's or Unicode's; nil when there is none.
  fileprivate func whitespace(at index: Int) -> Int? {
    guard index < count else { return nil }
    if self[index] < 0x80 {
      return self[index] == 0x20 || (0x09...0x0d).contains(self[index]) || (0x1c...0x1f).contains(self[index]) ? 1 : nil
    }
    var decoder = UTF8.ForwardParser()
    var rest = self[index...].makeIterator()
    guard case .valid(let encoded) = decoder.parseScalar(from: &rest),
      UTF8.decode(encoded).properties.isWhitespace
    else { return nil }
    return encoded.count
  }

  /// The end of the text from a place on, without the whitespace at the end.
  fileprivate func endOfText(from start: Int) -> Int {
    var end = start
    var index = start
    while index < count {
      if let length = whitespace(at: index) {
        index += length
      } else {
        index += 1
        end = index
      }
    }
    return end
  }
}
