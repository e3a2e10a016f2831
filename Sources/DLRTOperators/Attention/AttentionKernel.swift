import CKernelSupport
import DLRTGraph
import DLRTKernels

/// Attention over float32 by the kernel that does the rows of one head. Keys are packed head by head; queries are read
/// where they are, values too unless they are many and far apart.
struct AttentionKernel: Sendable {
  private let shape: AttentionShape
  private let mask: AttentionMask
  private let scale: Float
  private let softcap: Float
  private let unseen: Float
  private let kernels: KernelSet
  /// With one query for each head, the heads that share a key are the rows that the kernel does at once.
  private let joinsHeads: Bool
  private let heads: Int
  private let rows: Int
  /// Blocks of rows of a head: what threads share if there are too few heads.
  private let blocks: Int
  private let parts: Int
  /// Floats of one head's packed keys; 0 where they are read as they are.
  private let packedCount: Int
  /// Floats of one head's values, moved together; 0 where they are read as they are.
  private let valueCount: Int
  private let scoreCount: Int
  /// Floats of the mask of a block of rows, where the kernel cannot read the mask itself.
  private let maskCount: Int

  private static let blockRows = 48
  /// From so many rows on it pays to pack the keys of a head.
  private static let packedRows = 8
  /// More values than this do not stay in the nearer caches beside keys and scores: they come faster in one run of
  /// memory.
  private static let scatteredValues = 65_536
  /// Floating-point operations that are worth a fork.
  private static let leastFlops = 600_000

  init(
    _ shape: AttentionShape, _ mask: AttentionMask, scale: Double, softcap: Float, unseen: Float, _ planning: Planning
  ) {
    self.shape = shape
    self.mask = mask
    self.scale = Float(scale)
    self.softcap = softcap
    // A product over no keys is 0.
    self.unseen = shape.keys == 0 ? 0 : unseen
    kernels = planning.kernels
    joinsHeads = shape.queries == 1
    heads = shape.batch &* (joinsHeads ? shape.keyHeads : shape.queryHeads)
    rows = joinsHeads ? shape.group : shape.queries
    let threads = planning.threads
    blocks = heads >= 2 &* threads ? 1 : max(1, (rows &+ Self.blockRows &- 1) / Self.blockRows)
    parts = threads == 1 || shape.flops < Self.leastFlops ? 1 : max(1, min(heads &* blocks, threads &* 4))
    func rounded(_ count: Int) -> Int { (count &+ 15) & ~15 }
    let table = kernels.table
    packedCount =
      rows < Self.packedRows
      ? 0 : rounded(Int(table.pointee.packed_b_floats(Int64(shape.headSize), Int64(shape.keys))))
    let values = shape.keys &* shape.valueSize
    valueCount = values > Self.scatteredValues && rows >= 4 &* Self.blockRows ? rounded(values) : 0
    scoreCount = rounded(Int(table.pointee.attention_workspace_floats(Int64(shape.keys))))
    maskCount = mask.mustBeFilled ? rounded(min(rows, Self.blockRows) &* shape.keys) : 0
  }

  private var partCount: Int { packedCount &+ valueCount &+ scoreCount &+ maskCount }
  /// Floats of workspace.
  var workspaceCount: Int { parts &* partCount }

  /// Where something is in memory.
  struct Operand {
    let start: UnsafePointer<Float>
    let layout: AttentionShape.Layout
  }

  func run(_ io: borrowing StepIO, _ keys: Operand, _ values: Operand, _ scratch: UnsafeMutablePointer<Float>) {
    io.parallel(parts) { part in
      let scratch = scratch + part &* partCount
      let units = ProductSplit.slice(heads &* blocks, part, of: parts)
      var unit = units.lowerBound
      while unit < units.upperBound {
        let head = unit / blocks
        let end = min(units.upperBound, (head &+ 1) &* blocks)
        let first = ProductSplit.slice(rows, unit &- head &* blocks, of: blocks).lowerBound
        let last = ProductSplit.slice(rows, end &- 1 &- head &* blocks, of: blocks).upperBound
        attend(io, head, first..<last, keys, values, scratch)
        unit = end
      }
    }
  }

  /// - Parameter head: counts key heads where these join their query heads, query heads otherwise.
  private func attend(
    _ io: borrowing StepIO, _ head: Int, _ range: Range<Int>, _ keys: Operand, _ values: Operand,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    let perBatch = joinsHeads ? shape.keyHeads : shape.queryHeads
    let batch = head / perBatch, index = head &- batch &* perBatch
    let keyHead = joinsHeads ? index : index / shape.group
    let queryHead = joinsHeads ? index &* shape.group : index
    let reach = mask.reach(io, lengths: 6, batch: batch, queries: shape.queries, keys: shape.keys)
    var arguments = dlk_attention_args()
    arguments.queries = Int64(rows)
    arguments.keys = Int64(reach.keys)
    arguments.depth = Int64(shape.headSize)
    arguments.value_depth = Int64(shape.valueSize)
    arguments.q = io.input(0, as: Float.self) + shape.query.offset(batch, queryHead)
    arguments.q_row_stride = Int64(joinsHeads ? shape.query.head : shape.query.position)
    arguments.k = keys.start + keys.layout.offset(batch, keyHead)
    arguments.k_row_stride = Int64(keys.layout.position)
    arguments.v = values.start + values.layout.offset(batch, keyHead)
    arguments.v_row_stride = Int64(values.layout.position)
    arguments.out = io.output(0, as: Float.self) + shape.result.offset(batch, queryHead)
    arguments.out_row_stride = Int64(joinsHeads ? shape.result.head : shape.result.position)
    arguments.scale = scale
    arguments.softcap = softcap
    arguments.unseen = unseen
    if let offset = reach.causalOffset {
      if joinsHeads {
        // All rows are of one position.
        arguments.keys = Int64(max(0, min(reach.keys, offset &+ 1)))
      } else {
        arguments.causal = 1
        arguments.causal_offset = Int64(offset)
      }
    }
    if packedCount > 0 {
      pack(arguments, scratch)
      arguments.k = UnsafePointer(scratch)
      arguments.k_packed = 1
    }
    if valueCount > 0, arguments.v_row_stride > arguments.value_depth {
      let target = scratch + packedCount, count = shape.valueSize
      var key = 0
      while key < reach.keys {
        (target + key &* count).update(from: arguments.v + key &* values.layout.position, count: count)
        key &+= 1
      }
      arguments.v = UnsafePointer(target)
      arguments.v_row_stride = arguments.value_depth
    }
    let workspace = scratch + (packedCount &+ valueCount)
    arguments.workspace = workspace
    guard mask.mustBeFilled else {
      if let direct = mask.direct(io, mask: 3, batch: batch, head: queryHead, perHead: joinsHeads) {
        (arguments.mask, arguments.mask_row_stride) = (direct.start, Int64(direct.rowStride))
      }
      kernels.table.pointee.attention(&arguments, Int64(range.lowerBound), Int64(range.upperBound))
      return
    }
    let lines = workspace + scoreCount
    var first = range.lowerBound
    while first < range.upperBound {
      let end = min(range.upperBound, first &+ Self.blockRows)
      for row in first..<end {
        mask.fill(
          io, mask: 3, lengths: 6, lines + (row &- first) &* reach.keys, batch: batch,
          head: joinsHeads ? queryHead &+ row : queryHead, query: joinsHeads ? 0 : row, queries: shape.queries,
          keys: shape.keys, columns: reach.keys)
      }
      // The kernel counts the mask's rows from query 0.
      arguments.mask = UnsafePointer(lines) - first &* reach.keys
      arguments.mask_row_stride = Int64(reach.keys)
      // No query of the block sees what lies before its first query's window.
      let seen = mask.limits(
        io, lengths: 6, batch: batch, query: joinsHeads ? 0 : first, queries: shape.queries, keys: reach.keys)
      let panel = Int(kernels.table.pointee.gemm_panel)
      var rest = arguments.skipping(seen.lowerBound / panel &* panel)
      kernels.table.pointee.attention(&rest, Int64(first), Int64(end))
      first = end
    }
  }

  private func pack(_ arguments: dlk_attention_args, _ target: UnsafeMutablePointer<Float>) {
    var packing = dlk_pack_b_args(
      arguments.k, k: shape.headSize, n: Int(arguments.keys), kStride: 1, nStride: Int(arguments.k_row_stride),
      packed: target)
    let width = Int64(kernels.table.pointee.gemm_panel)
    kernels.table.pointee.pack_b(&packing, 0, (arguments.keys &+ width &- 1) / width)
  }
}

extension dlk_attention_args {
  /// The same without the first keys, whole panels of them if they are packed.
  fileprivate func skipping(_ count: Int) -> dlk_attention_args {
    var rest = self
    rest.keys &-= Int64(count)
    rest.k += count &* Int(k_packed == 0 ? k_row_stride : depth)
    rest.v += count &* Int(v_row_stride)
    rest.mask = mask.map { $0 + count }
    rest.causal_offset &-= Int64(count)
    return rest
  }
}
