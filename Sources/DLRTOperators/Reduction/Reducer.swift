import CKernelSupport
import DLRTGraph
import DLRTKernels

/// What a reduction does with each element. `shift` is a number that belongs to the output; most rules ignore it.
protocol Reducer: SendableMetatype {
  associatedtype Element: NumericElement
  static var identity: Element { get }
  static func fold(_ sum: Element, _ x: Element, _ shift: Element) -> Element
  /// Joins two partial results.
  static func merge(_ a: Element, _ b: Element) -> Element
  /// True where elements are folded by rows only.
  static var isByRows: Bool { get }
  /// Folds a row of at most `Reduction.widest` elements into as many results.
  static func foldRow(
    _ sums: UnsafeMutablePointer<Element>, _ x: UnsafePointer<Element>, _ shifts: UnsafePointer<Element>?, _ count: Int)
}

extension Reducer {
  static var isByRows: Bool { false }

  // Never called where elements are folded one by one.
  static func foldRow(
    _ sums: UnsafeMutablePointer<Element>, _ x: UnsafePointer<Element>, _ shifts: UnsafePointer<Element>?, _ count: Int
  ) {}
}

enum SumReducer<Element: NumericElement>: Reducer {
  static var identity: Element { 0 }
  @inline(__always) static func fold(_ sum: Element, _ x: Element, _ shift: Element) -> Element { .add(sum, x) }
  @inline(__always) static func merge(_ a: Element, _ b: Element) -> Element { .add(a, b) }
}

enum AbsoluteSumReducer<Element: NumericElement>: Reducer {
  static var identity: Element { 0 }
  @inline(__always) static func fold(_ sum: Element, _ x: Element, _ shift: Element) -> Element {
    .add(sum, x < 0 ? .subtract(0, x) : x)
  }
  @inline(__always) static func merge(_ a: Element, _ b: Element) -> Element { .add(a, b) }
}

enum SquareSumReducer<Element: NumericElement>: Reducer {
  static var identity: Element { 0 }
  @inline(__always) static func fold(_ sum: Element, _ x: Element, _ shift: Element) -> Element {
    .add(sum, .multiply(x, x))
  }
  @inline(__always) static func merge(_ a: Element, _ b: Element) -> Element { .add(a, b) }
}

enum ProductReducer<Element: NumericElement>: Reducer {
  static var identity: Element { 1 }
  @inline(__always) static func fold(_ sum: Element, _ x: Element, _ shift: Element) -> Element { .multiply(sum, x) }
  @inline(__always) static func merge(_ a: Element, _ b: Element) -> Element { .multiply(a, b) }
}

/// A NaN anywhere makes the result NaN.
enum MaxReducer<Element: NumericElement>: Reducer {
  static var identity: Element { .lowest }
  @inline(__always) static func fold(_ sum: Element, _ x: Element, _ shift: Element) -> Element {
    x > sum || x.isNaN ? x : sum
  }
  @inline(__always) static func merge(_ a: Element, _ b: Element) -> Element { fold(a, b, 0) }
}

/// A NaN anywhere makes the result NaN.
enum MinReducer<Element: NumericElement>: Reducer {
  static var identity: Element { .highest }
  @inline(__always) static func fold(_ sum: Element, _ x: Element, _ shift: Element) -> Element {
    x < sum || x.isNaN ? x : sum
  }
  @inline(__always) static func merge(_ a: Element, _ b: Element) -> Element { fold(a, b, 0) }
}

/// The sum of exponentials of distances to `shift`, the output's largest element.
enum ExponentialSumReducer<Element: RealElement>: Reducer {
  static var identity: Element { 0 }
  @inline(__always) static func fold(_ sum: Element, _ x: Element, _ shift: Element) -> Element {
    sum + .exp(x - shift)
  }
  static var isByRows: Bool { true }
  @_optimize(speed) @inline(never)
  static func foldRow(
    _ sums: UnsafeMutablePointer<Element>, _ x: UnsafePointer<Element>, _ shifts: UnsafePointer<Element>?, _ count: Int
  ) {
    withUnsafeTemporaryAllocation(of: Element.self, capacity: Reduction.widest) { memory in
      guard let powers = memory.baseAddress, let shifts else { return }
      for index in 0..<count { powers[index] = x[index] - shifts[index] }
      if let floats = powers as? UnsafeMutablePointer<Float> {
        KernelLibrary.table.pointee.unary(DLK_UNARY_EXP, 0, 0, floats, floats, Int64(count))
      } else {
        for index in 0..<count { powers[index] = .exp(powers[index]) }
      }
      for index in 0..<count { sums[index] += powers[index] }
    }
  }
  @inline(__always) static func merge(_ a: Element, _ b: Element) -> Element { a + b }
}
