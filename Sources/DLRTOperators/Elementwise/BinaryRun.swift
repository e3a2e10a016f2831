import CKernelSupport
import DLRTGraph

/// One pass over two inputs that broadcast, by a float32 kernel or by a loop.
final class BinaryRun: Sendable {
  let name: String
  private let pass: Pass

  private enum Pass: Sendable {
    case kernel(BinaryKernelPass)
    case loop(BinaryLoopPass)
  }

  /// - Parameters:
  ///   - kernel: used when all types are float32.
  ///   - loop: makes the loop otherwise.
  init(
    _ planning: Planning, _ walk: Broadcast, kernel: dlk_binary?, loop: (DataType) throws -> BinaryLoop
  ) throws {
    let type = planning.type(0)
    if let kernel, type == .float32, planning.outputType(0) == .float32 {
      name = "\(planning.kernels.isa.name)-float32-binary"
      pass = .kernel(BinaryKernelPass(planning.kernels, kernel, walk))
    } else {
      name = "loop"
      pass = .loop(
        BinaryLoopPass(
          walk: walk, chunks: Chunks(walk.count, cost: 1, multiple: 64), leftSize: type.size,
          rightSize: planning.type(1).size, outputSize: planning.outputType(0).size, loop: try loop(type)))
    }
  }

  func callAsFunction(
    _ io: borrowing StepIO, _ x: UnsafeRawPointer, _ y: UnsafeRawPointer, _ out: UnsafeMutableRawPointer
  ) {
    switch pass {
    case .kernel(let pass):
      pass.run(
        io, x.assumingMemoryBound(to: Float.self), y.assumingMemoryBound(to: Float.self),
        out.assumingMemoryBound(to: Float.self))
    case .loop(let pass): pass.run(io, x, y, out)
    }
  }
}

private struct BinaryLoopPass: Sendable {
  let walk: Broadcast
  let chunks: Chunks
  let leftSize: Int
  let rightSize: Int
  let outputSize: Int
  let loop: BinaryLoop

  func run(_ io: borrowing StepIO, _ x: UnsafeRawPointer, _ y: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    io.parallel(chunks) { range in
      walk.forEachBlock(
        in: range, [BlockOperand(x, size: leftSize), BlockOperand(y, size: rightSize)], out, outputSize: outputSize
      ) { inputs, out, count in
        loop(inputs[0], inputs[1], out, count)
      }
    }
  }
}

/// Calls a float32 kernel of two operands: by rows when runs are short, else by parts of runs.
private struct BinaryKernelPass: Sendable {
  private let function: dlk_binary
  private let call: @convention(c) (UnsafePointer<dlk_binary_args>) -> Void
  private let walk: Broadcast
  private let rows: Broadcast?
  private let chunks: Chunks

  private static let shortRun = 2048

  init(_ kernels: KernelSet, _ function: dlk_binary, _ walk: Broadcast) {
    self.function = function
    self.walk = walk
    call = kernels.table.pointee.binary
    rows = walk.inner < Self.shortRun ? walk.rows : nil
    chunks =
      rows.map { Chunks($0.count, cost: 0.2 * Double(walk.inner) + 1) }
      ?? Chunks(walk.count, cost: 0.2, multiple: 64)
  }

  func run(
    _ io: borrowing StepIO, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>
  ) {
    let inner = walk.inner
    var arguments = dlk_binary_args()
    arguments.function = function
    arguments.x_column_stride = Int64(walk.innerStrides[0])
    arguments.y_column_stride = Int64(walk.innerStrides[1])
    arguments.out_row_stride = Int64(inner)
    arguments.rows = 1
    if let rows {
      arguments.columns = Int64(inner)
      arguments.x_row_stride = Int64(rows.innerStrides[0])
      arguments.y_row_stride = Int64(rows.innerStrides[1])
    }
    let common = arguments
    io.parallel(chunks) { range in
      (rows ?? walk).forEachRun(in: range) { position, length, offsets in
        var arguments = common
        arguments.x = x + offsets[0]
        arguments.y = y + offsets[1]
        if rows != nil {
          arguments.rows = Int64(length)
          arguments.out = out + position &* inner
        } else {
          arguments.columns = Int64(length)
          arguments.out = out + position
        }
        call(&arguments)
      }
    }
  }
}
