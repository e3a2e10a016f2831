import DLRTGraph
import Glibc

/// Picks elements along some axes, each by a table of its own: nearest-neighbour resizing of any element type.
struct AxisGather: Sendable {
  /// Axes from the outermost to the last that is resized; unresized neighbours are merged.
  private let outer: [Axis]
  private let inner: Axis
  private let rows: Int
  /// Bytes of what follows the last resized axis.
  private let block: Int
  /// Bytes before the first block of the result, and from one to the next.
  private let offset: Int
  private let pitch: Int
  private let elementSize: Int
  private let filler: [UInt8]
  private let hasOutside: Bool

  private struct Axis: Sendable {
    let input: Int
    let output: Int
    /// nil for an axis that stays.
    let table: ResizeTable?

    func source(_ index: Int) -> Int { table.map { Int($0.indices[index]) } ?? index }
    func isOutside(_ index: Int) -> Bool { table.map { !$0.outside.isEmpty && $0.outside[index] } ?? false }
  }

  /// - Parameters:
  ///   - filler: the bytes of the element that stands outside of the input.
  ///   - place: where the result's pixels go; only if they are what follows the last resized axis they may be spread.
  init(
    input: [Int], output: [Int], axes: [Int], tables: [ResizeTable], elementSize: Int, filler: [UInt8],
    place: PixelPlace
  ) {
    let byAxis = Dictionary(zip(axes, tables)) { first, _ in first }
    let last = axes.max() ?? -1
    block = input[(last + 1)...].reduce(elementSize) { $0 &* $1 }
    offset = place.offset &* elementSize
    pitch = place.stride == output.last ? block : place.stride &* elementSize
    var walked: [Axis] = []
    for axis in 0..<max(last, 0) {
      let table = byAxis[axis]
      if table == nil, let previous = walked.last, previous.table == nil {
        let size = previous.input * input[axis]
        walked[walked.count - 1] = Axis(input: size, output: size, table: nil)
      } else {
        walked.append(Axis(input: input[axis], output: output[axis], table: table))
      }
    }
    outer = walked
    inner =
      last < 0
      ? Axis(input: 1, output: 1, table: nil) : Axis(input: input[last], output: output[last], table: byAxis[last])
    rows = walked.map(\.output).product
    self.elementSize = elementSize
    self.filler = filler
    hasOutside = tables.contains { !$0.outside.isEmpty }
  }

  func plan() -> Step {
    let chunks = Chunks(rows, cost: Double(inner.output) * Double(block) * 0.1 + 20)
    return Step(kernel: "gather") { [self] io in
      let (source, target) = (io.input(0), io.output(0) + offset)
      io.parallel(chunks) { range in
        for row in range { copy(row, source, target + row &* inner.output &* pitch) }
      }
    }
  }

  private func copy(_ row: Int, _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
    var rest = row
    var place = 0
    var step = 1
    var isOutside = false
    for axis in outer.reversed() {
      let index = rest % axis.output
      rest /= axis.output
      place = place &+ axis.source(index) &* step
      step = step &* axis.input
      if hasOutside, axis.isOutside(index) { isOutside = true }
    }
    if isOutside {
      for index in 0..<inner.output { fill(target + index &* pitch, block) }
      return
    }
    let line = source + place &* inner.input &* block
    guard let table = inner.table else { return void(memcpy(target, line, inner.output &* block)) }
    table.indices.withUnsafeBufferPointer { indices in
      switch pitch == block ? block : 0 {
      case 1: pick(line, target, indices, UInt8.self)
      case 2: pick(line, target, indices, UInt16.self)
      case 4: pick(line, target, indices, UInt32.self)
      case 8: pick(line, target, indices, UInt64.self)
      default:
        for index in indices.indices {
          memcpy(target + index &* pitch, line + Int(indices[index]) &* block, block)
        }
      }
    }
    guard !table.outside.isEmpty else { return }
    for index in table.outside.indices where table.outside[index] { fill(target + index &* pitch, block) }
  }

  private func void(_: UnsafeMutableRawPointer?) {}

  @inline(__always)
  private func pick<T>(
    _ line: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ indices: UnsafeBufferPointer<Int32>, _: T.Type
  ) {
    let line = line.assumingMemoryBound(to: T.self)
    let target = target.assumingMemoryBound(to: T.self)
    for index in indices.indices { target[index] = line[Int(indices[index])] }
  }

  private func fill(_ target: UnsafeMutableRawPointer, _ bytes: Int) {
    filler.withUnsafeBytes { pattern in
      guard let base = pattern.baseAddress else { return }
      for offset in stride(from: 0, to: bytes, by: elementSize) { memcpy(target + offset, base, elementSize) }
    }
  }
}

extension DataType {
  /// The bytes of one element with a number's value, as far as the type has it; the empty string for strings.
  func bytes(of value: Double) -> [UInt8] {
    struct Encode: NumericTask {
      let value: Double
      func run<T: NumericElement>(_ type: T.Type) -> [UInt8] { withUnsafeBytes(of: T(nearest: value)) { Array($0) } }
    }
    switch self {
    case .string: return [UInt8](repeating: 0, count: size)
    case .bool: return [value == 0 ? 0 : 1]
    case .complex64: return withUnsafeBytes(of: (Float(value), Float(0))) { Array($0) }
    case .complex128: return withUnsafeBytes(of: (value, 0.0)) { Array($0) }
    default: return (try? dispatch(Encode(value: value))) ?? [UInt8](repeating: 0, count: size)
    }
  }
}
