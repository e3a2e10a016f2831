import DLRTGraph

/// How a number above a small format's range, or one that is too fine for it, is stored.
package struct FloatRounding: Sendable, Hashable {
  /// The direction in which float8e8m0 rounds; all other formats round to nearest, ties to even.
  package enum Mode: String, CaseIterable, Sendable {
    case up
    case down
    case nearest
  }

  /// True: the largest finite number; false: the format's infinity, or its NaN where it has none.
  package var saturates: Bool
  package var mode: Mode

  package init(saturates: Bool = true, mode: Mode = .up) {
    self.saturates = saturates
    self.mode = mode
  }
}

/// A binary format of a sign, an exponent and a mantissa, of at most 16 bits.
package struct FloatFormat: Sendable {
  let exponentBits: Int
  let mantissaBits: Int
  let bias: Int
  /// The largest finite number's code, without sign.
  let greatest: UInt32
  /// The code of infinity, without sign; nil in formats that have none.
  let infinity: UInt32?
  /// The code of a NaN, without sign.
  let notANumber: UInt32
  /// Formats whose code of negative zero is the only NaN.
  let isUnsignedZero: Bool

  private init(
    _ exponentBits: Int, _ mantissaBits: Int, bias: Int, greatest: UInt32, infinity: UInt32? = nil, nan: UInt32,
    unsignedZero: Bool = false
  ) {
    self.exponentBits = exponentBits
    self.mantissaBits = mantissaBits
    self.bias = bias
    self.greatest = greatest
    self.infinity = infinity
    notANumber = nan
    isUnsignedZero = unsignedZero
  }

  /// False for formats all of whose codes are numbers: they always saturate.
  private var hasNaN: Bool { isUnsignedZero || notANumber != signBit }
  private var signBit: UInt32 { 1 << UInt32(exponentBits + mantissaBits) }

  /// The formats of this shape among ONNX's types; float8e8m0, which has neither sign nor mantissa, is not one.
  package init?(_ type: DataType) {
    switch type {
    case .float16: self.init(5, 10, bias: 15, greatest: 0x7bff, infinity: 0x7c00, nan: 0x7e00)
    case .bfloat16: self.init(8, 7, bias: 127, greatest: 0x7f7f, infinity: 0x7f80, nan: 0x7fc0)
    case .float8e4m3fn: self.init(4, 3, bias: 7, greatest: 0x7e, nan: 0x7f)
    case .float8e4m3fnuz: self.init(4, 3, bias: 8, greatest: 0x7f, nan: 0x80, unsignedZero: true)
    case .float8e5m2: self.init(5, 2, bias: 15, greatest: 0x7b, infinity: 0x7c, nan: 0x7e)
    case .float8e5m2fnuz: self.init(5, 2, bias: 16, greatest: 0x7f, nan: 0x80, unsignedZero: true)
    // These have no NaN; the reference implementation stores a zero of the opposite sign.
    case .float4e2m1: self.init(2, 1, bias: 1, greatest: 0x7, nan: 0x8)
    case .float6e2m3: self.init(2, 3, bias: 1, greatest: 0x1f, nan: 0x20)
    case .float6e3m2: self.init(3, 2, bias: 3, greatest: 0x1f, nan: 0x20)
    default: return nil
    }
  }

  /// The code nearest to a number, ties to even.
  package func encode(_ value: Float, saturates: Bool) -> UInt32 {
    let bits = value.bitPattern
    let sign = bits >> 31 == 0 ? 0 : signBit
    let magnitude = bits & 0x7fff_ffff
    if magnitude > 0x7f80_0000 { return isUnsignedZero ? notANumber : notANumber ^ sign }
    var code = magnitude == 0x7f80_0000 ? greatest + 1 : rounded(magnitude)
    if code > greatest { code = saturates || !hasNaN ? greatest : infinity ?? notANumber }
    if isUnsignedZero, code == 0 || code == notANumber { return code }
    return code | sign
  }

  /// The code of a finite magnitude; it may lie beyond the greatest.
  private func rounded(_ magnitude: UInt32) -> UInt32 {
    let stored = Int(magnitude >> 23)
    let exponent = max(stored, 1) - 127
    let significand = magnitude & 0x7f_ffff | (stored == 0 ? 0 : 0x80_0000)
    let least = 1 - bias
    let shift = UInt32(23 - mantissaBits + max(0, least - exponent))
    if shift > 24 { return 0 }
    let half: UInt32 = (1 << shift) >> 1
    let odd = significand >> shift & 1
    let mantissa = shift == 0 ? significand : (significand + half - 1 + odd) >> shift
    // The leading one of a normal number's mantissa carries into the exponent field.
    return UInt32(max(exponent, least) - least) << UInt32(mantissaBits) + mantissa
  }

  package func decode(_ code: UInt32) -> Float {
    let sign: Float = code & signBit == 0 ? 1 : -1
    let magnitude = code & (signBit - 1)
    if isUnsignedZero, code == notANumber { return .nan }
    if magnitude == infinity { return sign * .infinity }
    if magnitude > greatest { return .nan }
    let field = Int(magnitude >> UInt32(mantissaBits))
    let fraction = magnitude & (1 << UInt32(mantissaBits) - 1)
    let significand = field == 0 ? fraction : fraction | 1 << UInt32(mantissaBits)
    let scale = Float(sign: .plus, exponent: max(field, 1) - bias - mantissaBits, significand: 1)
    return sign * Float(significand) * scale
  }
}
