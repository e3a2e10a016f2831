import CKernelSupport
import DLRTGraph
import DLRTKernels

/// What a pool makes of the elements of a window.
protocol PoolReduction: Sendable {
  associatedtype Element: NumericElement
  /// The result for no element at all.
  var initial: Element { get }
  func combine(_ result: Element, _ element: Element) -> Element
  /// The kernel that combines rows of float32, where elements are combined as they are.
  var function: dlk_binary? { get }
  /// Brings together what two parts of a window gave.
  func join(_ a: Element, _ b: Element) -> Element
  /// Turns the combined elements of an output row into results.
  func finish(_ row: UnsafeMutablePointer<Element>, _ width: Int, _ index: Int)
}

extension PoolReduction {
  var function: dlk_binary? { nil }
  func join(_ a: Element, _ b: Element) -> Element { combine(a, b) }
  func finish(_ row: UnsafeMutablePointer<Element>, _ width: Int, _ index: Int) {}

  /// Combines a row of results with the elements that a tap meets.
  @inline(never)
  fileprivate func combineRow(
    _ result: UnsafeMutablePointer<Element>, _ source: UnsafePointer<Element>, _ column: WindowRows.Column, stride: Int
  ) {
    for x in column.lower..<column.upper { result[x] = combine(result[x], source[x &* stride]) }
  }
}

/// A pool over `[planes, spatial…]`: one row of an output plane at a time, tap by tap, so that the inner loop runs over
/// adjacent outputs.
final class WindowPooling<Reduction: PoolReduction>: Sendable {
  let reduction: Reduction
  let rows: WindowRows
  let planes: Int
  let inputSize: Int
  let chunks: Chunks
  private let kernels: KernelSet

  init(_ reduction: Reduction, planes: Int, _ geometry: ConvolutionGeometry, _ kernels: KernelSet) {
    self.reduction = reduction
    self.kernels = kernels
    self.planes = planes
    rows = WindowRows(geometry)
    inputSize = geometry.inputSize
    chunks = Chunks(planes &* rows.count, cost: Double(rows.width) * Double(geometry.kernelSize) * 0.5)
  }

  var step: Step {
    if Reduction.Element.self == Float.self, let function = reduction.function { return rowStep(function) }
    return Step(kernel: "pool") { [self] io in
      let input = io.input(0, as: Reduction.Element.self)
      let output = io.output(0, as: Reduction.Element.self)
      io.parallel(chunks) { run($0, input, output) }
    }
  }

  private func run(
    _ range: Range<Int>, _ input: UnsafePointer<Reduction.Element>, _ output: UnsafeMutablePointer<Reduction.Element>
  ) {
    let stride = rows.stride
    for index in range {
      let row = index % rows.count
      let plane = input + (index / rows.count) &* inputSize
      let result = output + index &* rows.width
      result.update(repeating: reduction.initial, count: rows.width)
      rows.forEachTap(of: row) { start, _, column in
        reduction.combineRow(result, plane + start, column, stride: stride)
      }
      reduction.finish(result, rows.width, row)
    }
  }
}

// MARK: Rows of float32

extension WindowPooling {
  /// First brings together the input rows of a window, whole and by kernel, then their columns.
  private func rowStep(_ function: dlk_binary) -> Step {
    let row = joinedCount &+ rows.width &* (rows.stride == 1 ? 0 : rows.stride)
    return Step(kernel: "pool", workspace: chunks.count &* row &* 4) { [self] io in
      let input = io.input(0, as: Float.self)
      let output = io.output(0, as: Float.self)
      let scratch = io.workspace.assumingMemoryBound(to: Float.self)
      io.parallel(chunks.count) { chunk in
        for index in chunks[chunk] { pool(index, function, input, output, scratch + chunk &* row) }
      }
    }
  }

  private var joinedCount: Int { (rows.inputWidth &+ 15) & ~15 }

  private func pool(
    _ index: Int, _ function: dlk_binary, _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>,
    _ joined: UnsafeMutablePointer<Float>
  ) {
    let row = index % rows.count
    let plane = input + (index / rows.count) &* inputSize
    let result = UnsafeMutableRawPointer(output + index &* rows.width).assumingMemoryBound(to: Reduction.Element.self)
    result.update(repeating: reduction.initial, count: rows.width)
    // A single row is read where it is.
    var first: UnsafePointer<Float>?
    var found = 0
    rows.forEachInputRow(of: row) { start, _ in
      let next: UnsafePointer<Float> = plane + start
      if let first {
        let held: UnsafePointer<Float> = found == 1 ? first : UnsafePointer(joined)
        combine(function, held, next, joined)
      } else {
        first = next
      }
      found += 1
    }
    guard let first else { return reduction.finish(result, rows.width, row) }
    let source: UnsafePointer<Float> = found == 1 ? first : UnsafePointer(joined)
    // With a stride, results between those that are wanted are made too: the kernel does many at once.
    let stride = rows.stride
    let target = stride == 1 ? output + index &* rows.width : joined + joinedCount
    if stride > 1 {
      UnsafeMutableRawPointer(target).assumingMemoryBound(to: Reduction.Element.self)
        .update(repeating: reduction.initial, count: rows.width &* stride)
    }
    for column in rows.columns {
      let part = target + column.lower &* stride
      combine(
        function, part, source + (column.offset &+ column.lower &* stride), part,
        (column.upper &- column.lower &- 1) &* stride &+ 1)
    }
    if stride > 1 {
      let wanted = UnsafeRawPointer(target).assumingMemoryBound(to: Reduction.Element.self)
      for x in 0..<rows.width { result[x] = wanted[x &* stride] }
    }
    reduction.finish(result, rows.width, row)
  }

  @inline(__always)
  private func combine(
    _ function: dlk_binary, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>,
    _ count: Int? = nil
  ) {
    var arguments = dlk_binary_args()
    arguments.function = function
    arguments.rows = 1
    arguments.columns = Int64(count ?? rows.inputWidth)
    arguments.x = x
    arguments.x_column_stride = 1
    arguments.y = y
    arguments.y_column_stride = 1
    arguments.out = out
    kernels.table.pointee.binary(&arguments)
  }
}

/// The attributes of the three pools.
struct PoolAttributes: Sendable {
  let window: WindowAttributes
  let kernel: [Int]
  let ceil: Bool

  /// - Parameter prefix: of the attributes' names.
  init(_ attributes: inout AttributeReader, prefix: String = "") throws {
    window = try WindowAttributes(&attributes, prefix: prefix)
    guard let kernel = window.kernelShape else {
      throw DLRTError(.invalidModel, "a required attribute is missing", tensor: prefix + "kernel_shape")
    }
    self.kernel = kernel
    ceil = try attributes.flag(prefix + "ceil_mode")
  }

  func output(_ inference: borrowing Inference) throws -> Shape {
    try output(try inference.shape(0), inference)
  }

  /// - Parameter input: `[N, C, spatial…]`
  func output(_ input: Shape, _ inference: borrowing Inference) throws -> Shape {
    guard input.rank >= 3 else {
      throw DLRTError(
        .invalidModel, "wrong rank", tensor: inference.name(0), expected: "at least 3", got: "shape \(input)")
    }
    let spatial = Array(input.dims.dropFirst(2))
    try window.check(axes: spatial.count)
    return Shape(input.dims.prefix(2) + (try window.output(spatial, kernel: kernel.map(Dim.known), ceil: ceil)))
  }

  func geometry(_ input: [Int]) throws -> ConvolutionGeometry {
    try window.geometry(Array(input.dropFirst(2)), kernel: kernel, ceil: ceil)
  }
}

extension [Int] {
  /// Channels of all images: what precedes the spatial axes of `[N, C, spatial…]`.
  package var planes: Int { prefix(2).reduce(1) { $0 &* $1 } }
}
