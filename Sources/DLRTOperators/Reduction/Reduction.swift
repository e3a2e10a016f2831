import DLRTGraph

/// The arithmetic of ONNX's Reduce operators: how elements fold, and what happens to the folded value.
package enum ReductionRule: Sendable {
  case sum, mean, max, min, product, l1, l2, logSum, logSumExp, sumSquare
}

/// A reduction over some axes of a contiguous tensor, for one element type.
///
/// Long runs are folded into several partial results side by side, which lets the compiler use vectors and keeps the
/// rounding error of long sums small. The order of additions depends on the shape alone.
struct Reduction: Sendable {
  let rule: ReductionRule
  let geometry: ReductionGeometry
  let truncates: Bool

  private static let lanes = 32
  /// Few enough results to stay in the first-level cache while many rows fold into them.
  static let widest = 512
  /// A whole tensor is folded in blocks of this size, so that threads can share the work.
  private static let block = 1 << 16

  typealias Loop = @Sendable (Reduction, borrowing StepIO) -> Void

  init(_ rule: ReductionRule, shape: [Int], axes: [Int], type: DataType) {
    self.rule = rule
    geometry = ReductionGeometry(shape: shape, axes: axes)
    truncates = type.isInteger
  }

  private var blocks: Int {
    geometry.isTotal ? (geometry.inner + Self.block - 1) / Self.block : 1
  }

  private var needsSums: Bool { if case .logSumExp = rule { true } else { false } }

  /// Scratch elements: the partial results of blocks, or a sum for each output beside its maximum.
  var workspaceCount: Int { (needsSums ? geometry.outputs : 0) + (blocks > 1 ? blocks : 0) }

  /// The loop for an element type; types of equal arithmetic share one.
  func loop(_ type: DataType) throws(DLRTError) -> Loop {
    switch (type, rule) {
    case (.float32, _): return Self.realLoop(rule, Float.self)
    case (.float64, _): return Self.realLoop(rule, Double.self)
    case (.int32, _): return Self.loop(rule, Int32.self)
    case (.int64, _): return Self.loop(rule, Int64.self)
    case (.uint32, .max), (.uint32, .min), (.uint32, .mean), (.uint32, .l2): return Self.loop(rule, UInt32.self)
    case (.uint64, .max), (.uint64, .min), (.uint64, .mean), (.uint64, .l2): return Self.loop(rule, UInt64.self)
    case (.uint32, .l1): return Self.loop(.sum, Int32.self)
    case (.uint64, .l1): return Self.loop(.sum, Int64.self)
    case (.uint32, _): return Self.loop(rule, Int32.self)
    case (.uint64, _): return Self.loop(rule, Int64.self)
    case (.int8, .max): return Self.single(MaxReducer<Int8>.self)
    case (.int8, .min): return Self.single(MinReducer<Int8>.self)
    case (.uint8, .max), (.bool, .max): return Self.single(MaxReducer<UInt8>.self)
    case (.uint8, .min), (.bool, .min): return Self.single(MinReducer<UInt8>.self)
    default: throw type.unsupported
    }
  }

  private static func loop<T: NumericElement>(_ rule: ReductionRule, _: T.Type) -> Loop {
    switch rule {
    case .sum, .mean, .logSum, .logSumExp: single(SumReducer<T>.self)
    case .max: single(MaxReducer<T>.self)
    case .min: single(MinReducer<T>.self)
    case .product: single(ProductReducer<T>.self)
    case .l1: single(AbsoluteSumReducer<T>.self)
    case .l2, .sumSquare: single(SquareSumReducer<T>.self)
    }
  }

  private static func realLoop<T: RealElement>(_ rule: ReductionRule, _: T.Type) -> Loop {
    switch rule {
    case .logSumExp: { $0.runLogSumExp(T.self, $1) }
    default: loop(rule, T.self)
    }
  }

  private static func single<R: Reducer>(_: R.Type) -> Loop {
    { reduction, io in
      let y = io.output(0, as: R.Element.self)
      let x = io.input(0, as: R.Element.self)
      reduction.fold(R.self, io, x, y, shift: nil)
      reduction.finish(y)
    }
  }

  private func runLogSumExp<T: RealElement>(_: T.Type, _ io: borrowing StepIO) {
    let x = io.input(0, as: T.self)
    let y = io.output(0, as: T.self)
    let sums = io.workspace.assumingMemoryBound(to: T.self) + (blocks > 1 ? blocks : 0)
    fold(MaxReducer<T>.self, io, x, y, shift: nil)
    // An infinite maximum would make the distance to it NaN.
    for index in 0..<geometry.outputs where y[index].isInfinite { y[index] = 0 }
    fold(ExponentialSumReducer<T>.self, io, x, sums, shift: y)
    for index in 0..<geometry.outputs { y[index] += .log(sums[index]) }
  }
}

// MARK: Folding

extension Reduction {
  private func fold<R: Reducer>(
    _: R.Type, _ io: borrowing StepIO, _ x: UnsafePointer<R.Element>, _ y: UnsafeMutablePointer<R.Element>,
    shift: UnsafePointer<R.Element>?
  ) {
    if blocks > 1 {
      let partial = io.workspace.assumingMemoryBound(to: R.Element.self)
      let count = geometry.inner
      io.parallel(Chunks(blocks, cost: 20_000)) { range in
        for block in range {
          let start = block &* Self.block
          partial[block] = Self.foldRun(
            R.self, x + start, min(Self.block, count &- start), runs: 1, stride: 0, R.identity, shift?[0] ?? 0)
        }
      }
      y[0] = Self.mergeAll(R.self, partial, blocks)
      return
    }
    io.parallel(Chunks(geometry.outputs, cost: Double(geometry.foldedCount) * 0.3 + 1)) { range in
      if geometry.innerIsFolded {
        foldRuns(R.self, x, y, shift, range)
      } else {
        foldColumns(R.self, x, y, shift, range)
      }
    }
  }

  /// Outputs whose elements are runs.
  private func foldRuns<R: Reducer>(
    _: R.Type, _ x: UnsafePointer<R.Element>, _ y: UnsafeMutablePointer<R.Element>,
    _ shift: UnsafePointer<R.Element>?, _ range: Range<Int>
  ) {
    for output in range {
      let base = x + geometry.kept.offset(output)
      let own = shift?[output] ?? 0
      var sum = R.identity
      geometry.forEachSeries { start, runs, stride in
        sum = Self.foldRun(R.self, base + start, geometry.inner, runs: runs, stride: stride, sum, own)
      }
      y[output] = sum
    }
  }

  private static func foldRun<R: Reducer>(
    _: R.Type, _ x: UnsafePointer<R.Element>, _ count: Int, runs: Int, stride: Int, _ initial: R.Element,
    _ shift: R.Element
  ) -> R.Element {
    let lanes = R.isByRows ? 4 * Self.lanes : Self.lanes
    guard count >= 2 * lanes else {
      var sum = initial
      for run in 0..<runs {
        let row = x + run &* stride
        for index in 0..<count { sum = R.fold(sum, row[index], shift) }
      }
      return sum
    }
    return withUnsafeTemporaryAllocation(of: R.Element.self, capacity: 2 * lanes) { memory in
      guard let partial = memory.baseAddress else { return initial }
      let shifts = partial + lanes
      for lane in 0..<lanes {
        partial[lane] = R.identity
        shifts[lane] = shift
      }
      let rows = count / lanes
      for run in 0..<runs {
        let row = x + run &* stride
        foldRows(R.self, partial, shifts, row, rows: rows, stride: lanes, lanes)
        foldRows(R.self, partial, shifts, row + rows &* lanes, rows: 1, stride: 0, count &- rows &* lanes)
      }
      return R.merge(initial, mergeAll(R.self, partial, lanes))
    }
  }

  /// Folds rows elementwise into a row of results.
  @inline(__always)
  private static func foldRows<R: Reducer>(
    _: R.Type, _ sums: UnsafeMutablePointer<R.Element>, _ shifts: UnsafePointer<R.Element>?,
    _ x: UnsafePointer<R.Element>, rows: Int, stride: Int, _ count: Int
  ) {
    for row in 0..<rows {
      let source = x + row &* stride
      if R.isByRows {
        R.foldRow(sums, source, shifts, count)
      } else {
        for index in 0..<count { sums[index] = R.fold(sums[index], source[index], 0) }
      }
    }
  }

  /// Joins partial results pairwise.
  private static func mergeAll<R: Reducer>(
    _: R.Type, _ partial: UnsafeMutablePointer<R.Element>, _ count: Int
  ) -> R.Element {
    var left = count
    while left > 1 {
      let half = (left + 1) / 2
      for index in 0..<(left - half) { partial[index] = R.merge(partial[index], partial[index + half]) }
      left = half
    }
    return partial[0]
  }

  /// Outputs that are neighbours where their elements are.
  private func foldColumns<R: Reducer>(
    _: R.Type, _ x: UnsafePointer<R.Element>, _ y: UnsafeMutablePointer<R.Element>,
    _ shift: UnsafePointer<R.Element>?, _ range: Range<Int>
  ) {
    let widest = Self.widest
    var output = range.lowerBound
    while output < range.upperBound {
      let row = output / geometry.inner
      let column = output &- row &* geometry.inner
      let count = min(geometry.inner &- column, range.upperBound &- output, widest)
      let sums = y + output
      for index in 0..<count { sums[index] = R.identity }
      let base = x + geometry.kept.offset(row) + column
      let shifts = shift.map { $0 + output }
      if geometry.foldedCount > 0 {
        geometry.forEachSeries { start, runs, stride in
          Self.foldRows(R.self, sums, shifts, base + start, rows: runs, stride: stride, count)
        }
      }
      output = output &+ count
    }
  }
}

// MARK: Finishing

extension Reduction {
  private func finish<T: NumericElement>(_ y: UnsafeMutablePointer<T>) {
    switch rule {
    case .mean:
      let count = T(nearest: Double(geometry.foldedCount))
      for index in 0..<geometry.outputs { y[index] = .divide(y[index], count) }
    case .l2:
      for index in 0..<geometry.outputs {
        let root = y[index].double.squareRoot()
        y[index] = T(nearest: truncates ? root.rounded(.towardZero) : root)
      }
    case .logSum:
      for index in 0..<geometry.outputs { y[index] = T(nearest: Double.log(y[index].double)) }
    case .sum, .max, .min, .product, .l1, .logSumExp, .sumSquare: break
    }
  }
}
