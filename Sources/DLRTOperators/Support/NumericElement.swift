import DLRTGraph

/// An element type with arithmetic: integers wrap around, floats follow IEEE 754.
///
/// Generic loops are written once over this protocol and specialised by `DataType.dispatch`.
package protocol NumericElement: TensorElement, Comparable, ExpressibleByIntegerLiteral {
  static func add(_ a: Self, _ b: Self) -> Self
  static func subtract(_ a: Self, _ b: Self) -> Self
  static func multiply(_ a: Self, _ b: Self) -> Self
  /// Integer division rounds towards zero and gives 0 for a divisor of 0: it never traps.
  static func divide(_ a: Self, _ b: Self) -> Self
  static func negate(_ a: Self) -> Self
  var isNaN: Bool { get }
  /// The nearest representable number; NaN becomes 0 in integer types.
  init(nearest value: Double)
  var double: Double { get }
  /// The least and the greatest element, infinities included.
  static var lowest: Self { get }
  static var highest: Self { get }
}

extension NumericElement {
  /// True for bytes, whose loops are compiled for speed: wider elements keep up with memory one by one.
  @inline(__always) package static var isByte: Bool { Self.self == UInt8.self || Self.self == Int8.self }

  /// The greater one; NaN when either is.
  @inline(__always) package static func greatest(_ a: Self, _ b: Self) -> Self { a > b || a.isNaN ? a : b }
  /// The lesser one; NaN when either is.
  @inline(__always) package static func least(_ a: Self, _ b: Self) -> Self { a < b || a.isNaN ? a : b }
}

extension NumericElement where Self: FixedWidthInteger {
  @inline(__always) package static func add(_ a: Self, _ b: Self) -> Self { a &+ b }
  @inline(__always) package static func subtract(_ a: Self, _ b: Self) -> Self { a &- b }
  @inline(__always) package static func multiply(_ a: Self, _ b: Self) -> Self { a &* b }
  @inline(__always) package static func negate(_ a: Self) -> Self { 0 &- a }
  @inline(__always) package static func divide(_ a: Self, _ b: Self) -> Self {
    b == 0 ? 0 : a.dividedReportingOverflow(by: b).partialValue
  }
  @inline(__always) package var isNaN: Bool { false }
  @inline(__always) package init(nearest value: Double) {
    // `-Double(min)` is 2 to the number of magnitude bits for signed types, exactly; `max` may round up.
    let rounded = value.rounded(.toNearestOrEven)
    if rounded >= Double(Self.max) {
      self = .max
    } else if rounded > Double(Self.min) {
      self = Self(rounded)
    } else {
      self = rounded.isNaN ? 0 : .min
    }
  }
  @inline(__always) package var double: Double { Double(self) }
  @inline(__always) package static var lowest: Self { .min }
  @inline(__always) package static var highest: Self { .max }
}

extension NumericElement where Self: BinaryFloatingPoint {
  @inline(__always) package static func negate(_ a: Self) -> Self { -a }
  @inline(__always) package static func add(_ a: Self, _ b: Self) -> Self { a + b }
  @inline(__always) package static func subtract(_ a: Self, _ b: Self) -> Self { a - b }
  @inline(__always) package static func multiply(_ a: Self, _ b: Self) -> Self { a * b }
  @inline(__always) package static func divide(_ a: Self, _ b: Self) -> Self { a / b }
  @inline(__always) package init(nearest value: Double) { self = Self(value) }
  @inline(__always) package var double: Double { Double(self) }
  @inline(__always) package static var lowest: Self { -.infinity }
  @inline(__always) package static var highest: Self { .infinity }
}

extension Float: NumericElement {}
extension Double: NumericElement {}
extension Int8: NumericElement {}
extension Int16: NumericElement {}
extension Int32: NumericElement {}
extension Int64: NumericElement {}
extension UInt8: NumericElement {}
extension UInt16: NumericElement {}
extension UInt32: NumericElement {}
extension UInt64: NumericElement {}
