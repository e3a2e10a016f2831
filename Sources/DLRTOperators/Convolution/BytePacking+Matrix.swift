import DLRTGraph
import DLRTParallel

/// Matrices `[C, M]`, the second operands of products.
extension BytePacking {
  /// True for a constant matrix and constant zero points, one or one for each column.
  static func fits(_ planning: Planning, w: Int, zero: Int) -> Bool {
    guard let weights = planning.constant(w), weights.shape.count == 2, weights.count > 0 else { return false }
    if !planning.has(zero) { return true }
    guard let zeros = planning.constant(zero) else { return false }
    return zeros.count == 1 || zeros.shape == [weights.shape[1]]
  }

  /// Where all differences are int8.
  /// - Parameter zeros: nil for zero.
  func packMatrix(
    _ source: UnsafePointer<UInt8>, _ zeros: UnsafePointer<UInt8>?, _ target: UnsafeMutableRawPointer,
    _ pool: ThreadPool
  ) {
    let (rows, columns) = (problem.inputChannels, problem.outputChannels)
    let allSums = (target + weightBytes).assumingMemoryBound(to: Int32.self)
    let chunks = Chunks(panels, cost: Double(rows &* width))
    pool.run(chunks.count) { index in
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { memory in
        guard let own = memory.baseAddress else { return }
        for panel in chunks[index] {
          let first = panel &* width
          let count = min(width, columns &- first)
          for column in 0..<count { own[column] = zeros?[(first &+ column) &* zeroStep] ?? 0 }
          let packed = (target + panel &* depth &* width).assumingMemoryBound(to: UInt32.self)
          for word in 0..<words {
            // What the zero points are taken off leaves nothing of themselves, which is what follows the last row.
            let lines = InlineArray<4, UnsafePointer<UInt8>> { byte in
              4 &* word &+ byte < rows ? source + ((4 &* word &+ byte) &* columns &+ first) : UnsafePointer(own)
            }
            packWords(lines[0], lines[1], lines[2], lines[3], own, packed + word &* width, allSums + first, count)
          }
        }
      }
    }
  }
}

// Free, so that it stays compiled for speed: see docs/architecture.md.

/// Words of four rows' differences, and their sums.
@_optimize(speed) @inline(never)
private func packWords(
  _ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ c: UnsafePointer<UInt8>, _ d: UnsafePointer<UInt8>,
  _ zeros: UnsafePointer<UInt8>, _ out: UnsafeMutablePointer<UInt32>, _ sums: UnsafeMutablePointer<Int32>, _ count: Int
) {
  for index in 0..<count {
    let zero = zeros[index]
    let (e, f, g, h) = (a[index] &- zero, b[index] &- zero, c[index] &- zero, d[index] &- zero)
    let low = UInt32(e) | UInt32(f) &<< 8
    out[index] = low | UInt32(g) &<< 16 | UInt32(h) &<< 24
    let sum = Int32(Int8(bitPattern: e)) &+ Int32(Int8(bitPattern: f))
    sums[index] = sums[index] &+ sum &+ Int32(Int8(bitPattern: g)) &+ Int32(Int8(bitPattern: h))
  }
}
