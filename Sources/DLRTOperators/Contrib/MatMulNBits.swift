import CKernelSupport
import DLRTGraph
import DLRTKernels

/// com.microsoft MatMulNBits (1): A [.., K] · Bᵀ + bias, where B [N, blocks, bytes] holds numbers of 2, 4 or 8 bits in blocks
/// of `block_size` along K that share a scale and a zero point. Zero points are packed like the numbers, or floats; `g_idx`
/// [K] names the block of each column where they were reordered.
///
/// Computed in float32, whatever `accuracy_level` allows.
package struct MatMulNBits: Operator {
  package static let schema = OperatorSchema.microsoft(
    "MatMulNBits",
    [
      ("A", "T1"), ("B", "T2"), ("scales", "T1"), ("zero_points?", "T3"), ("g_idx?", "T4"), ("bias?", "T1"),
    ],
    [("Y", "T1")],
    ["T1": [.float32, .halfFloats], "T2": .uint8, "T3": [.uint8, .float32, .halfFloats], "T4": .int32])
  package static let promotedTypes = TypeSet.halfFloats

  private let weights: NBitWeights

  package init(_ attributes: inout AttributeReader) throws {
    let bits = try attributes.int("bits", default: 4)
    let block = try attributes.int("block_size")
    let rows = try attributes.int("N")
    let columns = try attributes.int("K")
    attributes.ignore("accuracy_level")
    try attributes.require("weight_prepacked", 0, "weights in another layout are not implemented")
    guard [2, 4, 8].contains(bits) else {
      throw DLRTError(.unsupportedModel, "no such width", tensor: "bits", expected: "2, 4 or 8", got: "\(bits)")
    }
    guard block >= 8, block <= 1 << 20, block & (block - 1) == 0 else {
      throw DLRTError(
        .invalidModel, "out of range", tensor: "block_size", expected: "a power of two from 8 on", got: "\(block)")
    }
    for (name, size) in [("N", rows), ("K", columns)] where size <= 0 || size > 1 << 31 {
      throw DLRTError(.invalidModel, "out of range", tensor: name, expected: "1...\(1 << 31)", got: "\(size)")
    }
    weights = NBitWeights(rows: rows, columns: columns, bits: bits, block: block)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    var shape = try inference.shape(0)
    guard shape.rank > 0, !shape[shape.rank - 1].provablyDiffers(.known(weights.columns)) else {
      throw DLRTError(
        .invalidModel, "does not fit K", tensor: "A", expected: "[.., \(weights.columns)]", got: "\(shape)")
    }
    let (rows, blocks) = (weights.rows, weights.blocks)
    try inference.requireCount(1, rows * blocks * weights.blockBytes)
    try inference.requireCount(2, rows * blocks)
    if inference.has(3) {
      let isPacked = isPacked(try inference.type(3))
      try inference.requireCount(3, rows * (isPacked ? weights.zeroBytes : blocks))
    }
    if inference.has(4) { try inference.requireCount(4, weights.columns, or: blocks * weights.block) }
    if inference.has(5) { try inference.requireCount(5, rows) }
    shape[shape.rank - 1] = .known(rows)
    inference.set(0, type, shape)
  }

  private func isPacked(_ type: DataType) -> Bool { type == .uint8 }

  package func plan(_ planning: inout Planning) throws -> Step {
    let shape = planning.shape(0)
    let m = shape.product(0..<shape.count - 1)
    let (n, k) = (weights.rows, weights.columns)
    let product = MatrixProduct(
      m: m, n: n, k: k, a: MatrixProduct.Matrix(columns: k), b: MatrixProduct.Matrix(columns: k).transposed, cRow: n)
    let kind: NBitWeights.Zeros = planning.has(3) ? isPacked(planning.type(3)) ? .packed : .floats : .none
    let hasBias = planning.has(5)
    if let packed = try packed(planning, kind) {
      let floats = FloatProduct(product, planning, packed: packed)
      return Step(
        kernel: floats.name, flops: product.flops, workspace: floats.workspace, skippedInputs: [1, 2, 3, 4]
      ) { io in
        var epilogue = dlk_epilogue.plain
        if hasBias { epilogue.bias = io.input(5, as: Float.self) }
        let a = io.input(0, as: Float.self)
        floats.run(io, a, a, io.output(0, as: Float.self), epilogue, scratch: io.workspace)
      }
    }
    let floats = try FloatProduct(product, planning)
    let weights = weights
    let place = (floats.workspace + 63) & ~63
    return Step(kernel: floats.name, flops: product.flops, workspace: place + n * k * 4) { io in
      let wide = (io.workspace + place).assumingMemoryBound(to: Float.self)
      let parts = NBitWeights.Parts(
        bytes: io.input(1, as: UInt8.self), scales: io.input(2, as: Float.self),
        zeros: io.hasInput(3) ? io.input(3) : nil, kind: kind,
        groups: io.hasInput(4) ? io.input(4, as: Int32.self) : nil)
      if let groups = parts.groups { try weights.check(groups) }
      io.parallel(Chunks(n, cost: Double(k))) { range in
        for row in range { weights.expand(parts, row: row, wide + row &* k) }
      }
      var epilogue = dlk_epilogue.plain
      if hasBias { epilogue.bias = io.input(5, as: Float.self) }
      floats.run(io, io.input(0, as: Float.self), wide, io.output(0, as: Float.self), epilogue, scratch: io.workspace)
    }
  }

  /// The weights as the kernel's panels, made once; nil where they are not constants.
  private func packed(_ planning: Planning, _ kind: NBitWeights.Zeros) throws -> TensorStorage? {
    guard let bytes = planning.constant(1), var scales = planning.constant(2) else { return nil }
    for index in [3, 4] where planning.has(index) && planning.constant(index) == nil { return nil }
    scales = try scales.aligned()
    let zeros = planning.constant(3)
    let groups = try planning.constant(4)?.aligned()
    let table = planning.kernels.table
    let (weights, n, k) = (weights, weights.rows, weights.columns)
    if let groups { try weights.check(groups.pointer.assumingMemoryBound(to: Int32.self)) }
    // The same bytes may be used with other scales.
    let others = [planning.constant(2), zeros, planning.constant(4)]
    return try planning.packed(bytes, with: others, format: "nbits \(weights.bits) \(weights.block)") { bytes in
      let width = Int(table.pointee.gemm_panel)
      let total = Int(table.pointee.packed_b_floats(Int64(k), Int64(n)))
      let storage = try TensorStorage(byteCount: total * 4)
      let rows = try TensorStorage(byteCount: width * k * 4)
      let wide = rows.base.assumingMemoryBound(to: Float.self)
      let target = storage.base.assumingMemoryBound(to: Float.self)
      let parts = NBitWeights.Parts(
        bytes: bytes.pointer.assumingMemoryBound(to: UInt8.self),
        scales: scales.pointer.assumingMemoryBound(to: Float.self), zeros: zeros?.pointer, kind: kind,
        groups: groups?.pointer.assumingMemoryBound(to: Int32.self))
      for first in Swift.stride(from: 0, to: n, by: width) {
        let count = min(width, n - first)
        for row in 0..<count { weights.expand(parts, row: first + row, wide + row * k) }
        var arguments = dlk_pack_b_args(wide, k: k, n: count, kStride: 1, nStride: k, packed: target + first * k)
        table.pointee.pack_b(&arguments, 0, 1)
      }
      return storage
    }
  }
}

extension Inference {
  /// Refuses an input that surely has not as many elements.
  func requireCount(_ index: Int, _ count: Int, or other: Int? = nil) throws {
    let shape = try shape(index)
    guard let own = shape.sizes?.product, own != count, own != other ?? count else { return }
    throw DLRTError(.invalidModel, "wrong size", tensor: name(index), expected: "\(count) elements", got: "\(shape)")
  }
}
