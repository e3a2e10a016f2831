import DLRTGraph

/// What ScatterElements and ScatterND do where an update meets an element.
package enum ScatterReduction: String, CaseIterable, Sendable {
  case none
  case add
  case mul
  case max
  case min

  /// Combines blocks of `block` elements: `target[offsets[i]] = reduction(target[offsets[i]], updates[i])`, in order,
  /// for a part of each block's elements.
  package typealias Loop =
    @Sendable (
      _ updates: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ offsets: UnsafePointer<Int>, _ count: Int,
      _ block: Int, _ part: Range<Int>
    ) -> Void

  func check(_ type: DataType) throws(DLRTError) {
    guard self == .none || TypeSet.numeric.contains(type) || type == .bool else {
      throw DLRTError(
        .unsupportedModel, "no such reduction for this element type", tensor: "reduction", expected: "'none'",
        got: "'\(rawValue)' of \(type)")
    }
  }

  /// - Parameter type: an element type with arithmetic, halves included.
  package func loop(_ type: DataType) throws -> Loop {
    switch (type, self) {
    // True is 1: sums of truths are their maximum, products their minimum.
    case (.bool, .add): try type.dispatch(ReductionTask(reduction: .max))
    case (.bool, .mul): try type.dispatch(ReductionTask(reduction: .min))
    case (.float16, _): halfLoop({ Float(Float16(bitPattern: $0)) }, { Float16($0).bitPattern })
    case (.bfloat16, _): halfLoop({ Float(bitPattern: UInt32($0) &<< 16) }, FloatCodec.bfloat16)
    default: try type.dispatch(ReductionTask(reduction: self))
    }
  }

  @inline(__always)
  private func halfLoop(
    _ decode: @escaping @Sendable (UInt16) -> Float, _ encode: @escaping @Sendable (Float) -> UInt16
  ) -> Loop {
    { updates, target, offsets, count, block, part in
      let updates = updates.assumingMemoryBound(to: UInt16.self)
      let target = target.assumingMemoryBound(to: UInt16.self)
      for index in 0..<count {
        let place = target + offsets[index] &* block
        let update = updates + index &* block
        for element in part {
          place[element] = encode(combine(decode(place[element]), decode(update[element])))
        }
      }
    }
  }

  @inline(__always)
  fileprivate func combine<T: NumericElement>(_ a: T, _ b: T) -> T {
    switch self {
    case .none: b
    case .add: T.add(a, b)
    case .mul: T.multiply(a, b)
    case .max: a.isNaN || a > b ? a : b
    case .min: a.isNaN || a < b ? a : b
    }
  }
}

private struct ReductionTask: NumericTask {
  let reduction: ScatterReduction

  func run<T: NumericElement>(_: T.Type) -> ScatterReduction.Loop {
    { [reduction] updates, target, offsets, count, block, part in
      let updates = updates.assumingMemoryBound(to: T.self)
      let target = target.assumingMemoryBound(to: T.self)
      for index in 0..<count {
        let place = target + offsets[index] &* block
        let update = updates + index &* block
        for element in part { place[element] = reduction.combine(place[element], update[element]) }
      }
    }
  }
}
