import CKernelSupport
import DLRTGraph

/// A float32 transposed convolution as a matrix product `Wᵀ · X`, whose rows (output channel × tap) are then added up at
/// the places that the window says. Units of work are blocks of output channels, so that no two write the same plane.
struct FoldedConvolution: Sendable {
  private let problem: ConvolutionProblem
  private let rows: WindowRows
  private let kernels: KernelSet
  private let blockChannels: Int
  private let blocks: Int
  private let blockRows: Int
  private let lanes: Int

  init(_ problem: ConvolutionProblem, _ planning: Planning) {
    self.problem = problem
    kernels = planning.kernels
    rows = WindowRows(problem.geometry)
    let taps = problem.geometry.kernelSize
    blockChannels = max(1, min(problem.outputChannels, 96 / max(taps, 1)))
    blocks = (problem.outputChannels + blockChannels - 1) / max(blockChannels, 1)
    blockRows = max(1, min(rows.count, 256 / max(rows.width, 1)))
    lanes = max(1, min(problem.batch * problem.groups * blocks, planning.threads))
  }

  private var depth: Int { problem.inputChannels }
  private var height: Int { problem.outputChannels &* problem.geometry.kernelSize }
  private var laneFloats: Int {
    (blockChannels &* problem.geometry.kernelSize &* blockRows &* rows.width &+ 15) & ~15
  }

  func step(_ planning: Planning) throws -> Step {
    let weightFloats = problem.groups * height * depth
    let packed = try planning.constant(1).map { tensor in
      try planning.packed(
        tensor, format: "f32-transposed-\(problem.groups)", byteCount: weightFloats * 4
      ) { source, target in
        source.whole { transposeWeights($0, target.assumingMemoryBound(to: Float.self)) }
      }
    }
    let laneBytes = lanes * laneFloats * 4
    return Step(
      kernel: "\(kernels.isa.name)-f32-fold", flops: problem.flops,
      workspace: laneBytes + (packed == nil ? weightFloats * 4 : 0), skippedInputs: packed == nil ? [] : [1]
    ) { io in
      let (x, y) = (io.input(0, as: Float.self), io.output(0, as: Float.self))
      let bias = io.hasInput(2) ? io.input(2, as: Float.self) : nil
      let scratch = io.workspace.assumingMemoryBound(to: Float.self)
      let w: UnsafePointer<Float>
      if let packed {
        w = UnsafePointer(packed.base.assumingMemoryBound(to: Float.self))
      } else {
        let target = (io.workspace + laneBytes).assumingMemoryBound(to: Float.self)
        transposeWeights(io.input(1), target)
        w = UnsafePointer(target)
      }
      let units = problem.batch * problem.groups * blocks
      io.parallel(lanes) { lane in
        for unit in stride(from: lane, to: units, by: lanes) {
          run(unit, x: x, w: w, bias: bias, y: y, columns: scratch + lane &* laneFloats)
        }
      }
    }
  }

  /// W `[group][depth][height]` to `[group][height][depth]`.
  private func transposeWeights(_ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>) {
    for group in 0..<problem.groups {
      let base = group &* depth &* height
      for row in 0..<height {
        for column in 0..<depth {
          target[base &+ row &* depth &+ column] = source.loadUnaligned(
            fromByteOffset: (base &+ column &* height &+ row) &* 4, as: Float.self)
        }
      }
    }
  }

  private func run(
    _ unit: Int, x: UnsafePointer<Float>, w: UnsafePointer<Float>, bias: UnsafePointer<Float>?,
    y: UnsafeMutablePointer<Float>, columns: UnsafeMutablePointer<Float>
  ) {
    let (outputSize, inputSize) = (problem.geometry.inputSize, problem.geometry.outputSize)
    let taps = problem.geometry.kernelSize
    let plane = unit / blocks
    let first = unit % blocks &* blockChannels
    let count = min(blockChannels, problem.outputChannels &- first)
    let group = plane % problem.groups
    let source = x + plane &* depth &* inputSize
    let target = y + (plane &* problem.outputChannels &+ first) &* outputSize
    for channel in 0..<count {
      let value = bias?[group &* problem.outputChannels &+ first &+ channel] ?? 0
      (target + channel &* outputSize).update(repeating: value, count: outputSize)
    }
    var row = 0
    while row < rows.count {
      let lines = min(blockRows, rows.count &- row)
      let width = lines &* rows.width
      multiply(
        w + (group &* height &+ first &* taps) &* depth, count &* taps, source + row &* rows.width, width, inputSize,
        columns)
      for channel in 0..<count {
        for line in 0..<lines {
          let sums = columns + channel &* taps &* width + line &* rows.width
          scatter(sums, width, target + channel &* outputSize, row &+ line)
        }
      }
      row = row &+ lines
    }
  }

  private func multiply(
    _ a: UnsafePointer<Float>, _ m: Int, _ b: UnsafePointer<Float>, _ n: Int, _ stride: Int,
    _ c: UnsafeMutablePointer<Float>
  ) {
    kernels.table.multiply(m: m, n: n, k: depth, a, b, bRowStride: stride, c, cRowStride: n)
  }

  /// Adds the sums of all taps for one input row to an output plane; a tap's sums are `width` apart.
  private func scatter(
    _ sums: UnsafePointer<Float>, _ width: Int, _ plane: UnsafeMutablePointer<Float>, _ row: Int
  ) {
    rows.forEachTap(of: row) { start, tap, column in
      let source = sums + tap &* width
      let target = plane + start
      for x in column.lower..<column.upper { target[x &* rows.stride] += source[x] }
    }
  }
}
