import DLRTGraph
import Glibc

/// Copies a tensor into a frame that is larger or smaller on each side: Pad in all its modes, CenterCropPad.
///
/// Each axis has a map from output places to input places. The last framed axis is cut into runs in advance, so that
/// rows are copied by a few calls; axes behind it are moved as blocks.
package struct PaddedCopy: Sendable {
  package enum Mode: String, CaseIterable, Sendable {
    case constant
    case reflect
    case edge
    case wrap
  }

  /// A stretch of output places: input places in order from `source` on, or the fill value.
  private struct Run: Sendable {
    var source: Int?
    let target: Int
    var count: Int
  }

  /// Input places of the outer axes, one axis after the other, each multiplied by the axis's stride in bytes; -1 where
  /// the fill value goes.
  private let maps: [Int]
  private let sizes: [Int]
  private let runs: [Run]
  /// Bytes of one place of the last framed axis.
  private let unit: Int
  private let rowBytes: Int
  private let size: Int
  private let chunks: Chunks

  /// - Parameters:
  ///   - begins: places added before each axis, or removed when negative.
  ///   - ends: places added after each axis, or removed when negative.
  package init(_ type: DataType, shape: [Int], begins: [Int], ends: [Int], mode: Mode) throws(DLRTError) {
    size = type.size
    let lastFramed = shape.indices.last { begins[$0] != 0 || ends[$0] != 0 } ?? max(shape.count - 1, 0)
    var steps = shape.rowMajorStrides.map { $0 &* type.size }
    if shape.isEmpty { steps = [type.size] }
    unit = steps[lastFramed]
    var maps: [[Int]] = []
    for axis in shape.indices.prefix(lastFramed + 1) {
      maps.append(try Self.map(shape[axis], begins[axis], ends[axis], mode, axis: axis))
    }
    let inner = maps.popLast() ?? [0]
    runs = Self.runs(inner)
    rowBytes = inner.count &* unit
    sizes = maps.map(\.count)
    self.maps = maps.enumerated().flatMap { axis, map in map.map { $0 < 0 ? -1 : $0 &* steps[axis] } }
    chunks = Chunks(sizes.product, cost: Double(runs.count) * 4 + Double(rowBytes) * 0.1)
  }

  private static func map(_ size: Int, _ begin: Int, _ end: Int, _ mode: Mode, axis: Int) throws(DLRTError) -> [Int] {
    // What is cut off goes first: reflections show only what is kept.
    let first = max(0, -begin)
    let kept = size - first - max(0, -end)
    let total = kept + max(0, begin) + max(0, end)
    guard kept >= 0 else {
      throw DLRTError(
        .invalidModel, "cuts off more than axis \(axis) has", tensor: "pads", expected: "at most \(size)",
        got: "\(begin) and \(end)")
    }
    guard kept > 0 || total == 0 || mode == .constant else {
      throw DLRTError(.invalidModel, "mode '\(mode.rawValue)' finds nothing on the empty axis \(axis)", tensor: "mode")
    }
    let period = max(1, 2 * (kept - 1))
    return (0..<total).map { place in
      let offset = place - max(0, begin)
      if offset >= 0, offset < kept { return first + offset }
      switch mode {
      case .constant: return -1
      case .edge: return first + (offset < 0 ? 0 : kept - 1)
      case .wrap: return first + (offset % kept + kept) % kept
      case .reflect:
        let phase = (offset % period + period) % period
        return first + (phase < kept ? phase : period - phase)
      }
    }
  }

  private static func runs(_ map: [Int]) -> [Run] {
    var runs: [Run] = []
    for (target, source) in map.enumerated() {
      if let last = runs.indices.last,
        source < 0 ? runs[last].source == nil : runs[last].source.map({ $0 + runs[last].count }) == source
      {
        runs[last].count += 1
      } else {
        runs.append(Run(source: source < 0 ? nil : source, target: target, count: 1))
      }
    }
    return runs
  }

  package func run(
    _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, fill: ElementFill, _ io: borrowing StepIO
  ) {
    io.parallel(chunks) { range in
      maps.withUnsafeBufferPointer { maps in
        runs.withUnsafeBufferPointer { runs in
          for row in range {
            let line = target + row &* rowBytes
            let offset = place(row, maps)
            if offset < 0 {
              fill.write(to: line, count: rowBytes / size)
            } else {
              copyRow(source + offset, line, fill, runs)
            }
          }
        }
      }
    }
  }

  /// Where a row comes from; -1 when one of its outer axes lies outside.
  private func place(_ row: Int, _ maps: UnsafeBufferPointer<Int>) -> Int {
    var rest = row
    var offset = 0
    var end = maps.count
    for axis in sizes.indices.reversed() {
      end = end &- sizes[axis]
      let place = maps[end &+ rest % sizes[axis]]
      if place < 0 { return -1 }
      rest /= sizes[axis]
      offset = offset &+ place
    }
    return offset
  }

  private func copyRow(
    _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ fill: ElementFill, _ runs: UnsafeBufferPointer<Run>
  ) {
    for run in runs {
      let to = target + run.target &* unit
      if let from = run.source {
        memcpy(to, source + from &* unit, run.count &* unit)
      } else {
        fill.write(to: to, count: run.count &* unit / size)
      }
    }
  }
}
