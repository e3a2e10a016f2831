import CKernelSupport

/// The widest vector of this module's instruction set.
typealias VF = dlk_vf
typealias VI = dlk_vi

typealias Source = UnsafePointer<Float>
typealias Target = UnsafeMutablePointer<Float>

/// Floats in a `VF`.
@inline(__always) var lanes: Int { VF.scalarCount }

@inline(__always) func ceilDivide(_ a: Int, _ b: Int) -> Int { (a &+ b &- 1) / b }

/// The first `count` lanes from memory, `fill` in the others.
@inline(__always) func loadPartial(_ source: UnsafeRawPointer, _ count: Int, fill: VF) -> VF {
  dlk_select(dlk_first_lanes(count), dlk_load_partial(source, count), fill)
}

/// As many vectors as a vector has lanes.
#if DL_AVX512
  typealias VectorBlock = InlineArray<16, VF>
#elseif DL_AVX2
  typealias VectorBlock = InlineArray<8, VF>
#else
  typealias VectorBlock = InlineArray<4, VF>
#endif

/// Transposes by interleaving the two halves of the block, as often as it takes to halve it down to one vector.
@inline(__always) func transposeInRegisters(_ block: inout VectorBlock) {
  let half = lanes / 2
  var distance = half
  while distance > 0 {
    let from = block
    for i in 0..<half {
      block[2 &* i] = dlk_zip_low(from[i], from[i &+ half])
      block[2 &* i &+ 1] = dlk_zip_high(from[i], from[i &+ half])
    }
    distance /= 2
  }
}

/// Calls `body` with the address of `storage`, which must be a local variable.
@inline(__always) func withAddress<T, R>(of storage: inout T, _ body: (UnsafeMutableRawPointer) -> R) -> R {
  withUnsafeMutablePointer(to: &storage) { body(UnsafeMutableRawPointer($0)) }
}
