import CKernelSupport
import Glibc
import Synchronization

/// Threads that walk through a sequence of steps together: a step is cut into parts, and the next one begins when all
/// parts are done.
///
/// Each member does the part of its own number, so that what a part reads stays in one core's cache. A member that
/// finds the others' parts untouched does those too: a team never waits for a thread that has not come, so its members
/// may as well run one after the other.
struct Lockstep {
  private let members: Int
  private let present: UnsafeMutablePointer<Atomic<Int>>
  private let done: UnsafeMutablePointer<Atomic<Int>>
  /// How many steps of each part have been taken up.
  private let claims: UnsafeMutableRawPointer

  /// Words of different use must not share a line of the cache.
  private static let stride = 64
  /// How often to look before doing another's part: some microseconds, about what a small part takes.
  private static let patience = 256

  /// Bytes of memory that a team needs.
  static func byteCount(members: Int) -> Int { (members &+ 2) &* stride }

  /// Makes memory ready for a team's work.
  ///
  /// - Parameter memory: `byteCount(members:)` bytes, aligned to 8.
  static func prepare(_ memory: UnsafeMutableRawPointer, members: Int) {
    for index in 0..<(members &+ 2) {
      (memory + index &* stride).initializeMemory(as: Atomic<Int>.self, to: Atomic(0))
    }
  }

  /// - Parameter memory: was made ready before any member began.
  init(_ memory: UnsafeMutableRawPointer, members: Int) {
    self.members = members
    present = memory.assumingMemoryBound(to: Atomic<Int>.self)
    done = (memory + Self.stride).assumingMemoryBound(to: Atomic<Int>.self)
    claims = memory + 2 &* Self.stride
  }

  /// One member's way through all steps; to be called once for each member.
  ///
  /// - Parameter body: does one part of one step.
  func run(_ member: Int, steps: Int, _ body: (_ step: Int, _ part: Int) -> Void) {
    present.pointee.add(1, ordering: .relaxed)
    for step in 0..<steps {
      take(member, step, body)
      var turns = 0
      while done.pointee.load(ordering: .acquiring) < (step &+ 1) &* members {
        dlk_pause()
        turns = turns &+ 1
        guard turns > Self.patience || present.pointee.load(ordering: .relaxed) == 1 else { continue }
        for part in 0..<members { take(part, step, body) }
        if turns > Self.patience {
          sched_yield()
          turns = 0
        }
      }
    }
  }

  @inline(__always)
  private func take(_ part: Int, _ step: Int, _ body: (Int, Int) -> Void) {
    let word = (claims + part &* Self.stride).assumingMemoryBound(to: Atomic<Int>.self)
    guard word.pointee.compareExchange(expected: step, desired: step &+ 1, ordering: .acquiringAndReleasing).exchanged
    else { return }
    body(step, part)
    done.pointee.add(1, ordering: .acquiringAndReleasing)
  }
}
