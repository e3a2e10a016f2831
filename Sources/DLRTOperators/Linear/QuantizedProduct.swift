import DLRTGraph

/// The int32 product of two matrices of bytes less their zero points, which MatMulInteger and QLinearMatMul share. A
/// constant B is packed once.
final class QuantizedProduct: Sendable {
  private let batch: MatrixProduct
  private let panels: MatrixProduct
  private let product: PairProduct
  private let a: QuantizedOperand
  private let b: QuantizedOperand
  private let kernels: KernelSet
  /// B in panels; nil where every run packs it.
  private let packed: TensorStorage?
  private let packedOffset: Int
  /// Scratch bytes, aligned to 64.
  let workspace: Int
  let input: Int

  /// Rows of A that one call of the kernel takes, a multiple of a tile's.
  private static let blockRows = 48

  init(_ planning: Planning, a: QuantizedOperand, b: QuantizedOperand, bZero: Int) throws {
    batch = MatrixProduct(matmul: planning.shape(a.input), planning.shape(b.input))
    let product = PairProduct(m: batch.m, n: batch.n, k: batch.k)
    self.product = product
    panels = batch.renumbered(a: 0, b: product.packedWords)
    self.a = a
    self.b = b
    kernels = planning.kernels
    input = b.input
    let matrices = batch.matrices(.b)
    let bytes = matrices * product.packedWords * 4
    if let constant = planning.constant(b.input), !planning.has(bZero) || planning.constant(bZero) != nil {
      let zero = planning.constant(bZero)
      packed = try planning.packed(constant, with: [zero], format: "pairs", byteCount: bytes) { source, target in
        let wide = try TensorStorage(byteCount: max(b.byteCount, 1))
        let elements = wide.base.assumingMemoryBound(to: Int16.self)
        source.whole { b.widen(0..<b.rows, $0, zero?.pointer, elements) }
        let words = target.assumingMemoryBound(to: UInt32.self)
        for unit in 0..<matrices * product.panels { Self.pack(product, unit, elements, words) }
      }
    } else {
      packed = nil
    }
    packedOffset = packed == nil ? a.byteCount + b.byteCount : 0
    workspace = packed == nil ? packedOffset + ((bytes + 63) & ~63) : a.byteCount
  }

  /// Inputs whose own bytes are not read.
  var skippedInputs: Set<Int> { packed == nil ? [] : [input] }
  var flops: Int { batch.flops }

  private static func pack(
    _ product: PairProduct, _ unit: Int, _ elements: UnsafePointer<Int16>, _ words: UnsafeMutablePointer<UInt32>
  ) {
    product.pack(
      elements + unit / product.panels &* product.k &* product.n, stride: product.n, panel: unit % product.panels,
      into: words + unit &* product.panelWords)
  }

  func run(_ io: borrowing StepIO, _ c: UnsafeMutablePointer<Int32>) {
    let left = io.workspace.assumingMemoryBound(to: Int16.self)
    a.widen(io, left)
    let words: UnsafePointer<UInt32>
    if let packed {
      words = UnsafePointer(packed.base.assumingMemoryBound(to: UInt32.self))
    } else {
      let elements = (io.workspace + a.byteCount).assumingMemoryBound(to: Int16.self)
      b.widen(io, elements)
      let target = (io.workspace + packedOffset).assumingMemoryBound(to: UInt32.self)
      io.parallel(Chunks(batch.matrices(.b) &* product.panels, cost: Double(product.k) * 20)) { range in
        for unit in range { Self.pack(product, unit, elements, target) }
      }
      words = UnsafePointer(target)
    }
    let blocks = (product.m &+ Self.blockRows &- 1) / Self.blockRows
    let units = batch.batchCount &* product.panels &* blocks
    let cost = Double(min(product.m, Self.blockRows)) * Double(product.k) * 0.5
    io.parallel(Chunks(units, cost: cost)) { range in
      for unit in range { run(unit, blocks, left, words, c) }
    }
  }

  private func run(
    _ unit: Int, _ blocks: Int, _ left: UnsafePointer<Int16>, _ words: UnsafePointer<UInt32>,
    _ c: UnsafeMutablePointer<Int32>
  ) {
    let index = unit / (product.panels &* blocks)
    let panel = unit / blocks % product.panels
    let row = unit % blocks &* Self.blockRows
    let places = batch.offsets(index)
    let (rowLength, pitch) = (max(product.k, 1), product.pairs)
    let aRow = batch.a.row / rowLength &* pitch
    product.run(
      kernels, left + 2 &* (places.a / rowLength &* pitch &+ row &* aRow), aRow: aRow,
      rows: min(Self.blockRows, product.m &- row), words + (panels.offsets(index).b &+ panel &* product.panelWords),
      panel: panel, c + (places.c &+ row &* batch.cRow), cRow: batch.cRow)
  }
}
