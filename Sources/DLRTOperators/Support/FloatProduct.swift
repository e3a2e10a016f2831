import CKernelSupport
import DLRTGraph
import DLRTKernels

/// A batch of float32 matrix products by the kernels of an instruction set: B in packed panels, made once if it is
/// constant, or read as it is where packing would not pay.
package final class FloatProduct: Sendable {
  /// Where the kernel finds B.
  private enum Columns: Sendable {
    /// Packed at load.
    case constant(TensorStorage)
    /// Packed in the workspace by the thread that then multiplies.
    case own
    /// Packed in the workspace by all threads before they multiply.
    case shared
    case direct
    /// A constant read where the model has it.
    case place(Tensor)
  }

  /// Where the kernel finds A, whose rows must be adjacent elements.
  private enum Rows: Sendable {
    case direct
    case constant(TensorStorage)
    case copied
  }

  private let product: MatrixProduct
  private let kernels: KernelSet
  private let columns: Columns
  private let rows: Rows
  private let split: ProductSplit
  private let threads: Int
  /// Floats of one packed B, and of one copied A.
  private let packedCount: Int
  private let copiedCount: Int
  private let panels: Int
  /// The batch in units of packed or copied matrices.
  private let made: MatrixProduct
  /// The products are made in pairs, with a constant B.
  private let pairs: PairedProducts?

  /// - Parameters:
  ///   - a: the first operand's data, if constant.
  ///   - b: the second operand's data, if constant.
  ///   - addsLast: the epilogue adds after its activation.
  package init(
    _ product: MatrixProduct, _ planning: Planning, a: Tensor? = nil, b: Tensor? = nil, addsLast: Bool = false
  ) throws {
    self.product = product
    kernels = planning.kernels
    threads = planning.threads
    let table = kernels.table
    let width = Int(table.pointee.gemm_panel)
    panels = (product.n &+ width &- 1) / width
    let isConstant = b != nil && product.n > 1 && !Self.isReadOnce(product)
    pairs = isConstant ? PairedProducts(m: product.m, n: product.n, k: product.k, addsLast: addsLast, kernels) : nil
    let floats = pairs == nil ? table.pointee.packed_b_floats : table.pointee.paired_b_floats
    packedCount = (Int(floats(Int64(product.k), Int64(product.n))) &+ 15) & ~15
    copiedCount = (product.m &* product.k &+ 15) & ~15
    let made = product.renumbered(a: copiedCount, b: packedCount)
    self.made = made
    let batch = product.batchCount
    let split = ProductSplit(
      batch: batch, m: product.m, panels: panels, rowUnit: Int(table.pointee.gemm_rows), work: Self.work(product),
      threads: planning.threads, weighsMore: product.n > product.m)
    self.split = split
    if let b, isConstant {
      columns = .constant(try Self.pack(b, made, product, kernels, planning, packedCount, inPairs: pairs != nil))
    } else if let b, Self.isReadOnce(product) {
      columns = .place(b)
    } else if !Self.paysToPack(product) {
      columns = .direct
    } else {
      columns = made.matrices(.b) == batch && split.rowParts == 1 && split.panelParts == 1 ? .own : .shared
    }
    if product.a.column == 1 || product.k <= 1 {
      rows = .direct
    } else if let a {
      rows = .constant(try Self.copyRows(a, made, product, planning, copiedCount))
    } else {
      rows = .copied
    }
  }

  /// A product with one B that the caller has packed.
  package init(_ product: MatrixProduct, _ planning: Planning, packed: TensorStorage) {
    self.product = product
    kernels = planning.kernels
    threads = planning.threads
    panels = (product.n &+ Int(kernels.table.pointee.gemm_panel) &- 1) / Int(kernels.table.pointee.gemm_panel)
    packedCount = 0
    copiedCount = 0
    made = product.renumbered(a: 0, b: 0)
    split = ProductSplit(
      batch: 1, m: product.m, panels: panels, rowUnit: Int(kernels.table.pointee.gemm_rows), work: Self.work(product),
      threads: planning.threads, weighsMore: product.n > product.m)
    columns = .constant(packed)
    rows = .direct
    pairs = nil
  }

  /// Floating-point operations, or what could be done while B comes from memory, where that takes longer.
  private static func work(_ product: MatrixProduct) -> Int {
    product.m == 0 ? 0 : product.flops / product.m &* max(product.m, 10)
  }

  private var skipsB: Bool {
    switch columns {
    case .constant, .place: true
    case .own, .shared, .direct: false
    }
  }
  private var skipsA: Bool { if case .constant = rows { true } else { false } }

  /// The inputs that are never read, given the indices of A and B.
  package func skipped(_ a: Int, _ b: Int) -> Set<Int> {
    Set((skipsA ? [a] : []) + (skipsB ? [b] : []))
  }

  private var packedMatrices: Int {
    switch columns {
    case .constant, .direct, .place: 0
    case .own: split.count
    case .shared: made.matrices(.b)
    }
  }

  private var copiedMatrices: Int { if case .copied = rows { made.matrices(.a) } else { 0 } }

  /// Where the packed weights start that a run begins with.
  package var firstRead: UnsafeRawPointer? {
    if case .constant(let storage) = columns { UnsafeRawPointer(storage.base) } else { nil }
  }

  /// Bytes of workspace.
  package var workspace: Int {
    operandFloats &* 4 &+ (pairs?.workspaceFloats ?? 0) &* 4 &* (split.count > 1 ? threads : 1)
  }

  private var operandFloats: Int { packedMatrices &* packedCount &+ copiedMatrices &* copiedCount }

  /// The kernel's name for profiles.
  package var name: String {
    let method =
      switch columns {
      case .constant: pairs == nil ? "gemm" : "gemm-pairs"
      case .own, .shared: "gemm-packing"
      case .direct, .place: "gemm-direct"
      }
    return KernelLibrary.name(method, isa: kernels.isa)
  }

  /// A single row reads each weight once, at the speed of memory wherever it lies: packing would only copy what does not
  /// stay in the nearer caches from one run to the next.
  private static func isReadOnce(_ product: MatrixProduct) -> Bool {
    product.m == 1 && product.batch.isEmpty && (product.b.column == 1 || product.b.row == 1)
      && product.k &* product.n >= 1 << 18
  }

  /// Packing reads and writes B once; reading it as it is costs the kernel more than that only when many rows use it
  /// and it does not stay in the second-level cache, or when its columns are far apart.
  private static func paysToPack(_ product: MatrixProduct) -> Bool {
    if product.n <= 1 { return false }
    if product.b.column == 1 {
      return product.m >= 48 && product.k &* product.n > 1 << 18
    }
    return product.m >= (product.b.row == 1 ? 8 : 2)
  }
}

// MARK: Preparing operands

extension FloatProduct {
  private static func pack(
    _ b: Tensor, _ made: MatrixProduct, _ product: MatrixProduct, _ kernels: KernelSet, _ planning: Planning,
    _ packedCount: Int, inPairs: Bool
  ) throws -> TensorStorage {
    let matrices = made.matrices(.b)
    let method = inPairs ? "gemm-pairs" : "gemm"
    let format =
      "\(kernels.isa.name)-\(method)-\(product.k)x\(product.n)-\(product.b.row)-\(product.b.column)-\(matrices)"
    let width = Int(kernels.table.pointee.gemm_panel)
    let panels = (product.n + width - 1) / width
    let (row, column) = (product.b.row, product.b.column)
    return try planning.packed(b, format: format, byteCount: matrices * packedCount * 4) { source, target in
      let target = target.assumingMemoryBound(to: Float.self)
      func arguments(_ source: UnsafeRawPointer, _ place: Int) -> dlk_pack_b_args {
        var arguments = dlk_pack_b_args(
          source, k: product.k, n: product.n, kStride: row, nStride: column, packed: target + place)
        arguments.paired = inPairs ? 1 : 0
        return arguments
      }
      if matrices == 1, row == 1, column == product.k {
        try source.parts(of: panels, unitBytes: width * product.k * 4) { range, base in
          var arguments = arguments(base, 0)
          kernels.table.pointee.pack_b(&arguments, Int64(range.lowerBound), Int64(range.upperBound))
        }
      } else if matrices == 1, column == 1, row == product.n {
        try source.parts(of: product.k, unitBytes: product.n * 4) { range, base in
          var arguments = arguments(base, 0)
          arguments.row_begin = Int64(range.lowerBound)
          arguments.row_end = Int64(range.upperBound)
          kernels.table.pointee.pack_b(&arguments, 0, Int64(panels))
        }
      } else {
        source.whole { base in
          forEachMatrix(made, product, .b) { place, offset in
            var arguments = arguments(base + offset * 4, place)
            kernels.table.pointee.pack_b(&arguments, 0, Int64(panels))
          }
        }
      }
      guard inPairs else { return }
      for matrix in 0..<matrices {
        PairedProducts.pair(target + matrix * packedCount, k: product.k, n: product.n, kernels, source.pool)
      }
    }
  }

  private static func copyRows(
    _ a: Tensor, _ made: MatrixProduct, _ product: MatrixProduct, _ planning: Planning, _ copiedCount: Int
  ) throws -> TensorStorage {
    let matrices = made.matrices(.a)
    let format = "rows-\(product.m)x\(product.k)-\(product.a.row)-\(product.a.column)-\(matrices)"
    let tensor = try planning.environment.weights.aligned(a)
    return try planning.packed(a, format: format, byteCount: matrices * copiedCount * 4) { _, target in
      let target = target.assumingMemoryBound(to: Float.self)
      let source = tensor.pointer.assumingMemoryBound(to: Float.self)
      forEachMatrix(made, product, .a) { place, offset in
        copyRows(product, source + offset, target + place, 0..<product.m)
      }
    }
  }

  /// Calls `body` for each different matrix of one operand, with its place among the made ones and in the original.
  private static func forEachMatrix(
    _ made: MatrixProduct, _ product: MatrixProduct, _ operand: MatrixProduct.Operand,
    _ body: (Int, Int) -> Void
  ) {
    let places = zip(made.batch, product.batch).filter { $0.0[operand] != 0 }
    let target = places.map { StridedAxis(size: $0.0.size, stride: $0.0[operand]) }
    let source = places.map { StridedAxis(size: $0.1.size, stride: $0.1[operand]) }
    for index in 0..<target.combinations { body(target.offset(index), source.offset(index)) }
  }

  /// Rows of A as adjacent elements; in blocks, so that the strided side stays in cache.
  private static func copyRows(
    _ product: MatrixProduct, _ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ rows: Range<Int>
  ) {
    let block = 16
    var first = rows.lowerBound
    while first < rows.upperBound {
      let end = min(first &+ block, rows.upperBound)
      for column in 0..<product.k {
        let from = source + column &* product.a.column
        let to = target + column
        for row in first..<end { to[row &* product.k] = from[row &* product.a.row] }
      }
      first = end
    }
  }
}

// MARK: Running

extension FloatProduct {
  /// C = epilogue(A · B) for the whole batch.
  ///
  /// - Parameters:
  ///   - epilogue: its addend, if any, is laid out as C; its bias serves all products.
  ///   - scratch: `workspace` bytes.
  package func run(
    _ io: borrowing StepIO, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ c: UnsafeMutablePointer<Float>,
    _ epilogue: dlk_epilogue = .plain, scratch: UnsafeMutableRawPointer
  ) {
    guard product.m > 0, product.n > 0, split.count > 0 else { return }
    let packed = scratch.assumingMemoryBound(to: Float.self)
    let copied = packed + packedMatrices &* packedCount
    if case .copied = rows { copyAll(io, a, copied) }
    if case .shared = columns { packAll(io, b, packed) }
    let rooms = packed + operandFloats
    io.parallel(split.count) { index, thread in
      let part = split.part(index)
      let room = pairs.map { rooms + thread &* $0.workspaceFloats }
      let upcoming = io.isLast(index, of: split.count) ? io.upcoming : nil
      for number in part.batch {
        multiply(
          number, part.rows, part.panels, a, b, c, epilogue, packed: packed, own: packed + index &* packedCount,
          copied: copied, room: room, next: number == part.batch.upperBound &- 1 ? upcoming : nil)
      }
    }
  }

  private func multiply(
    _ index: Int, _ rowRange: Range<Int>, _ panelRange: Range<Int>, _ a: UnsafePointer<Float>,
    _ b: UnsafePointer<Float>, _ c: UnsafeMutablePointer<Float>, _ epilogue: dlk_epilogue,
    packed: UnsafeMutablePointer<Float>, own: UnsafeMutablePointer<Float>, copied: UnsafeMutablePointer<Float>,
    room: UnsafeMutablePointer<Float>?, next: UnsafeRawPointer?
  ) {
    let offsets = product.offsets(index)
    let places = made.offsets(index)
    var arguments = dlk_gemm_args()
    arguments.m = Int64(product.m)
    arguments.n = Int64(product.n)
    arguments.k = Int64(product.k)
    switch rows {
    case .direct:
      arguments.a = a + offsets.a
      arguments.a_row_stride = Int64(product.a.row)
    case .constant(let storage):
      arguments.a = UnsafePointer(storage.base.assumingMemoryBound(to: Float.self)) + places.a
      arguments.a_row_stride = Int64(product.k)
    case .copied:
      arguments.a = UnsafePointer(copied) + places.a
      arguments.a_row_stride = Int64(product.k)
    }
    arguments.c = c + offsets.c
    arguments.c_row_stride = Int64(product.cRow)
    arguments.epilogue = epilogue
    arguments.next = next
    if let addend = epilogue.addend { arguments.epilogue.addend = addend + offsets.c }
    switch columns {
    case .direct, .place:
      arguments.b = b + offsets.b
      // What a file holds may have any alignment, which no kernel minds.
      if case .place(let tensor) = columns { arguments.b = tensor.pointer.assumingMemoryBound(to: Float.self) }
      arguments.b_row_stride = Int64(product.b.row)
      arguments.b_column_stride = Int64(product.n <= 1 ? 1 : product.b.column)
      // One column whose elements are adjacent is a dot product rather than a matrix of one column.
      if product.n <= 1, product.b.row == 1 { arguments.b_column_stride = Int64(product.k) }
      kernels.table.pointee.gemm_direct(
        &arguments, Int64(rowRange.lowerBound), Int64(rowRange.upperBound), Int64(panelRange.lowerBound),
        Int64(panelRange.upperBound))
      return
    case .constant(let storage):
      arguments.b = UnsafePointer(storage.base.assumingMemoryBound(to: Float.self)) + places.b
      (arguments.paired, arguments.workspace) = (room == nil ? 0 : 1, room)
    case .shared:
      arguments.b = UnsafePointer(packed) + places.b
    case .own:
      pack(b + offsets.b, own, 0..<panels)
      arguments.b = UnsafePointer(own)
    }
    kernels.table.pointee.gemm(
      &arguments, Int64(rowRange.lowerBound), Int64(rowRange.upperBound), Int64(panelRange.lowerBound),
      Int64(panelRange.upperBound))
  }

  private func pack(_ b: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ range: Range<Int>) {
    var arguments = dlk_pack_b_args(
      b, k: product.k, n: product.n, kStride: product.b.row, nStride: product.b.column, packed: target)
    kernels.table.pointee.pack_b(&arguments, Int64(range.lowerBound), Int64(range.upperBound))
  }

  private func packAll(_ io: borrowing StepIO, _ b: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>) {
    let axes = product.batch
    let count = made.matrices(.b)
    io.parallel(Chunks(count &* panels, cost: Double(packedCount) / Double(max(panels, 1)) * 0.1)) { range in
      var position = range.lowerBound
      while position < range.upperBound {
        let matrix = position / panels
        let first = position &- matrix &* panels
        let end = min(panels, first &+ range.upperBound &- position)
        pack(b + Self.sourceOffset(matrix, axes, .b), target + matrix &* packedCount, first..<end)
        position = position &+ end &- first
      }
    }
  }

  private func copyAll(_ io: borrowing StepIO, _ a: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>) {
    let axes = product.batch
    let count = made.matrices(.a)
    io.parallel(Chunks(count &* product.m, cost: Double(product.k), multiple: 16)) { range in
      var position = range.lowerBound
      while position < range.upperBound {
        let matrix = position / product.m
        let first = position &- matrix &* product.m
        let end = min(product.m, first &+ range.upperBound &- position)
        Self.copyRows(
          product, a + Self.sourceOffset(matrix, axes, .a), target + matrix &* copiedCount, first..<end)
        position = position &+ end &- first
      }
    }
  }

  /// Where the `index`-th different matrix of an operand is.
  private static func sourceOffset(
    _ index: Int, _ axes: [MatrixProduct.BatchAxis], _ operand: MatrixProduct.Operand
  ) -> Int {
    var rest = index
    var offset = 0
    for axis in axes.reversed() where axis[operand] != 0 {
      offset = offset &+ rest % axis.size &* axis[operand]
      rest /= axis.size
    }
    return offset
  }
}
