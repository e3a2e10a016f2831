/// Runs a program over texts, in memory that the caller gives.
struct RegexMatcher: ~Copyable {
  private let program: RegexProgram
  private var current: UnsafeMutablePointer<Thread>
  private var following: UnsafeMutablePointer<Thread>
  private let stack: UnsafeMutablePointer<Int32>
  /// The step in which an instruction was last reached.
  private let reached: UnsafeMutablePointer<UInt32>
  private var step: UInt32 = 0

  /// An instruction that was reached by a match that starts at a place of the text.
  private struct Thread {
    let instruction: Int
    let start: Int
  }

  /// Bytes of memory that a matcher needs.
  static func workspace(_ program: RegexProgram) -> Int {
    program.code.count * (2 * MemoryLayout<Thread>.stride + 3 * MemoryLayout<Int32>.stride)
  }

  init(_ program: RegexProgram, workspace: UnsafeMutableRawPointer) {
    self.program = program
    let count = program.code.count
    current = workspace.assumingMemoryBound(to: Thread.self)
    following = current + count
    stack = UnsafeMutableRawPointer(following + count).assumingMemoryBound(to: Int32.self)
    reached = UnsafeMutableRawPointer(stack + 2 * count).assumingMemoryBound(to: UInt32.self)
    reached.update(repeating: 0, count: count)
  }

  /// Whether the expression matches a text from its start to its end.
  mutating func matches(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    first(in: text, isAnchored: true)?.upperBound == text.count
  }

  /// The bytes of the match that starts first, and of those that start there the longest. Bytes that are not UTF-8 count
  /// as U+FFFD.
  ///
  /// - Parameters:
  ///   - from: where the search starts, at a character; what is before is seen by assertions only.
  ///   - isAnchored: whether a match may start there only.
  mutating func first(
    in text: UnsafeBufferPointer<UInt8>, from: Int = 0, isAnchored: Bool = false
  ) -> Range<Int>? {
    var decoder = ScalarDecoder(text, from: from)
    // Assertions ask for ASCII only, of which the last byte tells enough.
    var before = from > 0 ? UInt32(text[from - 1]) : nil
    var place = from
    var next = decoder.next()
    var found: Range<Int>?
    var count = 0
    begin()
    while true {
      // Threads stand in the order of their starts, so that those that started first reach an instruction first.
      if found == nil, !isAnchored || place == from { follow(0, place, before, next, current, &count) }
      let end = decoder.place
      let after = decoder.next()
      var reachedCount = 0
      begin()
      for index in 0..<count {
        let thread = current[index]
        if let found, thread.start > found.lowerBound { break }
        switch program.code[thread.instruction] {
        case .match: found = thread.start..<place
        case .consume(let set):
          guard let next, program.classes[set].contains(next) else { continue }
          follow(thread.instruction + 1, thread.start, next, after, following, &reachedCount)
        default: continue
        }
      }
      guard next != nil, reachedCount > 0 || found == nil && !isAnchored else { return found }
      swap(&current, &following)
      count = reachedCount
      before = next
      next = after
      place = end
    }
  }

  private mutating func begin() {
    step &+= 1
    if step == 0 {
      reached.update(repeating: 0, count: program.code.count)
      step = 1
    }
  }

  /// Adds an instruction, and those to which it leads without a character, unless they were reached in this step.
  private func follow(
    _ instruction: Int, _ start: Int, _ before: UInt32?, _ after: UInt32?, _ list: UnsafeMutablePointer<Thread>,
    _ count: inout Int
  ) {
    stack[0] = Int32(truncatingIfNeeded: instruction)
    var height = 1
    while height > 0 {
      height -= 1
      let place = Int(stack[height])
      guard reached[place] != step else { continue }
      reached[place] = step
      switch program.code[place] {
      case .consume, .match:
        list[count] = Thread(instruction: place, start: start)
        count += 1
      case .jump(let target):
        stack[height] = Int32(truncatingIfNeeded: target)
        height += 1
      case .fork(let first, let second):
        stack[height] = Int32(truncatingIfNeeded: second)
        stack[height + 1] = Int32(truncatingIfNeeded: first)
        height += 2
      case .check(let assertion):
        guard assertion.holds(before: before, after: after) else { continue }
        stack[height] = Int32(truncatingIfNeeded: place + 1)
        height += 1
      }
    }
  }
}

/// Reads scalars from UTF-8.
private struct ScalarDecoder {
  private var bytes: UnsafeBufferPointer<UInt8>.Iterator
  private var parser = UTF8.ForwardParser()
  /// The place in the text behind the scalar that was read last.
  private(set) var place: Int

  init(_ text: UnsafeBufferPointer<UInt8>, from start: Int) {
    bytes = UnsafeBufferPointer(rebasing: text[start...]).makeIterator()
    place = start
  }

  mutating func next() -> UInt32? {
    switch parser.parseScalar(from: &bytes) {
    case .valid(let encoded):
      place += encoded.count
      return UTF8.decode(encoded).value
    case .emptyInput: return nil
    case .error(let length):
      place += length
      return 0xfffd
    }
  }
}
