import CKernelSupport
import DLRTGraph

/// An Einsum for concrete shapes, as a list of steps: operands are contracted from left to right, each pair by matrix
/// products over views where strides allow it, otherwise after a copy.
struct EinsumProgram: Sendable {
  typealias Label = EinsumEquation.Label

  enum Memory: Sendable, Equatable {
    case input(Int)
    /// Elements from the start of the workspace.
    case scratch(Int)
    case output
  }

  /// Memory with a name for each axis; axes of size 1 are left out.
  struct View: Sendable {
    var memory: Memory
    var strides: [Label: Int]

    func axes(_ labels: [Label], _ sizes: [Label: Int]) -> [StridedAxis] {
      labels.map { StridedAxis(size: sizes[$0] ?? 1, stride: strides[$0] ?? 0) }
    }
  }

  enum Operation: Sendable {
    /// Copies to adjacent elements, `kept` last running fastest, summing over `summed`.
    case gather(from: Memory, to: Memory, kept: [StridedAxis], summed: [StridedAxis])
    /// Elementwise products.
    case multiply(a: Memory, b: Memory, c: Memory, aAxes: [StridedAxis], bAxes: [StridedAxis], cAxes: [StridedAxis])
    case product(MatrixProduct, a: Memory, b: Memory, c: Memory)
  }

  private(set) var operations: [Operation] = []
  private(set) var workspaceCount = 0
  private(set) var flops = 0
  let operandCounts: [Int]
  let outputCount: Int
  private let isEmpty: Bool

  private var sizes: [Label: Int] = [:]
  private var order: [Label] = []

  init(shapes: [[Int]], labels: [[Label]], result: [Label]) {
    for (shape, names) in zip(shapes, labels) {
      for (size, label) in zip(shape, names) where size != 1 {
        if sizes.updateValue(size, forKey: label) == nil { order.append(label) }
      }
    }
    let sizes = sizes
    operandCounts = shapes.map(\.product)
    outputCount = result.reduce(1) { $0 &* (sizes[$1] ?? 1) }
    isEmpty = sizes.values.contains(0)
    if isEmpty { return }

    var views = zip(shapes, labels).enumerated().map { index, operand in
      var strides: [Label: Int] = [:]
      let steps = operand.0.rowMajorStrides
      for (axis, label) in operand.1.enumerated() where operand.0[axis] != 1 {
        strides[label, default: 0] += steps[axis]
      }
      return View(memory: .input(index), strides: strides)
    }
    let wanted = result.filter { sizes[$0] != nil }
    var current = views.removeFirst()
    while !views.isEmpty {
      let next = views.removeFirst()
      let later = Set(wanted).union(views.flatMap(\.strides.keys))
      current = contract(current, next, keep: later, result: views.isEmpty ? wanted : nil)
    }
    if current.memory != .output {
      operations.append(
        .gather(
          from: current.memory, to: .output, kept: current.axes(wanted, sizes),
          summed: current.axes(order.filter { current.strides[$0] != nil && !wanted.contains($0) }, sizes)))
    }
  }
}

// MARK: Making the steps

extension EinsumProgram {
  private func count(_ labels: [Label]) -> Int { labels.reduce(1) { $0 &* (sizes[$1] ?? 1) } }

  private func contiguous(_ memory: Memory, _ labels: [Label]) -> View {
    var strides: [Label: Int] = [:]
    var step = 1
    for label in labels.reversed() {
      strides[label] = step
      step = step &* (sizes[label] ?? 1)
    }
    return View(memory: memory, strides: strides)
  }

  private mutating func scratch(_ labels: [Label]) -> View {
    let view = contiguous(.scratch(workspaceCount), labels)
    workspaceCount += (count(labels) + 15) & ~15
    return view
  }

  /// A copy of a view in a given order of axes, summed over those that are not in it.
  private mutating func gathered(_ view: View, _ labels: [Label]) -> View {
    let copy = scratch(labels)
    let summed = order.filter { view.strides[$0] != nil && !labels.contains($0) }
    operations.append(
      .gather(from: view.memory, to: copy.memory, kept: view.axes(labels, sizes), summed: view.axes(summed, sizes)))
    return copy
  }

  /// Sums over axes that nobody else has.
  private mutating func reduced(_ view: View, _ other: View, keep: Set<Label>) -> View {
    let own = order.filter { view.strides[$0] != nil }
    let useful = own.filter { keep.contains($0) || other.strides[$0] != nil }
    return useful.count == own.count ? view : gathered(view, useful)
  }

  /// - Parameter result: the order of the final result's axes when this is the last contraction.
  private mutating func contract(_ left: View, _ right: View, keep: Set<Label>, result: [Label]?) -> View {
    let a = reduced(left, right, keep: keep)
    let b = reduced(right, left, keep: keep)
    let joint = order.filter { a.strides[$0] != nil && b.strides[$0] != nil }
    let batch = joint.filter(keep.contains)
    let depth = joint.filter { !keep.contains($0) }
    let rows = order.filter { a.strides[$0] != nil && b.strides[$0] == nil }
    let columns = order.filter { a.strides[$0] == nil && b.strides[$0] != nil }
    if depth.isEmpty {
      let all = result ?? batch + rows + columns
      let c = result.map { contiguous(.output, $0) } ?? scratch(all)
      operations.append(
        .multiply(
          a: a.memory, b: b.memory, c: c.memory, aAxes: a.axes(all, sizes), bAxes: b.axes(all, sizes),
          cAxes: c.axes(all, sizes)))
      return c
    }
    return multiply(a, b, batch: batch, rows: rows, columns: columns, depth: depth, result: result)
  }

  private mutating func multiply(
    _ first: View, _ second: View, batch: [Label], rows: [Label], columns: [Label], depth: [Label], result: [Label]?
  ) -> View {
    var a = first
    var b = second
    var rows = rows
    var columns = columns
    if let result {
      rows.sort { (result.firstIndex(of: $0) ?? 0) < (result.firstIndex(of: $1) ?? 0) }
      columns.sort { (result.firstIndex(of: $0) ?? 0) < (result.firstIndex(of: $1) ?? 0) }
      // The operand with the result's last axis gives the columns, so that the result may be written in place.
      if let last = result.last, rows.contains(last) {
        swap(&a, &b)
        swap(&rows, &columns)
      }
    }
    let depth = depth.sorted { (b.strides[$0] ?? 0) > (b.strides[$1] ?? 0) }
    if a.axes(rows, sizes).collapsed == nil || a.axes(depth, sizes).collapsed == nil {
      a = gathered(a, batch + rows + depth)
    }
    if b.axes(columns, sizes).collapsed == nil || b.axes(depth, sizes).collapsed == nil {
      b = gathered(b, batch + depth + columns)
    }
    var c = contiguous(.output, result ?? [])
    let row = c.axes(rows, sizes).collapsed
    let column = c.axes(columns, sizes).collapsed
    let inPlace = result != nil && row != nil && (column?.stride == 1 || column?.size == 1)
    if !inPlace { c = scratch(batch + rows + columns) }
    func step(_ view: View, _ labels: [Label]) -> Int { view.axes(labels, sizes).collapsed?.stride ?? 0 }
    var product = MatrixProduct(
      m: count(rows), n: count(columns), k: count(depth),
      a: MatrixProduct.Matrix(row: step(a, rows), column: step(a, depth)),
      b: MatrixProduct.Matrix(row: step(b, depth), column: step(b, columns)), cRow: step(c, rows))
    product.batch = batch.map {
      MatrixProduct.BatchAxis(
        size: sizes[$0] ?? 1, a: a.strides[$0] ?? 0, b: b.strides[$0] ?? 0, c: c.strides[$0] ?? 0)
    }
    product.simplify()
    flops += product.flops
    operations.append(.product(product, a: a.memory, b: b.memory, c: c.memory))
    return c
  }
}

// MARK: Running

extension EinsumProgram {
  /// Scratch elements of the matrix products, after the views'.
  private var productWorkspace: Int {
    operations.reduce(0) { most, operation in
      if case .product(let product, _, _, _) = operation { max(most, product.loopWorkspace) } else { most }
    }
  }

  var totalWorkspace: Int { workspaceCount + productWorkspace }

  /// The matrix products of float32 by kernels, in the places of the operations.
  func floatProducts(_ planning: Planning) throws -> [FloatProduct?] {
    try operations.map { operation in
      if case .product(let product, _, _, _) = operation { try FloatProduct(product, planning) } else { nil }
    }
  }

  /// - Parameter products: kernels for the matrix products; without them loops do it.
  func run<T: NumericElement>(
    _ io: borrowing StepIO, _: T.Type, scratch: UnsafeMutableRawPointer, output: UnsafeMutablePointer<T>,
    products: [FloatProduct?] = [], _ input: (Int) -> UnsafePointer<T>
  ) {
    if isEmpty {
      for index in 0..<outputCount { output[index] = 0 }
      return
    }
    let base = scratch.assumingMemoryBound(to: T.self)
    func target(_ memory: Memory) -> UnsafeMutablePointer<T> {
      if case .scratch(let offset) = memory { base + offset } else { output }
    }
    func source(_ memory: Memory) -> UnsafePointer<T> {
      if case .input(let index) = memory { input(index) } else { UnsafePointer(target(memory)) }
    }
    for (index, operation) in operations.enumerated() {
      switch operation {
      case .gather(let from, let to, let kept, let summed):
        Self.gather(source(from), target(to), kept, summed)
      case .multiply(let a, let b, let c, let aAxes, let bAxes, let cAxes):
        Self.multiply(source(a), source(b), target(c), aAxes, bAxes, cAxes)
      case .product(let product, let a, let b, let c):
        if index < products.count, let floats = products[index] {
          floats.run(
            io, UnsafeRawPointer(source(a)).assumingMemoryBound(to: Float.self),
            UnsafeRawPointer(source(b)).assumingMemoryBound(to: Float.self),
            UnsafeMutableRawPointer(target(c)).assumingMemoryBound(to: Float.self), dlk_epilogue.plain,
            scratch: UnsafeMutableRawPointer(base + workspaceCount))
          continue
        }
        product.runLoops(io, source(a), source(b), target(c), scratch: base + workspaceCount)
      }
    }
  }

  @inline(never)
  private static func gather<T: NumericElement>(
    _ x: UnsafePointer<T>, _ y: UnsafeMutablePointer<T>, _ kept: [StridedAxis], _ summed: [StridedAxis]
  ) {
    let terms = summed.combinations
    if terms <= 1, let inner = kept.last, inner.size > 0 {
      // Lines along the last axis need an offset only where they begin.
      for line in 0..<kept.combinations / inner.size {
        let start = x + kept.offset(line &* inner.size)
        let target = y + line &* inner.size
        for index in 0..<inner.size { target[index] = start[index &* inner.stride] }
      }
      return
    }
    for index in 0..<kept.combinations {
      let start = x + kept.offset(index)
      var sum = start[0]
      for term in 1..<max(terms, 1) { sum = .add(sum, start[summed.offset(term)]) }
      y[index] = sum
    }
  }

  private static func multiply<T: NumericElement>(
    _ a: UnsafePointer<T>, _ b: UnsafePointer<T>, _ c: UnsafeMutablePointer<T>, _ aAxes: [StridedAxis],
    _ bAxes: [StridedAxis], _ cAxes: [StridedAxis]
  ) {
    for index in 0..<cAxes.combinations {
      c[cAxes.offset(index)] = .multiply(a[aAxes.offset(index)], b[bAxes.offset(index)])
    }
  }
}
