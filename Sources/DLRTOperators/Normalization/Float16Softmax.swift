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
    if loop.inner == 1 {
      largest[0] = Self.largest(floats, size)
    } else {
      for column in 0..<count { largest[column] = floats[column] }
      for index in 1..<max(size, 1) {
        let row = floats + index &* count
        for column in 0..<count where !(row[column] <= largest[column]) { largest[column] = row[column] }
      }
    }
    combine(DLK_BINARY_SUB, floats, largest, count)
    loop.kernels.table.pointee.unary(DLK_UNARY_EXP, 0, 0, floats, floats, Int64(total))
    // The output's memory holds the rounded exponentials for a moment; it may be the input's, which has been read.
    move(size, count) { row, width, run in
      FloatCodec.encode(.float16, floats + row &* width, target + row &* stride, run)
      FloatCodec.decode(.float16, target + row &* stride, floats + row &* width, run)
    }
    if loop.inner == 1 {
      sums[0] = Self.sum(floats, size)
    } else {
      for column in 0..<count { sums[column] = 0 }
      for index in 0..<size {
        let row = floats + index &* count
        for column in 0..<count { sums[column] += row[column] }
      }
    }
    for column in 0..<count {
      let rounded = Float(Float16(sums[column]))
      // Where float16 has no such number the sum stays as it is.
      if rounded.isFinite { sums[column] = rounded }
    }
    combine(DLK_BINARY_DIV, floats, sums, count)
    move(size, count) { row, width, run in
      FloatCodec.encode(.float16, floats + row &* width, target + row &* stride, run)
    }
  }

  /// Every element of the block with its column's number.
  private func combine(
    _ function: dlk_binary, _ floats: UnsafeMutablePointer<Float>, _ numbers: UnsafePointer<Float>, _ count: Int
  ) {
    let columns = Int64(loop.inner == 1 ? loop.size : count)
    var arguments = dlk_binary_args()
    arguments.function = function
    arguments.rows = loop.inner == 1 ? 1 : Int64(loop.size)
    arguments.columns = columns
    arguments.x = UnsafePointer(floats)
    arguments.x_row_stride = columns
    arguments.x_column_stride = 1
    arguments.y = numbers
    arguments.y_column_stride = loop.inner == 1 ? 0 : 1
    arguments.out = floats
    arguments.out_row_stride = columns
    loop.kernels.table.pointee.binary(&arguments)
  }

  /// The largest of adjacent numbers. It may pass a NaN over, which then comes back in the sum.
  private static func largest(_ x: UnsafeMutablePointer<Float>, _ count: Int) -> Float {
    var lanes = SIMD4<Float>(repeating: x[0])
    let bytes = UnsafeRawPointer(x)
    for index in 0..<count / 4 {
      let next = bytes.loadUnaligned(fromByteOffset: index &* 16, as: SIMD4<Float>.self)
      lanes.replace(with: next, where: .!(next .<= lanes))
    }
    var result = lanes[0]
    for lane in 1..<4 where !(lanes[lane] <= result) { result = lanes[lane] }
    for index in count & ~3..<count where !(x[index] <= result) { result = x[index] }
    return result
  }

  private static func sum(_ x: UnsafeMutablePointer<Float>, _ count: Int) -> Float {
    var lanes = SIMD4<Float>(repeating: 0)
    let bytes = UnsafeRawPointer(x)
    for index in 0..<count / 4 {
      lanes += bytes.loadUnaligned(fromByteOffset: index &* 16, as: SIMD4<Float>.self)
    }
    var result = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
    for index in count & ~3..<count { result += x[index] }
    return result
  }

  /// Calls `body` with every run of adjacent elements: its row, the columns of the block, its length.
  @inline(__always)
  private func move(_ size: Int, _ count: Int, _ body: (_ row: Int, _ columns: Int, _ run: Int) -> Void) {
    if loop.inner == 1 { return body(0, count, size) }
    for row in 0..<size { body(row, count, count) }
  }
}
