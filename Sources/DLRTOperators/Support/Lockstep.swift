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
  /// For each part how many steps have been taken up, and how many are done. Each is written by one core, unless others
  /// help, and read by few: a count of all parts would go from core to core.
  private let words: UnsafeMutableRawPointer

  /// Words of different use must not share a line of the cache.
  private static let stride = 64
  /// How often to look before doing another's part: some microseconds, about what a small part takes.
  private static let patience = 256

  /// Bytes of memory that a team needs.
  static func byteCount(members: Int) -> Int { (2 &* members &+ 1) &* stride }

  /// Makes memory ready for a team's work.
  ///
  /// - Parameter memory: `byteCount(members:)` bytes, aligned to 8.
  static func prepare(_ memory: UnsafeMutableRawPointer, members: Int) {
    for index in 0...(2 &* members) {
      (memory + index &* stride).initializeMemory(as: Atomic<Int>.self, to: Atomic(0))
    }
  }

  /// - Parameter memory: was made ready before any member began.
  init(_ memory: UnsafeMutableRawPointer, members: Int) {
    self.members = members
    present = memory.assumingMemoryBound(to: Atomic<Int>.self)
    words = memory + Self.stride
  }

  /// How much of a part is asked for.
  enum Stage {
    /// What needs nothing of the step before but the same part, which this thread has done.
    case beginning
    /// What is left after the beginning.
    case rest
    case whole
  }

  /// One member's way through all steps; to be called once for each member.
  ///
  /// - Parameter body: does one part of one step: in a whole, or a beginning while others may still be in the step
  ///   before, and then the rest.
  func run(_ member: Int, steps: Int, _ body: (_ step: Int, _ part: Int, _ stage: Stage) -> Void) {
    present.pointee.add(1, ordering: .relaxed)
    var wasOwn = false
    for step in 0..<steps {
      let isOwn = takesUp(member, step)
      if isOwn && wasOwn { body(step, member, .beginning) }
      wait(step, body)
      if isOwn {
        body(step, member, wasOwn ? .rest : .whole)
        done(member).pointee.store(step &+ 1, ordering: .releasing)
      }
      wasOwn = isOwn
    }
    wait(steps, body)
  }

  /// Until all parts of the steps before `step` are done; does those that nobody has taken up.
  private func wait(_ step: Int, _ body: (Int, Int, Stage) -> Void) {
    var turns = 0
    for part in 0..<members {
      while done(part).pointee.load(ordering: .acquiring) < step {
        dlk_pause()
        turns = turns &+ 1
        guard turns > Self.patience || present.pointee.load(ordering: .relaxed) == 1 else { continue }
        for other in 0..<members where takesUp(other, step &- 1) {
          body(step &- 1, other, .whole)
          done(other).pointee.store(step, ordering: .releasing)
        }
        if turns > Self.patience {
          sched_yield()
          turns = 0
        }
      }
    }
  }

  @inline(__always)
  private func takesUp(_ part: Int, _ step: Int) -> Bool {
    word(2 &* part).pointee.compareExchange(
      expected: step, desired: step &+ 1, ordering: .acquiringAndReleasing
    ).exchanged
  }

  @inline(__always)
  private func done(_ part: Int) -> UnsafeMutablePointer<Atomic<Int>> { word(2 &* part &+ 1) }

  @inline(__always)
  private func word(_ index: Int) -> UnsafeMutablePointer<Atomic<Int>> {
    (words + index &* Self.stride).assumingMemoryBound(to: Atomic<Int>.self)
  }
}
