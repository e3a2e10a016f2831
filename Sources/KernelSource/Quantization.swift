import CKernelSupport

/// Bytes, signed or not.
private protocol Bytes {
  static var least: Float { get }
  static var greatest: Float { get }
  static func scalar(_ source: UnsafeRawPointer) -> Int32
  static func vector(_ source: UnsafeRawPointer) -> VI
  static func part(_ source: UnsafeRawPointer, _ count: Int) -> VI
}

private enum SignedBytes: Bytes {
  @inline(__always) static var least: Float { -128 }
  @inline(__always) static var greatest: Float { 127 }
  @inline(__always) static func scalar(_ source: UnsafeRawPointer) -> Int32 {
    Int32(truncatingIfNeeded: source.assumingMemoryBound(to: Int8.self).pointee)
  }
  @inline(__always) static func vector(_ source: UnsafeRawPointer) -> VI { dlk_load_i8(source) }
  @inline(__always) static func part(_ source: UnsafeRawPointer, _ count: Int) -> VI {
    dlk_load_i8_partial(source, count)
  }
}

private enum UnsignedBytes: Bytes {
  @inline(__always) static var least: Float { 0 }
  @inline(__always) static var greatest: Float { 255 }
  @inline(__always) static func scalar(_ source: UnsafeRawPointer) -> Int32 {
    Int32(truncatingIfNeeded: source.assumingMemoryBound(to: UInt8.self).pointee)
  }
  @inline(__always) static func vector(_ source: UnsafeRawPointer) -> VI { dlk_load_u8(source) }
  @inline(__always) static func part(_ source: UnsafeRawPointer, _ count: Int) -> VI {
    dlk_load_u8_partial(source, count)
  }
}

func quantize(_ args: dlk_quantize_args) {
  if args.is_signed != 0 { quantize(args, SignedBytes.self) } else { quantize(args, UnsignedBytes.self) }
}

func dequantize(_ args: dlk_dequantize_args) {
  if args.is_signed != 0 { dequantize(args, SignedBytes.self) } else { dequantize(args, UnsignedBytes.self) }
}

@inline(__always)
private func quantize<B: Bytes>(_ args: dlk_quantize_args, _: B.Type) {
  let count = Int(args.count)
  let x: Source = args.x
  let y: UnsafeMutableRawPointer = args.y
  var i = 0
  if args.scale_stride == 0 {
    let zero = VI(repeating: args.zero.map(B.scalar) ?? 0)
    let scale = VF(repeating: args.scale[0])
    while i &+ lanes <= count {
      dlk_store_i8(y + i, quantized(dlk_load(x + i), scale, zero, B.self))
      i = i &+ lanes
    }
    if i < count {
      let rest = count &- i
      dlk_store_i8_partial(y + i, quantized(dlk_load_partial(x + i, rest), scale, zero, B.self), rest)
    }
    return
  }
  let scale: Source = args.scale
  while i &+ lanes <= count {
    let zero = args.zero.map { B.vector($0 + i) } ?? VI(repeating: 0)
    dlk_store_i8(y + i, quantized(dlk_load(x + i), dlk_load(scale + i), zero, B.self))
    i = i &+ lanes
  }
  if i < count {
    let rest = count &- i
    let zero = args.zero.map { B.part($0 + i, rest) } ?? VI(repeating: 0)
    let result = quantized(dlk_load_partial(x + i, rest), dlk_load_partial(scale + i, rest), zero, B.self)
    dlk_store_i8_partial(y + i, result, rest)
  }
}

/// Limits before it rounds, which gives the same since the limits are integers, so that every number fits an int32.
@inline(__always)
private func quantized<B: Bytes>(_ x: VF, _ scale: VF, _ zero: VI, _: B.Type) -> VI {
  let shift = dlk_to_f32(zero)
  // `dlk_max` gives its second operand where the first is NaN.
  let raised = dlk_max(x / scale, VF(repeating: B.least) - shift)
  return dlk_to_i32(dlk_min(raised, VF(repeating: B.greatest) - shift)) &+ zero
}

@inline(__always)
private func dequantize<B: Bytes>(_ args: dlk_dequantize_args, _: B.Type) {
  let count = Int(args.count)
  let x: UnsafeRawPointer = args.x
  let y: Target = args.y
  var i = 0
  if args.scale_stride == 0 {
    let zero = VI(repeating: args.zero.map(B.scalar) ?? 0)
    let scale = VF(repeating: args.scale[0])
    while i &+ lanes <= count {
      dlk_store(y + i, dlk_to_f32(B.vector(x + i) &- zero) * scale)
      i = i &+ lanes
    }
    if i < count {
      let rest = count &- i
      dlk_store_partial(y + i, dlk_to_f32(B.part(x + i, rest) &- zero) * scale, rest)
    }
    return
  }
  let scale: Source = args.scale
  while i &+ lanes <= count {
    let zero = args.zero.map { B.vector($0 + i) } ?? VI(repeating: 0)
    dlk_store(y + i, dlk_to_f32(B.vector(x + i) &- zero) * dlk_load(scale + i))
    i = i &+ lanes
  }
  if i < count {
    let rest = count &- i
    let zero = args.zero.map { B.part($0 + i, rest) } ?? VI(repeating: 0)
    dlk_store_partial(y + i, dlk_to_f32(B.part(x + i, rest) &- zero) * dlk_load_partial(scale + i, rest), rest)
  }
}

func byteBinary(_ args: dlk_byte_binary_args) {
  switch (args.is_signed != 0, args.multiplies != 0) {
  case (true, true): byteBinary(args, SignedBytes.self, ByteProduct.self)
  case (true, false): byteBinary(args, SignedBytes.self, ByteSum.self)
  case (false, true): byteBinary(args, UnsignedBytes.self, ByteProduct.self)
  case (false, false): byteBinary(args, UnsignedBytes.self, ByteSum.self)
  }
}

/// What becomes of two bytes. A protocol, as closures that several places share are called once a vector.
private protocol ByteFunction {
  init(_ args: dlk_byte_binary_args)
  func callAsFunction(_ a: VF, _ b: VF) -> VF
}

private struct ByteProduct: ByteFunction {
  let aZero, bZero, factor, shift: VF

  @inline(__always) init(_ args: dlk_byte_binary_args) {
    (aZero, bZero) = (VF(repeating: args.a_zero), VF(repeating: args.b_zero))
    (factor, shift) = (VF(repeating: args.a_factor), VF(repeating: args.shift))
  }

  @inline(__always) func callAsFunction(_ a: VF, _ b: VF) -> VF { (a - aZero) * (b - bZero) * factor + shift }
}

private struct ByteSum: ByteFunction {
  let aFactor, bFactor, shift: VF

  @inline(__always) init(_ args: dlk_byte_binary_args) {
    (aFactor, bFactor) = (VF(repeating: args.a_factor), VF(repeating: args.b_factor))
    shift = VF(repeating: args.shift)
  }

  @inline(__always) func callAsFunction(_ a: VF, _ b: VF) -> VF { fused(a, aFactor, fused(b, bFactor, shift)) }
}

@inline(__always)
private func byteBinary<B: Bytes, F: ByteFunction>(_ args: dlk_byte_binary_args, _: B.Type, _: F.Type) {
  let function = F(args), count = Int(args.count)
  let a: UnsafeRawPointer = args.a, b: UnsafeRawPointer = args.b
  let y: UnsafeMutableRawPointer = args.y
  let (low, high) = (VF(repeating: B.least), VF(repeating: B.greatest))
  var i = 0
  while i < count {
    let width = min(lanes, count &- i)
    let isWhole = width == lanes
    let left = isWhole ? B.vector(a + i) : B.part(a + i, width)
    let right = isWhole ? B.vector(b + i) : B.part(b + i, width)
    // `dlk_max` gives its second operand where the first is NaN.
    let result = dlk_to_i32(dlk_min(dlk_max(function(dlk_to_f32(left), dlk_to_f32(right)), low), high))
    if isWhole { dlk_store_i8(y + i, result) } else { dlk_store_i8_partial(y + i, result, width) }
    i = i &+ lanes
  }
}

/// A fused sum where there is no FMA: products of bytes and floats are exact in double precision.
@inline(__always)
private func fused(_ a: VF, _ b: VF, _ c: VF) -> VF {
  #if DL_AVX512 || DL_AVX2
    return dlk_fma(a, b, c)
  #else
    return dlk_join_f64(
      dlk_fma_f64(dlk_low_f64(a), dlk_low_f64(b), dlk_low_f64(c)),
      dlk_fma_f64(dlk_high_f64(a), dlk_high_f64(b), dlk_high_f64(c)))
  #endif
}
