import DLRTGraph

/// The rows of a numeric input of shape `[N, C]`, or `[C]` as one row.
///
/// Operators of ai.onnx.ml mix doubles and integers with float coefficients, so all of them compute in double
/// precision, and the result is rounded once.
struct Features: Sendable {
  /// float, double, int64, int32.
  static let types = TypeSet(.float32, .float64, .int64, .int32)

  let rows: Int
  let columns: Int
  private let type: DataType

  init(_ operand: Planning.Operand) {
    rows = operand.shape.count > 1 ? operand.shape[0] : 1
    columns = operand.shape.last ?? 1
    type = operand.type.dataType ?? .float32
  }

  @inline(__always)
  func read(_ row: Int, of source: UnsafeRawPointer, into target: UnsafeMutablePointer<Double>) {
    type.widen(source, from: row &* columns, into: target, columns)
  }

  /// Runs a task for the element type of a numeric input of ai.onnx.ml.
  static func dispatch<Task: NumericTask>(_ type: DataType, _ task: Task) throws -> Task.Result {
    switch type {
    case .float32: try task.run(Float.self)
    case .float64: try task.run(Double.self)
    case .int64: try task.run(Int64.self)
    case .int32: try task.run(Int32.self)
    default: throw type.unsupported
    }
  }
}

extension Inference {
  /// Rows and columns of a `[N, C]` or `[C]` input.
  func features(_ index: Int = 0) throws -> (rows: Dim, columns: Dim) {
    let shape = try shape(index)
    switch shape.rank {
    case 1: return (1, shape[0])
    case 2: return (shape[0], shape[1])
    default:
      throw DLRTError(
        .invalidModel, "wrong rank", tensor: name(index), expected: "[N, C] or [C]", got: "shape \(shape)")
    }
  }

  /// Checks that rows have as many features as a model's attributes say.
  func checkFeatures(_ columns: Dim, _ expected: Int, _ what: String) throws(DLRTError) {
    guard !columns.provablyDiffers(.known(expected)) else {
      throw DLRTError(
        .invalidModel, "wrong number of features", tensor: what, expected: "\(expected)", got: "\(columns)")
    }
  }
}

/// A loop over rows on the run's threads, with scratch memory for each part of the loop.
struct RowLoop: Sendable {
  private let chunks: Chunks
  private let scratch: Int

  /// - Parameters:
  ///   - cost: rough nanoseconds of one row.
  ///   - scratch: doubles that the work on one row needs.
  init(rows: Int, cost: Double, scratch: Int) {
    chunks = Chunks(rows, cost: cost)
    self.scratch = scratch
  }

  /// Bytes of scratch memory for all parts.
  var workspace: Int { chunks.count &* scratch &* MemoryLayout<Double>.stride }

  /// Calls `body` with each row's index and the scratch memory that it may use.
  @inline(__always)
  func run(_ io: borrowing StepIO, _ body: (Int, UnsafeMutablePointer<Double>) -> Void) {
    let base = io.workspace.assumingMemoryBound(to: Double.self)
    io.parallel(chunks) { range in
      let own = base + range.lowerBound / chunks.size &* scratch
      for row in range { body(row, own) }
    }
  }
}

extension UnsafePointer<Double> {
  /// The sum of products, in an order that is the same on every machine.
  @inline(__always)
  func dot(_ other: UnsafePointer<Double>, _ count: Int) -> Double {
    var sums = SIMD4<Double>.zero
    var index = 0
    while index &+ 4 <= count {
      sums += load4(index) * other.load4(index)
      index &+= 4
    }
    var sum = (sums[0] + sums[2]) + (sums[1] + sums[3])
    while index < count {
      sum += self[index] * other[index]
      index &+= 1
    }
    return sum
  }

  /// The square of the Euclidean distance.
  @inline(__always)
  func squaredDistance(_ other: UnsafePointer<Double>, _ count: Int) -> Double {
    var sums = SIMD4<Double>.zero
    var index = 0
    while index &+ 4 <= count {
      let difference = load4(index) - other.load4(index)
      sums += difference * difference
      index &+= 4
    }
    var sum = (sums[0] + sums[2]) + (sums[1] + sums[3])
    while index < count {
      let difference = self[index] - other[index]
      sum += difference * difference
      index &+= 1
    }
    return sum
  }

  @inline(__always)
  private func load4(_ index: Int) -> SIMD4<Double> {
    UnsafeRawPointer(self + index).loadUnaligned(as: SIMD4<Double>.self)
  }
}
