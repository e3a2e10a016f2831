import CKernelSupport
import DLRTGraph
import DLRTKernels

/// Softmax over float16. ONNX defines Softmax as a function, each of whose results is rounded to the element type: the
/// exponentials, their sum, the quotients. Adding up exponentials that were not rounded differs in the last place but one.
struct Float16Softmax {
  private let loop: SoftmaxLoop
  private let width: Int
  private let chunks: Chunks
  /// Floats of scratch memory per chunk.
  private let block: Int

  /// - Parameter loop: the axis.
  init(_ loop: SoftmaxLoop) {
    self.loop = loop
    width = min(loop.inner, 16)
    let groups = loop.outer &* ((loop.inner &+ max(width, 1) &- 1) / max(width, 1))
    chunks = Chunks(loop.size == 0 ? 0 : groups, cost: Double(loop.size) * Double(width))
    block = loop.size &* width &+ 2 &* width
  }

  func step() -> Step {
    Step(kernel: "softmax", workspace: chunks.count &* block &* 4) { io in
      let (x, y) = (io.input(0), io.output(0))
      let scratch = io.workspace.assumingMemoryBound(to: Float.self)
      io.parallel(chunks.count) { chunk in
        let floats = scratch + chunk &* block
        for group in chunks[chunk] { columns(group, x, y, floats) }
      }
    }
  }

  /// Up to 16 neighbouring columns along the axis.
  private func columns(
    _ group: Int, _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer, _ floats: UnsafeMutablePointer<Float>
  ) {
    let groups = (loop.inner &+ width &- 1) / width
    let first = group % groups &* width
    let count = min(width, loop.inner &- first)
    let offset = (group / groups &* loop.size &* loop.inner &+ first) &* 2
    let (stride, size) = (loop.inner &* 2, loop.size)
    let total = size &* count
    let largest = floats + total
    let sums = largest + count
    let (source, target) = (x + offset, y + offset)
    move(size, count) { row, width, run in
      FloatCodec.decode(.float16, source + row &* stride, floats + row &* width, run)
    }
    for column in 0..<count {
      largest[column] = floats[column]
      sums[column] = 0
    }
    for index in 1..<max(size, 1) {
      let row = floats + index &* count
      for column in 0..<count where !(row[column] <= largest[column]) { largest[column] = row[column] }
    }
    for index in 0..<size {
      let row = floats + index &* count
      for column in 0..<count { row[column] -= largest[column] }
    }
    loop.kernels.table.pointee.unary(DLK_UNARY_EXP, 0, 0, floats, floats, Int64(total))
    // The output's memory holds the rounded exponentials for a moment; it may be the input's, which has been read.
    move(size, count) { row, width, run in
      FloatCodec.encode(.float16, floats + row &* width, target + row &* stride, run)
      FloatCodec.decode(.float16, target + row &* stride, floats + row &* width, run)
    }
    for index in 0..<size {
      let row = floats + index &* count
      for column in 0..<count { sums[column] += row[column] }
    }
    for column in 0..<count {
      let rounded = Float(Float16(sums[column]))
      // Where float16 has no such number the sum stays as it is.
      if rounded.isFinite { sums[column] = rounded }
    }
    for index in 0..<size {
      let row = floats + index &* count
      for column in 0..<count { row[column] /= sums[column] }
    }
    move(size, count) { row, width, run in
      FloatCodec.encode(.float16, floats + row &* width, target + row &* stride, run)
    }
  }

  /// Calls `body` with every run of adjacent elements: its row, the columns of the block, its length.
  @inline(__always)
  private func move(_ size: Int, _ count: Int, _ body: (_ row: Int, _ columns: Int, _ run: Int) -> Void) {
    if loop.inner == 1 { return body(0, count, size) }
    for row in 0..<size { body(row, count, count) }
  }
}
