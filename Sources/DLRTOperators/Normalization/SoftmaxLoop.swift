import CKernelSupport
import DLRTGraph
import DLRTKernels

/// What the softmax family computes along its axis.
enum SoftmaxKind: Sendable {
  case softmax, logSoftmax, hardmax
}

/// The axis of a softmax and the loops over it.
struct SoftmaxLoop: FloatTask {
  let kind: SoftmaxKind
  let kernels: KernelSet
  let outer: Int
  let size: Int
  let inner: Int

  init(_ kind: SoftmaxKind, shape: [Int], axis: Int, _ kernels: KernelSet) {
    self.kind = kind
    self.kernels = kernels
    // A scalar is its own only element.
    let axis = shape.isEmpty ? 0 : axis < 0 ? axis + shape.count : axis
    size = shape.isEmpty ? 1 : shape[axis]
    let parts = (shape.product(0..<min(axis, shape.count)), shape.product(min(axis + 1, shape.count)..<shape.count))
    // Rows of one element are neighbours, whichever axis that is.
    (outer, inner) = size == 1 ? (1, parts.0 &* parts.1) : parts
  }

  func run<T: RealElement>(_ type: T.Type) -> Step.Body {
    { io in apply(io, io.input(0, as: T.self), io.output(0, as: T.self)) }
  }

  /// - Parameter y: may be `x`.
  func apply<T: RealElement>(_ io: borrowing StepIO, _ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>) {
    guard size > 0, inner > 0 else { return }
    let cost = Double(size) * (T.self == Float.self ? 0.3 : 6)
    guard inner > 1, size > 1 else {
      io.parallel(Chunks(outer &* inner, cost: cost)) { range in
        if kind != .hardmax, let x = x as? UnsafePointer<Float>, let y = y as? UnsafeMutablePointer<Float> {
          rows(x, y, range)
        } else {
          for row in range { along(x + row &* size, y + row &* size) }
        }
      }
      return
    }
    io.parallel(Chunks(outer * inner, cost: cost)) { range in
      var position = range.lowerBound
      while position < range.upperBound {
        let row = position / inner
        let column = position &- row &* inner
        let count = min(Self.widest(T.self), inner &- column, range.upperBound &- position)
        let offset = row &* size &* inner &+ column
        across(x + offset, y + offset, count)
        position = position &+ count
      }
    }
  }

  private func rows(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ range: Range<Int>) {
    var arguments = dlk_softmax_args()
    arguments.rows = Int64(outer &* inner)
    arguments.columns = Int64(size)
    arguments.x = x
    arguments.x_row_stride = Int64(size)
    arguments.y = y
    arguments.y_row_stride = Int64(size)
    arguments.logarithm = kind == .logSoftmax ? 1 : 0
    kernels.table.pointee.softmax(&arguments, Int64(range.lowerBound), Int64(range.upperBound))
  }

  /// One row of adjacent elements.
  private func along<T: RealElement>(_ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>) {
    if case .hardmax = kind { return choose(x, y, 1) }
    var largest = x[0]
    for index in 1..<max(size, 1) where !(x[index] <= largest) { largest = x[index] }
    var sum: T = 0
    switch kind {
    case .logSoftmax:
      for index in 0..<size { sum += .exp(x[index] - largest) }
      let logarithm = T.log(sum)
      for index in 0..<size { y[index] = x[index] - largest - logarithm }
    default:
      for index in 0..<size {
        let power = T.exp(x[index] - largest)
        y[index] = power
        sum += power
      }
      let factor = 1 / sum
      for index in 0..<size { y[index] *= factor }
    }
  }

  /// Columns at a time, whose maxima and sums stay on the stack.
  @inline(__always)
  private static func widest<T>(_: T.Type) -> Int { MemoryLayout<T>.size == 4 ? 64 : 32 }

  /// Some adjacent columns, whose elements are `inner` apart.
  private func across<T: RealElement>(_ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>, _ count: Int) {
    if case .hardmax = kind, size > 1 << 24 {
      for column in 0..<count { choose(x + column, y + column, inner) }
      return
    }
    withUnsafeTemporaryAllocation(of: T.self, capacity: 3 * Self.widest(T.self)) { memory in
      guard let largest = memory.baseAddress else { return }
      let sums = largest + Self.widest(T.self)
      for column in 0..<count {
        largest[column] = x[column]
        sums[column] = 0
      }
      // Places fit the elements' type as long as they are below 2²⁴.
      if case .hardmax = kind { return choose(x, y, largest, places: sums, count) }
      for index in 1..<max(size, 1) {
        let row = x + index &* inner
        for column in 0..<count where !(row[column] <= largest[column]) { largest[column] = row[column] }
      }
      let powers = sums + Self.widest(T.self)
      for index in 0..<size {
        let row = x + index &* inner
        let target = y + index &* inner
        for column in 0..<count { target[column] = row[column] - largest[column] }
        let results = kind == .softmax ? target : powers
        exponentiate(target, results, count)
        for column in 0..<count { sums[column] += results[column] }
      }
      for column in 0..<count { sums[column] = kind == .softmax ? 1 / sums[column] : .log(sums[column]) }
      for index in 0..<size {
        let target = y + index &* inner
        if case .softmax = kind {
          for column in 0..<count { target[column] *= sums[column] }
        } else {
          for column in 0..<count { target[column] -= sums[column] }
        }
      }
    }
  }

  @inline(__always)
  private func exponentiate<T: RealElement>(_ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>, _ count: Int) {
    if let x = x as? UnsafePointer<Float>, let y = y as? UnsafeMutablePointer<Float> {
      kernels.table.pointee.unary(DLK_UNARY_EXP, 0, 0, x, y, Int64(count))
    } else {
      for index in 0..<count { y[index] = .exp(x[index]) }
    }
  }

  /// 1 at the first of the largest elements, else 0.
  private func choose<T: RealElement>(_ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>, _ stride: Int) {
    var found = 0
    for index in 1..<max(size, 1) where x[index &* stride] > x[found &* stride] { found = index }
    for index in 0..<size { y[index &* stride] = 0 }
    y[found &* stride] = 1
  }

  /// The same for some adjacent columns.
  private func choose<T: RealElement>(
    _ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>, _ largest: UnsafeMutablePointer<T>,
    places: UnsafeMutablePointer<T>, _ count: Int
  ) {
    for index in 1..<max(size, 1) {
      let row = x + index &* inner
      let place = T(nearest: Double(index))
      for column in 0..<count where row[column] > largest[column] {
        largest[column] = row[column]
        places[column] = place
      }
    }
    for index in 0..<size { (y + index &* inner).update(repeating: 0, count: count) }
    for column in 0..<count { y[Int(places[column].double) &* inner &+ column] = 1 }
  }
}
