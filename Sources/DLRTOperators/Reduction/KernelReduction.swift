import CKernelSupport
import DLRTGraph
import DLRTKernels

/// A float32 reduction of matrices by rows or by columns, which the kernels of an instruction set do.
struct KernelReduction: Sendable {
  private let function: dlk_reduction
  private let takesRoot: Bool
  private let geometry: ReductionGeometry
  private let kernels: KernelSet

  /// Nil where no kernel serves.
  init?(_ reduction: Reduction, _ type: DataType, _ kernels: KernelSet) {
    guard type == .float32, let function = Self.function(reduction.rule), reduction.geometry.matrix != nil else {
      return nil
    }
    self.function = function
    takesRoot = reduction.rule == .l2
    geometry = reduction.geometry
    self.kernels = kernels
  }

  private static func function(_ rule: ReductionRule) -> dlk_reduction? {
    switch rule {
    case .sum: DLK_REDUCE_SUM
    case .mean: DLK_REDUCE_MEAN
    case .max: DLK_REDUCE_MAX
    case .min: DLK_REDUCE_MIN
    case .sumSquare, .l2: DLK_REDUCE_SUM_SQUARE
    case .l1: DLK_REDUCE_SUM_ABS
    case .product, .logSum, .logSumExp: nil
    }
  }

  var step: Step? {
    guard let matrix = geometry.matrix else { return nil }
    let byRows = geometry.innerIsFolded
    let name = KernelLibrary.name(byRows ? "reduce-rows" : "reduce-columns", isa: kernels.isa)
    return Step(kernel: name) { io in
      let x = io.input(0, as: Float.self)
      let y = io.output(0, as: Float.self)
      var arguments = dlk_reduce_args()
      arguments.function = function
      arguments.rows = Int64(matrix.rows)
      arguments.columns = Int64(matrix.columns)
      arguments.x_row_stride = Int64(matrix.columns)
      let elements = Double(matrix.rows &* matrix.columns)
      let results = byRows ? matrix.rows : matrix.columns
      let cost = elements / Double(max(results, 1)) * 0.1
      if matrix.count == 1 {
        arguments.x = x
        arguments.y = y
        io.parallel(Chunks(results, cost: cost, multiple: byRows ? 1 : 64)) { run(arguments, byRows, $0) }
      } else {
        io.parallel(Chunks(matrix.count, cost: elements * 0.1)) { range in
          var arguments = arguments
          for index in range {
            arguments.x = x + index &* matrix.rows &* matrix.columns
            arguments.y = y + index &* results
            run(arguments, byRows, 0..<results)
          }
        }
      }
    }
  }

  private func run(_ arguments: dlk_reduce_args, _ byRows: Bool, _ range: Range<Int>) {
    var arguments = arguments
    let kernel = byRows ? kernels.table.pointee.reduce_rows : kernels.table.pointee.reduce_columns
    kernel(&arguments, Int64(range.lowerBound), Int64(range.upperBound))
    if takesRoot { takeRoots(arguments.y + range.lowerBound, range.count) }
  }
}

@_optimize(speed) @inline(never)
private func takeRoots(_ values: UnsafeMutablePointer<Float>, _ count: Int) {
  for index in 0..<count { values[index] = values[index].squareRoot() }
}
