import DLRTGraph
import DLRTOperators
import Glibc

/// Drops the outer taps of a convolution's window that meet only padding wherever the window goes: those of dilated
/// windows over small images, or of any window over images of a pixel or two.
struct TrimWindows: Pass {
  let name = "trim-windows"

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    for id in program.graph.order {
      let node = program.graph[id]
      guard let op = program.op(id) as? Conv, let weights = program.graph.constant(node.input(1)), weights.count > 0,
        let shape = matcher.shape(node.input(0)), shape.rank == weights.rank
      else { continue }
      let spatial = shape.dims.dropFirst(2).compactMap(\.value)
      guard spatial.count == weights.rank - 2, !spatial.contains(0),
        let window = try? op.attributes.window.geometry(spatial, kernel: Array(weights.shape.dropFirst(2)))
      else { continue }
      let kept = window.axes.map(\.liveTaps)
      guard zip(kept, window.axes).contains(where: { $0 != 0..<$1.kernel }) else { continue }
      var made = node
      made.inputs[1] = patch.constant(try weights.taps(kept))
      made.attributes["kernel_shape"] = .ints(kept.map(\.count))
      made.attributes["auto_pad"] = nil
      made.attributes["pads"] = .ints(
        zip(window.axes, kept).map { $0.padBegin - $1.lowerBound * $0.dilation }
          + zip(window.axes, kept).map { $0.padEnd - ($0.kernel - $1.upperBound) * $0.dilation })
      patch.update(id, made)
    }
    return patch
  }
}

extension WindowAxis {
  /// The taps from the first to the last that some output needs. What goes from the window goes from the padding too,
  /// of which there must be enough.
  fileprivate var liveTaps: Range<Int> {
    var (first, end) = (0, kernel)
    while end - first > 1, outputs(tap: first).isEmpty, padBegin >= (first + 1) * dilation { first += 1 }
    while end - first > 1, outputs(tap: end - 1).isEmpty, padEnd >= (kernel - end + 1) * dilation { end -= 1 }
    return first..<end
  }
}

extension Tensor {
  /// Of weights `[M, C, kernel…]`, some taps along each axis.
  fileprivate func taps(_ kept: [Range<Int>]) throws -> Tensor {
    let box = kept.map(\.count)
    let result = try Tensor(uninitialized: Array(shape.prefix(2)) + box, type: type, lasts: true)
    // What lies together in both is copied at once: some taps of an axis, and all axes within it, which are whole.
    let axis = zip(kept, shape.dropFirst(2)).reversed().prefix(while: { $0 == 0..<$1 }).count
    let outer = max(0, box.count - axis - 1)
    let strides = Array(shape.dropFirst(2)).rowMajorStrides, targets = Array(box.prefix(outer)).rowMajorStrides
    let start = outer < box.count ? kept[outer].lowerBound * strides[outer] : 0
    let offsets = (0..<box.prefix(outer).reduce(1, *)).map { run in
      (0..<outer).reduce(start) { $0 + (kept[$1].lowerBound + run / targets[$1] % box[$1]) * strides[$1] } * type.size
    }
    let runBytes = box.dropFirst(outer).reduce(type.size, *)
    let filterBytes = shape.dropFirst(2).reduce(type.size, *)
    withUnsafeBytes { bytes in
      storage.preparePages(bytes)
      defer { storage.releasePages(bytes) }
      guard var source = bytes.baseAddress else { return }
      var target = result.mutablePointer
      for _ in 0..<shape[0] * shape[1] {
        for offset in offsets {
          memcpy(target, source + offset, runBytes)
          target += runBytes
        }
        source += filterBytes
      }
    }
    return result
  }
}
