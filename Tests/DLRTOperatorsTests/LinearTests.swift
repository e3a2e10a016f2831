import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

@Suite struct LinearTests {
  /// Shapes with odd sizes, vectors, batches that broadcast on either side, and nothing.
  @Test(arguments: [
    ([1, 1], [1, 1]), ([5], [5]), ([3], [3, 7]), ([7, 3], [3]), ([2, 3, 4], [4, 5]), ([4, 5], [3, 5, 6]),
    ([2, 1, 7, 33], [3, 33, 70]), ([130, 17], [17, 129]), ([1, 200], [200, 65]), ([3, 1, 8], [3, 8, 9]),
    ([0, 3], [3, 2]), ([2, 0], [0, 3]), ([2, 3], [3, 0]), ([0, 2, 3], [3, 4]), ([60, 300], [300, 900]),
  ])
  func matMulAgreesWithFloat64(_ a: [Int], _ b: [Int]) throws {
    var numbers = RandomNumbers(seed: 1)
    let x = try numbers.tensor(a)
    let y = try numbers.tensor(b)
    let expected = try OperatorRun.tensor("MatMul", [x.widened, y.widened])
    for constants in [[], [0], [1], [0, 1]] as [Set<Int>] {
      let got = try OperatorRun.tensor("MatMul", [x, y], constants: constants)
      #expect(try got.isNear(expected), "constants \(constants)")
    }
  }

  @Test func threadsDoNotChangeResults() throws {
    var numbers = RandomNumbers(seed: 2)
    let x = try numbers.tensor([3, 100, 90])
    let y = try numbers.tensor([3, 90, 200])
    let alone = try OperatorRun.tensors("MatMul", [x, y])[0]
    for threads in [2, 3] {
      let shared = try OperatorRun.tensors("MatMul", [x, y], options: SessionOptions(threads: threads))[0]
      #expect(try shared.array(of: Float.self) == alone.array(of: Float.self))
    }
  }

  /// Large weights of a single row stay where the model has them, at whatever address.
  @Test(arguments: [false, true])
  func weightsInPlace(_ isTransposed: Bool) throws {
    var numbers = RandomNumbers(seed: 5)
    let x = try numbers.tensor([1, 301])
    let shape = isTransposed ? [901, 301] : [301, 901]
    let aligned = try numbers.tensor(shape)
    let storage = try TensorStorage(byteCount: aligned.byteCount + 1)
    aligned.withUnsafeBytes { (storage.base + 1).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    let shifted = Tensor(.float32, shape, storage, byteOffset: 1)
    let c = try numbers.tensor([901])
    let attributes: [String: Attribute] = ["transB": .int(isTransposed ? 1 : 0), "alpha": .float(0.5)]
    let expected = try OperatorRun.tensor("Gemm", [x.widened, aligned.widened, c.widened], attributes)
    let alone = try OperatorRun.tensor("Gemm", [x, aligned, c], attributes, constants: [1])
    #expect(try alone.isNear(expected))
    for threads in [1, 2, 3] {
      let options = SessionOptions(threads: threads)
      let got = try OperatorRun.tensors("Gemm", [x, shifted, c], attributes, constants: [1], options: options)[0]
      #expect(try got.array(of: Float.self) == alone.array(of: Float.self), "threads \(threads)")
    }
  }

  @Test(arguments: [[], [1], [4], [1, 4], [3, 1], [1, 1], [3, 4]])
  func gemmAddends(_ shape: [Int]) throws {
    var numbers = RandomNumbers(seed: 3)
    let a = try numbers.tensor([5, 3])
    let b = try numbers.tensor([4, 5])
    let c = try numbers.tensor(shape)
    for beta in [Float(1), 0.5, 0] {
      let attributes: [String: Attribute] = [
        "transA": .int(1), "transB": .int(1), "alpha": .float(0.75), "beta": .float(beta),
      ]
      let got = try OperatorRun.tensor("Gemm", [a, b, c], attributes, constants: [1])
      #expect(try got.isNear(OperatorRun.tensor("Gemm", [a.widened, b.widened, c.widened], attributes)))
    }
  }

  @Test func integersWrap() throws {
    let x = try Tensor([Int32.max, 2], shape: [1, 2])
    let y = try Tensor([Int32(2), 3], shape: [2, 1])
    #expect(try OperatorRun.tensor("MatMul", [x, y]).array() == [Int32(4)])
    let wide = try Tensor([UInt64.max], shape: [1, 1])
    #expect(try OperatorRun.tensor("MatMul", [wide, wide]).array() == [UInt64(1)])
    let bytes = try Tensor([UInt8(200), 100], shape: [2])
    #expect(
      try OperatorRun.tensor("Einsum", [bytes, bytes], ["equation": .string("i,i->i")]).array() == [UInt8(64), 16])
  }

  @Test(arguments: [([2, 3], [4, 5]), ([], [2, 2]), ([2, 2, 3], [3, 3, 2])])
  func matricesThatDoNotFit(_ a: [Int], _ b: [Int]) throws {
    #expect(throws: DLRTError.self) {
      try OperatorRun.tensor("MatMul", [Tensor(zeros: a, type: .float32), Tensor(zeros: b, type: .float32)])
    }
  }

  @Test(arguments: [
    ("ij,jk->ik", [[3, 4], [4, 5]], [3, 5]), ("ij,jk", [[3, 4], [4, 5]], [3, 5]),
    ("...ij->...ji", [[2, 3, 4]], [2, 4, 3]),
    ("ii->i", [[3, 3]], [3]), ("ij->", [[3, 4]], []), ("b...,b...->b", [[2, 3, 4], [2, 3, 4]], [2]),
    ("ab,bc,cd->da", [[2, 3], [3, 4], [4, 5]], [5, 2]), ("ij,kl->ijkl", [[2, 1], [1, 3]], [2, 1, 1, 3]),
    ("ij,ij->ji", [[2, 3], [2, 3]], [3, 2]), ("ij,jk->ik", [[3, 0], [0, 5]], [3, 5]),
    (" i j -> j i ", [[2, 3]], [3, 2]),
    ("bqhd,bkhd->bhqk", [[2, 5, 3, 4], [2, 6, 3, 4]], [2, 3, 5, 6]), ("...j,j->...", [[2, 3, 4], [4]], [2, 3]),
  ])
  func einsum(_ equation: String, _ shapes: [[Int]], _ expected: [Int]) throws {
    var numbers = RandomNumbers(seed: 4)
    let inputs = try shapes.map { try numbers.tensor($0) }
    let got = try OperatorRun.tensor("Einsum", inputs, ["equation": .string(equation)])
    #expect(got.shape == expected)
    #expect(try got.isNear(EinsumTwin.run(equation, inputs)))
  }

  @Test(arguments: ["i->", "ij->k", "ij->ii", "i.j", "i,j", "i1", "i-j", ".."])
  func malformedEquations(_ equation: String) throws {
    #expect(throws: DLRTError.self) {
      try OperatorRun.tensor("Einsum", [Tensor(zeros: [2, 2], type: .float32)], ["equation": .string(equation)])
    }
  }

  @Test func determinants() throws {
    let x = try Tensor([0.0, 1, 1, 0, 2, 0, 0, 3, 1, 2, 2, 4], shape: [3, 2, 2])
    #expect(try OperatorRun.tensor("Det", [x]).array() == [-1.0, 6, 0])
    #expect(try OperatorRun.tensor("Det", [Tensor(zeros: [0, 0], type: .float64)]).array() == [1.0])
    // A pivot whose inverse is infinite.
    #expect(
      try OperatorRun.tensor("Det", [Tensor([1e-39, 0, 0, 1] as [Float], shape: [2, 2])]).array() == [1e-39 as Float])
  }

  @Test(arguments: 1...11)
  func determinantsAndInverses(_ size: Int) throws {
    let count = 3
    var state = UInt32(size)
    let x = (0..<count * size * size).map { _ -> Float in
      state = state &* 1_664_525 &+ 1_013_904_223
      return Float(state >> 8) / Float(1 << 23) - 1
    }
    let tensor = try Tensor(x, shape: [count, size, size])
    let inverses = try OperatorRun.tensor("Inverse", domain: OperatorName.microsoftDomain, [tensor])
    let identities = try OperatorRun.tensor("MatMul", [tensor, inverses]).array(of: Float.self)
    for (place, value) in identities.enumerated() {
      let isDiagonal = place / size % size == place % size
      #expect(abs(value - (isDiagonal ? 1 : 0)) < 1e-2)
    }
    let product = try OperatorRun.tensor(
      "Mul", [OperatorRun.tensor("Det", [tensor]), OperatorRun.tensor("Det", [inverses])])
    for value in try product.array(of: Float.self) { #expect(abs(value - 1) < 1e-2) }
    let triangle = (0..<size * size).map { (place: Int) -> Float in
      let (row, column) = (place / size, place % size)
      return row == column ? 2 : row < column ? 7 : 0
    }
    let power = Float((0..<size).reduce(1) { power, _ in power * 2 })
    #expect(try OperatorRun.tensor("Det", [Tensor(triangle, shape: [size, size])]).array() == [power])
  }

  @Test(arguments: [DataType.int32, .uint32, .int64])
  func integerProducts(_ type: DataType) throws {
    let (m, k, n) = (7, 131, 67)
    let a = (0..<m * k).map { Int32($0 % 91 - 40) }
    let b = (0..<k * n).map { Int32($0 % 89 - 44) }
    let cast = ["to": Attribute.int(Int(type.rawValue))]
    let product = try OperatorRun.tensor(
      "MatMul",
      [
        OperatorRun.tensor("Cast", [Tensor(a, shape: [m, k])], cast),
        OperatorRun.tensor("Cast", [Tensor(b, shape: [k, n])], cast),
      ])
    let back = try OperatorRun.tensor("Cast", [product], ["to": .int(Int(DataType.int64.rawValue))])
    let expected = (0..<m * n).map { (place: Int) -> Int64 in
      let (row, column) = (place / n, place % n)
      var sum: Int64 = 0
      for index in 0..<k { sum += Int64(a[row * k + index]) * Int64(b[index * n + column]) }
      return sum
    }
    let wrapped = type == .uint32 ? expected.map { Int64(UInt32(truncatingIfNeeded: $0)) } : expected
    #expect(try back.array() == wrapped)
  }

  /// Constant matrices go to the kernels for convolutions of bytes, others to those for pairs.
  @Test(arguments: [(1, 1, 1), (1, 64, 33), (3, 7, 5), (5, 66, 70), (50, 131, 129)], [DataType.uint8, .int8])
  func constantBytes(_ sizes: (Int, Int, Int), _ type: DataType) throws {
    let (m, k, n) = sizes
    let isSigned = type == .int8
    func bytes(_ shape: [Int], _ factor: Int) throws -> Tensor {
      let numbers = (0..<shape.reduce(1, *)).map { (place: Int) -> UInt8 in
        let number = place &* place &* factor &+ 11 &* place
        return UInt8(truncatingIfNeeded: number)
      }
      return isSigned
        ? try Tensor(numbers.map { Int8(bitPattern: $0) }, shape: shape) : try Tensor(numbers, shape: shape)
    }
    let (a, b) = (try bytes([2, m, k], 7), try bytes([k, n], 3))
    let zero = isSigned ? try Tensor(scalar: Int8(-3)) : try Tensor(scalar: UInt8(120))
    // Zero points of columns whose differences are int8, and some whose are not.
    let middle = (0..<n).map { (column: Int) -> UInt8 in isSigned ? 0 : 127 + UInt8(column % 2) }
    let zeros = isSigned ? try Tensor(middle.map { Int8($0) }, shape: [n]) : try Tensor(middle, shape: [n])
    for shift in [nil, zero, zeros] {
      let inputs = [a, b, zero, shift]
      #expect(
        try OperatorRun.tensor("MatMulInteger", inputs, constants: [1, 3]).elements(Int32.self)
          == OperatorRun.tensor("MatMulInteger", inputs).elements(Int32.self))
    }
    let scales = try Tensor((0..<n).map { (column: Int) -> Float in 0.01 + Float(column) / 1000 }, shape: [n])
    let scale = try Tensor(scalar: Float(0.02))
    let inputs = [a, scale, zero, b, scales, zeros, try Tensor(scalar: Float(3)), zero]
    let results = try [Set<Int>(), [3, 5]].map { constants in
      let y = try OperatorRun.tensor("QLinearMatMul", inputs, constants: constants)
      return isSigned ? y.elements(Int8.self).map { Int($0) } : y.elements(UInt8.self).map { Int($0) }
    }
    #expect(results[0] == results[1])
  }

  @Test func zeroPointsPerRowAndColumn() throws {
    let a = try Tensor([UInt8(10), 20, 30, 40], shape: [2, 2])
    let b = try Tensor([Int8(1), -2, 3, -4], shape: [2, 2])
    let rows = try Tensor([UInt8(10), 30], shape: [2])
    let columns = try Tensor([Int8(1), -4], shape: [2])
    // (a − rows) · (b − columns)
    #expect(try OperatorRun.tensor("MatMulInteger", [a, b, rows, columns]).array() == [Int32(20), 0, 20, 0])
    let three = try Tensor([Int8(1), 2, 3], shape: [3])
    #expect(throws: DLRTError.self) { try OperatorRun.tensor("MatMulInteger", [a, b, rows, three]) }
  }
}

/// Products of bytes beside their definition, in sizes around those of panels and tiles.
@Suite struct ByteProductTests {
  private struct Case: CustomStringConvertible {
    let a: [Int]
    let b: [Int]
    var zeros: ([Int], [Int]) = ([], [])
    var constants: Set<Int> = []

    var description: String { "\(a) \(b) \(zeros) \(constants)" }
  }

  private static let cases = [
    Case(a: [1, 1], b: [1, 1]), Case(a: [7, 65], b: [65, 67], constants: [1, 3]), Case(a: [3, 0], b: [0, 2]),
    Case(a: [50, 9], b: [9, 130], zeros: ([50], [130])),
    Case(a: [50, 9], b: [9, 3], zeros: ([50], [3]), constants: [1, 3]),
    Case(a: [2, 3, 5, 4], b: [3, 4, 6]), Case(a: [2, 1, 5, 3], b: [1, 3, 3, 6], constants: [1]),
    Case(a: [5], b: [5, 4]), Case(a: [2, 3, 5], b: [5]), Case(a: [5], b: [3, 5, 2]),
    Case(a: [4, 1, 1, 5], b: [4, 1, 5, 2]),
  ]

  @Test(arguments: cases) private func matchNaive(_ test: Case) throws {
    var numbers = RandomNumbers(seed: 5)
    func bytes(_ shape: [Int]) throws -> Tensor {
      try Tensor((0..<shape.product).map { _ in UInt8(truncatingIfNeeded: Int(numbers.next() * 1e6)) }, shape: shape)
    }
    func signed(_ shape: [Int]) throws -> Tensor {
      try Tensor((0..<shape.product).map { _ in Int8(truncatingIfNeeded: Int(numbers.next() * 1e6)) }, shape: shape)
    }
    let (a, b) = (try bytes(test.a), try signed(test.b))
    let zeros = (try bytes(test.zeros.0), try signed(test.zeros.1))
    let got = try OperatorRun.tensor("MatMulInteger", [a, b, zeros.0, zeros.1], constants: test.constants)
    func wide(_ x: Tensor, _ zero: Tensor, perRow: Bool) throws -> Tensor {
      let shape = perRow && zero.count > 1 ? [zero.count, 1] : zero.shape
      let parts = try [x, zero].map { try OperatorRun.tensor("Cast", [$0], ["to": .int(6)]) }
      return try OperatorRun.tensor("Sub", [parts[0], parts[1].reshaped(shape)])
    }
    let expected = try OperatorRun.tensor(
      "MatMul", [wide(a, zeros.0, perRow: true), wide(b, zeros.1, perRow: false)])
    #expect(got.shape == expected.shape)
    #expect(try got.array(of: Int32.self) == expected.array(of: Int32.self))

    let scale = try Tensor(scalar: Float(0.002))
    let rounded = try OperatorRun.tensor(
      "QLinearMatMul",
      [a, scale, zeros.0, b, scale, zeros.1, Tensor(scalar: Float(0.001)), Tensor(scalar: UInt8(100))])
    let sums = try expected.array(of: Int32.self)
    let bound = sums.map { UInt8(min(max((Float($0) * 0.004).rounded(.toNearestOrEven) + 100, 0), 255)) }
    let near = try zip(rounded.array(of: UInt8.self), bound).allSatisfy { abs(Int($0) - Int($1)) <= 1 }
    #expect(near)
  }
}

/// Einsum by its definition: every combination of labels, one product each.
private enum EinsumTwin {
  static func run(_ equation: String, _ inputs: [Tensor]) throws -> Tensor {
    let text = equation.filter { $0 != " " }
    let sides = text.split(separator: ">", omittingEmptySubsequences: false)
    let left = sides.count == 2 ? sides[0].dropLast() : sides[0]
    let terms = left.split(separator: ",").enumerated().map { expand(String($1), inputs[$0].rank) }
    let all = terms.joined()
    var result = Set(all).filter { label in all.count { $0 == label } == 1 }.sorted()
    if sides.count == 2 {
      let hidden = Set(all).filter(\.isNumber).count
      result = Array(expand(String(sides[1]), String(sides[1]).filter(\.isLetter).count + hidden))
    }
    var sizes: [Character: Int] = [:]
    for (term, input) in zip(terms, inputs) {
      for (label, size) in zip(term, input.shape) { sizes[label] = max(sizes[label] ?? 1, size == 1 ? 1 : size) }
      for (label, size) in zip(term, input.shape) where size == 0 { sizes[label] = 0 }
    }
    let labels = sizes.keys.sorted()
    let shape = result.map { sizes[$0] ?? 1 }
    var sums = [Double](repeating: 0, count: shape.product)
    let values = try inputs.map { try $0.array(of: Float.self) }
    let extents = labels.map { sizes[$0] ?? 1 }
    for combination in 0..<extents.product {
      var index: [Character: Int] = [:]
      for (axis, label) in labels.enumerated() {
        index[label] = combination / extents.rowMajorStrides[axis] % extents[axis]
      }
      func place(_ term: [Character], _ shape: [Int]) -> Int {
        zip(zip(term, shape), shape.rowMajorStrides).reduce(0) { $0 + ($1.0.1 == 1 ? 0 : (index[$1.0.0] ?? 0) * $1.1) }
      }
      var product = 1.0
      for (operand, term) in terms.enumerated() {
        product *= Double(values[operand][place(term, inputs[operand].shape)])
      }
      sums[place(result, shape)] += product
    }
    return try Tensor(sums, shape: shape)
  }

  /// Axes under an ellipsis get digits, the last one 0.
  private static func expand(_ term: String, _ rank: Int) -> [Character] {
    let letters = term.filter(\.isLetter).count
    return term.replacingEllipsis((0..<max(0, rank - letters)).reversed().map { Character(String($0)) })
  }
}

extension String {
  fileprivate func replacingEllipsis(_ labels: [Character]) -> [Character] {
    guard let first = firstIndex(of: ".") else { return Array(self) }
    return Array(self[..<first]) + labels + Array(self[first...].drop { $0 == "." })
  }
}
