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
