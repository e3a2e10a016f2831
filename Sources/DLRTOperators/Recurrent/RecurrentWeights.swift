import CKernelSupport
import DLRTGraph
import DLRTKernels

/// The recurrent weights R [directions, gates · hidden, hidden] as the steps' products want them: in packed panels for
/// float32, transposed for float64. Constants are packed at load, others at the start of each run.
struct RecurrentWeights: Sendable {
  private let hidden: Int
  private let width: Int
  private let directions: Int
  private let parts: [Range<Int>]
  private let kernels: KernelSet
  private let isFloat: Bool
  private var packed: TensorStorage?
  /// Where the parts of one direction begin, and behind them its end, in elements.
  private let places: [Int]
  /// Threads that share one product.
  private let threads: Int

  /// Elements of workspace.
  var workspaceCount: Int { packed == nil ? directions &* perDirection : 0 }
  /// True when the original is never read.
  var isPacked: Bool { packed != nil }
  private var perDirection: Int { places[places.count - 1] }

  init(_ planning: Planning, _ input: Int, directions: Int, gates: Int, parts: [Range<Int>]) throws {
    let hidden = planning.shape(input)[2]
    let kernels = planning.kernels
    let isFloat = planning.type(input) == .float32
    let parts = parts.map { $0.lowerBound * hidden..<$0.upperBound * hidden }
    var places = [0]
    for part in parts {
      let count =
        isFloat ? Int(kernels.table.pointee.packed_b_floats(Int64(hidden), Int64(part.count))) : hidden * part.count
      places.append(places[places.count - 1] + (count + 15) & ~15)
    }
    self.hidden = hidden
    self.kernels = kernels
    self.isFloat = isFloat
    self.parts = parts
    self.places = places
    self.directions = directions
    width = gates * hidden
    // A product below some microseconds is not worth a fork; two directions run side by side instead.
    let isLarge = width * hidden > 1 << 18
    threads = directions == 1 && isLarge ? planning.threads : 1
    packed = nil
    guard isFloat, let constant = planning.constant(input) else { return }
    let weights = self
    packed = try planning.packed(
      constant, format: "recurrent-\(parts)", byteCount: directions * perDirection * 4, isLater: true
    ) { source, target in
      try weights.pack(source, target.assumingMemoryBound(to: Float.self))
    }
  }

  private func pack(_ source: WeightSource, _ target: UnsafeMutablePointer<Float>) throws {
    let panel = Int(kernels.table.pointee.gemm_panel), rowBytes = hidden * 4
    let step = max(1, PackingDesks.partBytes / max(panel * rowBytes, 1)) * panel
    for direction in 0..<directions {
      for (index, part) in parts.enumerated() {
        let start = direction * width + part.lowerBound
        func rows(_ piece: Int) -> Range<Int> { piece * step..<min((piece + 1) * step, part.count) }
        try source.joined((part.count + step - 1) / step, partBytes: step * rowBytes) { piece in
          [(start + rows(piece).lowerBound) * rowBytes..<(start + rows(piece).upperBound) * rowBytes]
        } _: { piece, base in
          let rows = rows(piece)
          var arguments = dlk_pack_b_args(
            base, k: hidden, n: rows.count, kStride: 1, nStride: hidden,
            packed: target + (direction * perDirection + places[index] + rows.lowerBound * hidden))
          kernels.table.pointee.pack_b(&arguments, 0, panels(rows))
        }
      }
    }
  }

  /// - Parameter source: may have any alignment.
  private func pack(_ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>) {
    for direction in 0..<directions {
      for (index, part) in parts.enumerated() {
        var arguments = dlk_pack_b_args(
          source + (direction &* width &+ part.lowerBound) &* hidden &* 4, k: hidden, n: part.count, kStride: 1,
          nStride: hidden, packed: target + (direction &* perDirection &+ places[index]))
        kernels.table.pointee.pack_b(&arguments, 0, panels(part))
      }
    }
  }

  private func panels(_ part: Range<Int>) -> Int64 {
    let size = Int64(kernels.table.pointee.gemm_panel)
    return (Int64(part.count) &+ size &- 1) / size
  }

  /// The weights of all directions for one run.
  ///
  /// - Parameter memory: `workspaceCount` elements.
  func prepare<T: RealElement>(_ source: UnsafePointer<T>, _ memory: UnsafeMutablePointer<T>) -> UnsafePointer<T> {
    if let packed { return UnsafePointer(packed.base.assumingMemoryBound(to: T.self)) }
    if let source = source as? UnsafePointer<Float>, let target = memory as? UnsafeMutablePointer<Float> {
      pack(source, target)
      return UnsafePointer(memory)
    }
    for direction in 0..<directions {
      for (index, part) in parts.enumerated() {
        let target = memory + (direction &* perDirection &+ places[index])
        for row in 0..<part.count {
          let line = source + (direction &* width &+ part.lowerBound &+ row) &* hidden
          for column in 0..<hidden { target[column &* part.count &+ row] = line[column] }
        }
      }
    }
    return UnsafePointer(memory)
  }

  /// Adds rows · weights of a part to rows of results.
  ///
  /// - Parameter backwards: walks the weights from their end; what the step before read last is still in cache.
  func accumulate<T: RealElement>(
    _ io: borrowing StepIO, _ weights: UnsafePointer<T>, direction: Int, part: Int, rows: Int,
    _ source: UnsafePointer<T>, _ results: UnsafeMutablePointer<T>, distance: Int, backwards: Bool
  ) {
    let own = weights + (direction &* perDirection &+ places[part])
    let columns = parts[part].count
    guard let a = source as? UnsafePointer<Float>, let b = own as? UnsafePointer<Float>,
      let c = results as? UnsafeMutablePointer<Float>
    else {
      return Self.accumulate(own, columns, rows, hidden, source, results, distance)
    }
    var arguments = dlk_gemm_args()
    arguments.m = Int64(rows)
    arguments.n = Int64(columns)
    arguments.k = Int64(hidden)
    arguments.a = a
    arguments.a_row_stride = Int64(hidden)
    arguments.b = b
    arguments.c = c
    arguments.c_row_stride = Int64(distance)
    arguments.epilogue = .plain
    arguments.epilogue.addend = UnsafePointer(c)
    arguments.epilogue.addend_row_stride = Int64(distance)
    let count = Int(panels(parts[part]))
    if threads == 1 {
      multiply(arguments, 0..<count, backwards)
    } else {
      io.parallel(threads) { multiply(arguments, ProductSplit.slice(count, $0, of: threads), backwards) }
    }
  }

  private func multiply(_ arguments: dlk_gemm_args, _ panels: Range<Int>, _ backwards: Bool) {
    var arguments = arguments
    let groups = min(4, panels.count)
    for index in 0..<groups {
      let group = ProductSplit.slice(panels.count, backwards ? groups &- 1 &- index : index, of: groups)
      kernels.table.pointee.gemm(
        &arguments, 0, arguments.m, Int64(panels.lowerBound &+ group.lowerBound),
        Int64(panels.lowerBound &+ group.upperBound))
    }
  }

  private static func accumulate<T: RealElement>(
    _ weights: UnsafePointer<T>, _ columns: Int, _ rows: Int, _ depth: Int, _ source: UnsafePointer<T>,
    _ results: UnsafeMutablePointer<T>, _ distance: Int
  ) {
    for row in 0..<rows {
      let result = results + row &* distance
      for index in 0..<depth {
        let factor = source[row &* depth &+ index]
        let line = weights + index &* columns
        for column in 0..<columns { result[column] += factor * line[column] }
      }
    }
  }
}
