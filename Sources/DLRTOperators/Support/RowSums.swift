/// Sums over a row in several partial sums, so that the compiler may use vectors and long rows round less.
enum RowSums {
  private static let lanes = 16

  static func sum<T: RealElement>(_ x: UnsafePointer<T>, _ count: Int) -> T {
    T.isFloat ? T(nearest: Double(floatSum(x.floats, count))) : T(nearest: doubleSum(x.doubles, count))
  }

  /// The sum of squared distances to `center`.
  static func squares<T: RealElement>(_ x: UnsafePointer<T>, _ count: Int, _ center: T) -> T {
    T.isFloat
      ? T(nearest: Double(floatSquares(x.floats, count, Float(center))))
      : T(nearest: doubleSquares(x.doubles, count, Double(center)))
  }

  /// The scalar product of two rows.
  static func product<T: RealElement>(_ x: UnsafePointer<T>, _ y: UnsafePointer<T>, _ count: Int) -> T {
    T.isFloat
      ? T(nearest: Double(floatProduct(x.floats, y.floats, count)))
      : T(nearest: doubleProduct(x.doubles, y.doubles, count))
  }

  // Of each type by name: what is generic stays in the library for types that nobody has as well, and is long.

  private static func floatSum(_ x: UnsafePointer<Float>, _ count: Int) -> Float { fold(count) { x[$0] } }
  private static func doubleSum(_ x: UnsafePointer<Double>, _ count: Int) -> Double { fold(count) { x[$0] } }

  private static func floatSquares(_ x: UnsafePointer<Float>, _ count: Int, _ center: Float) -> Float {
    fold(count) { (x[$0] - center) * (x[$0] - center) }
  }

  private static func doubleSquares(_ x: UnsafePointer<Double>, _ count: Int, _ center: Double) -> Double {
    fold(count) { (x[$0] - center) * (x[$0] - center) }
  }

  private static func floatProduct(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ count: Int) -> Float {
    fold(count) { x[$0] * y[$0] }
  }

  private static func doubleProduct(_ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>, _ count: Int) -> Double {
    fold(count) { x[$0] * y[$0] }
  }

  /// The sum in double precision.
  @_optimize(speed) @inline(never)
  static func wideSum<T: RealElement>(_ x: UnsafePointer<T>, _ count: Int) -> Double {
    fold(count) { Double(x[$0]) }
  }

  /// The sum of squared distances to `center` in double precision.
  @_optimize(speed) @inline(never)
  static func wideSquares<T: RealElement>(_ x: UnsafePointer<T>, _ count: Int, _ center: Double) -> Double {
    fold(count) { (Double(x[$0]) - center) * (Double(x[$0]) - center) }
  }

  @inline(__always)
  private static func fold<T: RealElement>(_ count: Int, _ term: (Int) -> T) -> T {
    withUnsafeTemporaryAllocation(of: T.self, capacity: lanes) { memory in
      guard let partial = memory.baseAddress else { return 0 }
      for lane in 0..<lanes { partial[lane] = 0 }
      var index = 0
      while index &+ lanes <= count {
        for lane in 0..<lanes { partial[lane] += term(index &+ lane) }
        index = index &+ lanes
      }
      for rest in index..<count { partial[rest &- index] += term(rest) }
      var left = lanes
      while left > 1 {
        left /= 2
        for lane in 0..<left { partial[lane] += partial[lane &+ left] }
      }
      return partial[0]
    }
  }
}

extension RealElement {
  @inline(__always) fileprivate static var isFloat: Bool { Self.self == Float.self }
}

extension UnsafePointer where Pointee: RealElement {
  @inline(__always) fileprivate var floats: UnsafePointer<Float> {
    UnsafeRawPointer(self).assumingMemoryBound(to: Float.self)
  }
  @inline(__always) fileprivate var doubles: UnsafePointer<Double> {
    UnsafeRawPointer(self).assumingMemoryBound(to: Double.self)
  }
}
