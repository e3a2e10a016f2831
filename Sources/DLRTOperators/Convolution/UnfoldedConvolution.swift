import CKernelSupport
import DLRTGraph

/// Copies the windows of some output positions into the columns of a matrix `[channels · taps, positions]`, so that a
/// convolution becomes a matrix product.
struct WindowUnfolding: Sendable {
  let rows: WindowRows
  let channels: Int
  private let inputSize: Int
  private let taps: Int
  private let hasPadding: Bool

  init(_ geometry: ConvolutionGeometry, channels: Int) {
    rows = WindowRows(geometry)
    self.channels = channels
    inputSize = geometry.inputSize
    taps = geometry.kernelSize
    hasPadding = geometry.axes.contains { axis in
      axis.padBegin > 0 || axis.start(axis.output &- 1) &+ axis.extent > axis.input
    }
  }

  var height: Int { channels &* taps }

  /// Unfolds whole output rows of one image's channels.
  func run(_ range: Range<Int>, _ input: UnsafeRawPointer, into columns: UnsafeMutableRawPointer) {
    let size = 4
    let width = range.count &* rows.width
    if hasPadding { columns.initializeMemory(as: UInt8.self, repeating: 0, count: height &* width &* size) }
    for channel in 0..<channels {
      let plane = input + channel &* inputSize &* size
      for row in range {
        let target = columns + (channel &* taps &* width &+ (row &- range.lowerBound) &* rows.width) &* size
        rows.forEachTap(of: row) { start, tap, column in
          let line = target + tap &* width &* size
          let source = plane + start &* size
          let count = column.upper &- column.lower
          if rows.stride == 1 {
            (line + column.lower &* size).copyMemory(from: source + column.lower &* size, byteCount: count &* size)
          } else {
            let (line, source) = (
              line.assumingMemoryBound(to: UInt32.self), source.assumingMemoryBound(to: UInt32.self)
            )
            for x in column.lower..<column.upper { line[x] = source[x &* rows.stride] }
          }
        }
      }
    }
  }
}

/// A float32 convolution of planes as matrix products over unfolded windows, a block of output rows at a time.
final class UnfoldedConvolution: Sendable {
  private let problem: ConvolutionProblem
  private let unfolding: WindowUnfolding
  private let kernels: KernelSet
  /// Output rows of a block, and blocks of an image.
  private let blockRows: Int
  private let blocks: Int
  /// Units of work run in so many lanes, each with a buffer of its own.
  private let lanes: Int
  private let isPointwise: Bool

  /// Columns that keep a block of the matrix within the second-level cache at usual sizes.
  private static let blockColumns = 256

  init(_ problem: ConvolutionProblem, _ planning: Planning) {
    self.problem = problem
    kernels = planning.kernels
    isPointwise = problem.geometry.isPointwise
    unfolding = WindowUnfolding(problem.geometry, channels: problem.inputChannels)
    let rows = unfolding.rows
    let wanted = max(1, Self.blockColumns / max(rows.width, 1))
    blockRows = max(1, min(wanted, rows.count))
    blocks = (rows.count + blockRows - 1) / blockRows
    lanes = max(1, min(problem.batch * problem.groups * blocks, planning.threads))
  }

  private var laneFloats: Int {
    isPointwise ? 0 : (unfolding.height &* blockRows &* unfolding.rows.width &+ 15) & ~15
  }

  var step: Step {
    let units = problem.batch * problem.groups * blocks
    return Step(kernel: "\(kernels.isa.name)-f32-unfold", flops: problem.flops, workspace: lanes * laneFloats * 4) {
      [self] io in
      let (x, w, y) = (io.input(0, as: Float.self), io.input(1, as: Float.self), io.output(0, as: Float.self))
      let bias = io.hasInput(2) ? io.input(2, as: Float.self) : nil
      let scratch = io.workspace.assumingMemoryBound(to: Float.self)
      io.parallel(lanes) { lane in
        for unit in stride(from: lane, to: units, by: lanes) {
          run(unit, x: x, w: w, bias: bias, y: y, columns: scratch + lane &* laneFloats)
        }
      }
    }
  }

  private func run(
    _ unit: Int, x: UnsafePointer<Float>, w: UnsafePointer<Float>, bias: UnsafePointer<Float>?,
    y: UnsafeMutablePointer<Float>, columns: UnsafeMutablePointer<Float>
  ) {
    let (inputSize, outputSize) = (problem.geometry.inputSize, problem.geometry.outputSize)
    let rows = unfolding.rows
    let plane = unit / blocks
    let first = unit % blocks &* blockRows
    let range = first..<min(first &+ blockRows, rows.count)
    let width = range.count &* rows.width
    let source = x + plane &* problem.inputChannels &* inputSize
    let target = y + plane &* problem.outputChannels &* outputSize + first &* rows.width
    let channel = plane % problem.groups &* problem.outputChannels
    if !isPointwise { unfolding.run(range, source, into: columns) }
    for row in 0..<problem.outputChannels {
      (target + row &* outputSize).update(repeating: bias?[channel &+ row] ?? 0, count: width)
    }
    kernels.table.multiply(
      m: problem.outputChannels, n: width, k: unfolding.height, w + channel &* unfolding.height,
      isPointwise ? source + first &* rows.width : UnsafePointer(columns), bRowStride: isPointwise ? inputSize : width,
      target, cRowStride: outputSize, adds: true)
  }
}
