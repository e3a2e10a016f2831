/// Runs a program over texts, in memory that the caller gives.
struct RegexMatcher: ~Copyable {
  private let program: RegexProgram
  private var current: UnsafeMutablePointer<Int32>
  private var following: UnsafeMutablePointer<Int32>
  private let stack: UnsafeMutablePointer<Int32>
  /// The step in which an instruction was last reached.
  private let reached: UnsafeMutablePointer<UInt32>
  private var step: UInt32 = 0

  /// Bytes of memory that a matcher needs.
  static func workspace(_ program: RegexProgram) -> Int { 5 * program.code.count * MemoryLayout<Int32>.size }

  init(_ program: RegexProgram, workspace: UnsafeMutableRawPointer) {
    self.program = program
    let count = program.code.count
    current = workspace.assumingMemoryBound(to: Int32.self)
    following = current + count
    stack = following + count
    reached = UnsafeMutableRawPointer(stack + 2 * count).assumingMemoryBound(to: UInt32.self)
    reached.update(repeating: 0, count: count)
  }

  /// Whether the expression matches a text from its start to its end. Bytes that are not UTF-8 count as U+FFFD.
  mutating func matches(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    var decoder = ScalarDecoder(text)
    var before: UInt32?
    var next = decoder.next()
    var count = 0
    begin()
    follow(0, before, next, current, &count)
    while let scalar = next {
      if count == 0 { return false }
      next = decoder.next()
      before = scalar
      var reachedCount = 0
      begin()
      for index in 0..<count {
        let place = Int(current[index])
        if case .consume(let set) = program.code[place], program.classes[set].contains(scalar) {
          follow(place + 1, before, next, following, &reachedCount)
        }
      }
      swap(&current, &following)
      count = reachedCount
    }
    for index in 0..<count {
      if case .match = program.code[Int(current[index])] { return true }
    }
    return false
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
    _ start: Int, _ before: UInt32?, _ after: UInt32?, _ list: UnsafeMutablePointer<Int32>, _ count: inout Int
  ) {
    stack[0] = Int32(truncatingIfNeeded: start)
    var height = 1
    while height > 0 {
      height -= 1
      let place = Int(stack[height])
      guard reached[place] != step else { continue }
      reached[place] = step
      switch program.code[place] {
      case .consume, .match:
        list[count] = Int32(truncatingIfNeeded: place)
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

  init(_ text: UnsafeBufferPointer<UInt8>) { bytes = text.makeIterator() }

  mutating func next() -> UInt32? {
    switch parser.parseScalar(from: &bytes) {
    case .valid(let encoded): UTF8.decode(encoded).value
    case .emptyInput: nil
    case .error: 0xfffd
    }
  }
}
