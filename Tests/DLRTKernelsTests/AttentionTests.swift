import CKernelSupport
import DLRTKernels
import Glibc
import Testing

@Suite struct AttentionTests {
  @Test(arguments: KernelLibrary.available)
  func attentionMatchesNaive(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<80 {
      var random = SeededGenerator(seed)
      check(
        kernels, &random, seed, queries: random.pick([1, 2, 7, 50, 121]),
        keys: random.pick([1, 5, 16, 49, 63, 64, 100, 150]),
        depth: random.pick([1, 8, 33]), valueDepth: random.pick([1, 8, 40]))
    }
  }

  /// More keys than the scores of one block.
  @Test(arguments: KernelLibrary.available)
  func longSequencesAreCarriedFromBlockToBlock(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<6 {
      var random = SeededGenerator(seed)
      check(kernels, &random, seed, queries: 3, keys: random.pick([4097, 8200, 9000]), depth: 4, valueDepth: 5)
    }
  }

  /// A block of fewer keys has more queries, for which the workspace must have room.
  @Test(arguments: KernelLibrary.available, [2048, 1820, 600, 341])
  func fewerKeysThanTheWorkspaceIsFor(isa: ISA, keys: Int) {
    var random = SeededGenerator(keys)
    check(
      KernelLibrary.table(for: isa), &random, keys, queries: 217, keys: keys, depth: 4, valueDepth: 3,
      roomFor: keys + 1)
  }

  private func check(
    _ kernels: Kernels, _ random: inout SeededGenerator, _ seed: Int, queries: Int, keys: Int, depth: Int,
    valueDepth: Int, roomFor mostKeys: Int? = nil
  ) {
    let q = Guarded(random: queries * depth, &random), k = Guarded(random: keys * depth, &random)
    let v = Guarded(random: keys * valueDepth, &random)
    var shared = random
    let hidesAll = random.int(0...9) == 0
    let mask = Guarded<Float>(queries * keys) { _ in
      hidesAll || shared.int(0...5) == 0 ? -.infinity : shared.float()
    }
    random = shared
    let out = Guarded<Float>(queries * valueDepth) { _ in .nan }
    let packed = Guarded<Float>(Int(kernels.pointee.packed_b_floats(Int64(depth), Int64(keys)))) { _ in .nan }
    var pack = dlk_pack_b_args(k.pointer, k: depth, n: keys, kStride: 1, nStride: depth, packed: packed.base)
    let panel = Int64(kernels.pointee.gemm_panel)
    kernels.pointee.pack_b(&pack, 0, (Int64(keys) + panel - 1) / panel)
    let workspace = Guarded<Float>(Int(kernels.pointee.attention_workspace_floats(Int64(mostKeys ?? keys)))) { _ in .nan
    }

    var args = dlk_attention_args()
    (args.queries, args.keys, args.depth, args.value_depth) = (
      Int64(queries), Int64(keys), Int64(depth), Int64(valueDepth)
    )
    (args.q, args.q_row_stride, args.k, args.k_packed) = (q.pointer, Int64(depth), packed.pointer, 1)
    if random.int(0...2) == 0 { (args.k, args.k_row_stride, args.k_packed) = (k.pointer, Int64(depth), 0) }
    (args.v, args.v_row_stride) = (v.pointer, Int64(valueDepth))
    (args.out, args.out_row_stride, args.scale) = (out.base, Int64(valueDepth), 0.7)
    args.workspace = workspace.base
    let masks = random.int(0...1) == 1
    if masks { (args.mask, args.mask_row_stride) = (mask.pointer, random.int(0...1) == 0 ? 0 : Int64(keys)) }
    if random.int(0...2) == 0 { args.softcap = 0.8 }
    if random.int(0...1) == 0 {
      args.causal = 1
      args.causal_offset = Int64(random.pick([0, -1, keys - queries, 3]))
    }
    let middle = Int64(random.int(0...queries))
    kernels.pointee.attention(&args, 0, middle)
    kernels.pointee.attention(&args, middle, Int64(queries))

    for i in 0..<queries {
      let visible = args.causal == 0 ? keys : max(0, min(keys, i + Int(args.causal_offset) + 1))
      var scores = (0..<visible).map { j in
        0.7 * (0..<depth).reduce(0.0) { $0 + Double(q[i * depth + $1]) * Double(k[j * depth + $1]) }
      }
      for j in 0..<visible {
        if args.softcap != 0 { scores[j] = 0.8 * tanh(scores[j] / Double(args.softcap)) }
        if masks { scores[j] += Double(mask[i * Int(args.mask_row_stride) + j]) }
      }
      let top = scores.max() ?? 0
      let weights = scores.map { exp($0 - top) }, sum = weights.reduce(0, +)
      for d in 0..<valueDepth {
        let total = (0..<visible).reduce(0.0) { $0 + weights[$1] * Double(v[$1 * valueDepth + d]) }
        let value = visible == 0 || top == -.infinity ? 0 : total / sum, got = Double(out[i * valueDepth + d])
        if !(abs(got - value) < 1e-5) {
          Issue.record(
            """
            seed \(seed), queries \(queries), keys \(keys), causal \(args.causal) \(args.causal_offset), \
            mask \(masks): [\(i)][\(d)] expected \(value), got \(got)
            """)
          return
        }
      }
    }
  }
}
