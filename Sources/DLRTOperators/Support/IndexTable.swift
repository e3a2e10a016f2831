import DLRTGraph

/// Indices from outside turned into checked offsets: every index is looked at before any memory is touched with one.
///
/// Constant indices are checked once, while planning; others into the step's workspace at each run.
package struct IndexTable: Sendable {
  package typealias Compute = @Sendable (UnsafeRawPointer, UnsafeMutablePointer<Int>) throws -> Void

  private let input: Int
  private let fixed: TensorStorage?
  private let compute: Compute
  package let count: Int

  /// - Parameters:
  ///   - input: the operator's input that holds the indices.
  ///   - count: how many offsets `compute` makes.
  ///   - compute: reads the indices at its first argument, and throws `invalidInput` when one is out of range.
  package init(_ planning: Planning, input: Int, count: Int, compute: @escaping Compute) throws {
    self.input = input
    self.count = count
    self.compute = compute
    if let constant = planning.constant(input) {
      let storage = try TensorStorage(byteCount: count &* MemoryLayout<Int>.size)
      let aligned = constant.isAligned ? constant : try constant.copied()
      try aligned.withUnsafeBytes { _ in
        try compute(aligned.pointer, storage.base.assumingMemoryBound(to: Int.self))
      }
      fixed = storage
    } else {
      fixed = nil
    }
  }

  /// Bytes that `resolve` needs.
  package var workspace: Int { fixed == nil ? count &* MemoryLayout<Int>.size : 0 }

  /// The offsets of a run.
  @inline(__always)
  package func resolve(_ io: borrowing StepIO, workspaceOffset: Int = 0) throws -> UnsafePointer<Int> {
    if let fixed { return UnsafePointer(fixed.base.assumingMemoryBound(to: Int.self)) }
    let target = (io.workspace + workspaceOffset).assumingMemoryBound(to: Int.self)
    try compute(io.input(input), target)
    return UnsafePointer(target)
  }
}

/// Reads one index after another from an int32 or int64 tensor and makes each non-negative.
package struct IndexReader: Sendable {
  private let isWide: Bool
  private let name: String

  package init(_ type: DataType, name: String = "indices") {
    isWide = type == .int64
    self.name = name
  }

  /// The index at a position, which must lie in `-size..<size`.
  @inline(__always)
  package func read(_ source: UnsafeRawPointer, _ position: Int, size: Int) throws(DLRTError) -> Int {
    let raw =
      isWide
      ? Int(source.assumingMemoryBound(to: Int64.self)[position])
      : Int(source.assumingMemoryBound(to: Int32.self)[position])
    let index = raw < 0 ? raw &+ size : raw
    guard index >= 0, index < size else { throw outOfRange(raw, position, size) }
    return index
  }

  @inline(never)
  private func outOfRange(_ index: Int, _ position: Int, _ size: Int) -> DLRTError {
    DLRTError(
      .invalidInput, "index out of range at element \(position)", tensor: name, expected: "-\(size)..<\(size)",
      got: "\(index)")
  }
}
