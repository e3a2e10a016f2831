import DLRTGraph

/// An operator that folds the elements before each place along an axis.
package protocol CumulativeOperator: Operator, NumericFormula {
  var scan: RunningScan { get }
  static var neutral: Int { get }
}

/// How a cumulative operator walks: from which end, and whether a place counts itself.
package struct RunningScan: Sendable {
  let isReverse: Bool
  let isExclusive: Bool

  init(_ attributes: inout AttributeReader) throws {
    isReverse = try attributes.flag("reverse")
    isExclusive = try attributes.flag("exclusive")
  }
}

extension CumulativeOperator {
  package static var promotedTypes: TypeSet { .halfFloats }
  package var inPlaceInputs: [Int] { [0] }

  package func infer(_ inference: inout Inference) throws { try inference.cumulative() }

  package func plan(_ planning: inout Planning) throws -> Step {
    try .cumulative(planning, try planning.type(0).dispatch(CumulativeLine<Self>(scan: scan)))
  }
}

extension Inference {
  @inline(never)
  fileprivate mutating func cumulative() throws {
    let type = try type(0)
    setType(0, type)
    let shape = try shape(0)
    if let axis = try? integer(1) {
      _ = try self.axis(axis, rank: shape.rank)
    } else if let count = inputs[1]?.shape?.elementCount, count.provablyDiffers(1) {
      throw DLRTError(.invalidModel, "not a single number", tensor: "axis", expected: "1 element", got: "\(count)")
    }
    set(0, type, shape)
  }
}

extension Step {
  @inline(never)
  fileprivate static func cumulative(_ planning: Planning, _ line: @escaping LineLoop) throws -> Step {
    let shape = planning.output(0).shape
    let axisType = planning.type(1)
    return Step(kernel: "loop") { io in
      let wanted = Int(Int64(element: io.input(1), axisType))
      guard wanted >= -shape.count, wanted < shape.count else {
        throw DLRTError(
          .invalidInput, "out of range", tensor: "axis", expected: "-\(shape.count)..<\(shape.count)",
          got: "\(wanted)")
      }
      let axis = wanted < 0 ? wanted + shape.count : wanted
      let size = shape[axis]
      let inner = shape.product(axis + 1..<shape.count)
      let lines = shape.product(0..<axis) &* inner
      let x = io.input(0)
      let y = io.output(0)
      io.parallel(Chunks(lines, cost: Double(size))) { range in
        var first = range.lowerBound
        while first < range.upperBound {
          let column = first % inner
          let count = min(widestLines, inner &- column, range.upperBound &- first)
          line(x, y, first / inner &* inner &* size &+ column, count, inner, size)
          first = first &+ count
        }
      }
    }
  }
}

/// Lines that run side by side; their totals stay on the stack.
private let widestLines = 64

/// Folds `lines` adjacent lines of `count` elements that are `stride` apart.
private typealias LineLoop =
  @Sendable (
    _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer, _ offset: Int, _ lines: Int, _ stride: Int, _ count: Int
  ) -> Void

private struct CumulativeLine<Op: CumulativeOperator>: NumericTask {
  let scan: RunningScan

  func run<T: NumericElement>(_ type: T.Type) -> LineLoop {
    let scan = scan
    return { x, y, offset, lines, stride, count in
      let start = scan.isReverse ? offset &+ (count &- 1) &* stride : offset
      Self.fold(
        x.assumingMemoryBound(to: T.self) + start, y.assumingMemoryBound(to: T.self) + start, lines,
        scan.isReverse ? -stride : stride, count, isExclusive: scan.isExclusive)
    }
  }

  private static func fold<T: NumericElement>(
    _ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>, _ lines: Int, _ stride: Int, _ count: Int, isExclusive: Bool
  ) {
    if lines == 1 {
      var total = T(nearest: Double(Op.neutral))
      for index in 0..<count {
        let next = Op.apply(total, x[index &* stride])
        y[index &* stride] = isExclusive ? total : next
        total = next
      }
      return
    }
    withUnsafeTemporaryAllocation(of: T.self, capacity: widestLines) { memory in
      guard let totals = memory.baseAddress else { return }
      for line in 0..<lines { totals[line] = T(nearest: Double(Op.neutral)) }
      for index in 0..<count {
        let (from, to) = (x + index &* stride, y + index &* stride)
        for line in 0..<lines {
          let total = totals[line]
          let next = Op.apply(total, from[line])
          totals[line] = next
          to[line] = isExclusive ? total : next
        }
      }
    }
  }
}

extension OperatorSchema {
  @inline(never)
  static func cumulative(_ name: String, versions: [Int]) -> OperatorSchema {
    OperatorSchema(
      name, versions: versions, inputs: [("x", "T"), ("axis", "T2")], outputs: [("y", "T")],
      types: ["T": .numeric, "T2": .indices])
  }
}
