import DLRTGraph
import DLRTOperators
import DLRTTestSupport
import Foundation
import Testing

@Suite struct ElementwiseTests {
  @Test(arguments: [
    ([3, 0, 2], [1, 2], [3, 0, 2]), ([], [], []), ([2, 1, 3], [4, 1], [2, 4, 3]),
    ([1, 1], [3, 2, 1, 1], [3, 2, 1, 1]),
    ([2, 3, 4, 5], [1, 3, 1, 1], [2, 3, 4, 5]), ([3, 1], [3, 5000], [3, 5000]), ([130, 3], [3], [130, 3]),
  ])
  func broadcasting(_ a: [Int], _ b: [Int], _ expected: [Int]) throws {
    let x = try Tensor((0..<a.product).map { Float($0) }, shape: a)
    let y = try Tensor((0..<b.product).map { Float($0) * 0.5 }, shape: b)
    let wide = [
      try Tensor(x.array(of: Float.self).map { Int64($0 * 2) }, shape: a),
      try Tensor(y.array(of: Float.self).map { Int64($0 * 2) }, shape: b),
    ]
    // The float kernel and the integer loop walk alike.
    let sum = try OperatorRun.tensor("Add", [x, y])
    let whole = try OperatorRun.tensor("Add", wide)
    #expect(sum.shape == expected)
    #expect(try sum.array(of: Float.self).map { Int64($0 * 2) } == whole.array(of: Int64.self))
    // Element by element, by indices.
    let strides = expected.rowMajorStrides
    func place(_ index: Int, _ shape: [Int]) -> Int {
      var offset = 0
      let own = shape.rowMajorStrides
      for (axis, size) in shape.enumerated() where size != 1 {
        let full = axis + expected.count - shape.count
        offset += index / strides[full] % expected[full] * own[axis]
      }
      return offset
    }
    let left = try x.array(of: Float.self)
    let right = try y.array(of: Float.self)
    let got = try sum.array(of: Float.self)
    #expect(got.indices.allSatisfy { got[$0] == left[place($0, a)] + right[place($0, b)] })
  }

  @Test func shapesThatDoNotBroadcast() throws {
    #expect(throws: DLRTError.self) {
      try OperatorRun.tensor("Add", [Tensor(zeros: [2, 3], type: .float32), Tensor(zeros: [2], type: .float32)])
    }
  }

  @Test func integerDivisionNeverTraps() throws {
    let x = try Tensor([Int32.min, 7, -7, 5], shape: [4])
    let y = try Tensor([Int32(-1), 0, 2, -3], shape: [4])
    #expect(try OperatorRun.tensor("Div", [x, y]).array() == [Int32.min, 0, -3, -1])
    #expect(try OperatorRun.tensor("Mod", [x, y]).array() == [Int32(0), 0, 1, -1])
    #expect(try OperatorRun.tensor("Mod", [x, y], ["fmod": .int(1)]).array() == [Int32(0), 0, -1, 2])
  }

  @Test func wrapping() throws {
    let x = try Tensor([Int8.max, Int8.min], shape: [2])
    #expect(try OperatorRun.tensor("Add", [x, x]).array() == [Int8(-2), 0])
    #expect(try OperatorRun.tensor("Neg", [x]).array() == [Int8(-127), -128])
    #expect(try OperatorRun.tensor("Abs", [x]).array() == [Int8(127), -128])
  }

  @Test(arguments: ["Tanh", "Erf", "Sqrt"])
  func doublesMatchTheLibrary(_ op: String) throws {
    func function(_ x: Double) -> Double {
      switch op {
      case "Tanh": Foundation.tanh(x)
      case "Erf": Foundation.erf(x)
      default: x.squareRoot()
      }
    }
    let special: [Double] = [0, -0.0, .nan, .infinity, -.infinity, 5e-324, 1e-300, -1, 1, 300, -300]
    let x: [Double] = special + (0..<2001).map { (place: Int) -> Double in Double(place - 1000) / 130 }
    let y = try OperatorRun.tensor(op, [Tensor(x, shape: [x.count])]).array(of: Double.self)
    for (value, result) in zip(x, y) {
      let expected = function(value)
      let isSame = result == expected || result.isNaN && expected.isNaN
      #expect(isSame || abs(result - expected) <= 8 * expected.ulp, "\(value)")
    }
  }

  @Test func bytesInLongRows() throws {
    let x = (0..<1003).map { (place: Int) -> Int8 in Int8(truncatingIfNeeded: place &* 37) }
    let tensor = try Tensor(x, shape: [x.count])
    #expect(try OperatorRun.tensor("Abs", [tensor]).array() == x.map { $0 < 0 ? 0 &- $0 : $0 })
    #expect(try OperatorRun.tensor("Neg", [tensor]).array() == x.map { 0 &- $0 })
    #expect(try OperatorRun.tensor("Sign", [tensor]).array() == x.map { $0.signum() })
    #expect(try OperatorRun.tensor("BitwiseNot", [tensor]).array() == x.map { ~$0 })
    let flags = x.map { $0 > 20 }
    #expect(try OperatorRun.tensor("Not", [Tensor(flags, shape: [x.count])]).array() == flags.map { !$0 })
  }

  @Test func noNumberIsBeyondAThreshold() throws {
    let y = try OperatorRun.tensor("ThresholdedRelu", [Tensor([Float.nan, 1, 2], shape: [3])])
    #expect(try y.array(of: Float.self) == [0, 0, 2])
  }

  @Test func maximumPropagatesNaN() throws {
    for type in [DataType.float32, .float64] {
      let x = try OperatorRun.tensor("Cast", [Tensor([Float.nan, 1, 2], shape: [3])], ["to": .int(Int(type.rawValue))])
      let y = try OperatorRun.tensor("Cast", [Tensor([1, Float.nan, 3], shape: [3])], ["to": .int(Int(type.rawValue))])
      let flags = try OperatorRun.tensor("IsNaN", [OperatorRun.tensor("Max", [x, y])])
      #expect(try flags.array() == [true, true, false])
    }
  }

  @Test(arguments: [(2, 10, 1024), (-1, -3, -1), (-1, -2, 1), (0, -1, 0), (5, -1, 0), (7, 0, 1)])
  func integerPowers(_ base: Int64, _ exponent: Int64, _ expected: Int64) throws {
    #expect(try OperatorRun.tensor("Pow", [Tensor(scalar: base), Tensor(scalar: exponent)]).array() == [expected])
  }

  @Test func clipTakesBoundsOfAnotherType() throws {
    // As an old model's attributes become.
    let x = try Tensor([-5.0, 0.25, 9], shape: [3])
    let low = try Tensor(scalar: Float(-1))
    #expect(try OperatorRun.tensor("Clip", [x, low, Tensor(scalar: Float(2))]).array() == [-1, 0.25, 2])
    #expect(try OperatorRun.tensor("Clip", [x, nil, low]).array() == [-5, -1.0, -1])
    let big = try Tensor([Int64.max - 1, 3], shape: [2])
    #expect(try OperatorRun.tensor("Clip", [big, nil, Tensor(scalar: Int64.max - 2)]).array() == [Int64.max - 2, 3])
  }

  @Test func oldClipBecomesInputs() throws {
    var graph = Graph()
    let x = graph.addValue(Graph.Value(name: "x"))
    var node = Node(
      OperatorName("Clip"), attributes: ["max": .float(6), "consumed_inputs": .ints([0])], inputs: [x], outputs: [nil])
    try Clip.modernize(&node, version: 1, in: &graph)
    #expect(node.attributes.isEmpty && node.inputs.count == 3 && node.inputs[1] == nil)
    #expect(try graph.constant(node.inputs[2])?.array() == [Float(6)])
  }

  @Test func oldBroadcastStartsAtAnAxis() throws {
    let x = try Tensor((0..<12).map { Float($0) }, shape: [2, 3, 2])
    let y = try Tensor([Float(10), 20, 30], shape: [3])
    let sum = try OperatorRun.tensor("Add", [x, y], ["axis": .int(1)])
    #expect(try sum.array(of: Float.self).prefix(6) == [10, 11, 22, 23, 34, 35])
    #expect(throws: DLRTError.self) { try OperatorRun.tensor("Add", [x, y], ["axis": .int(3)]) }
  }

  @Test func shiftsBeyondTheWidth() throws {
    let x = try Tensor([Int8(-2), -2, 1, 64], shape: [4])
    let y = try Tensor([Int8(9), -1, 8, 1], shape: [4])
    #expect(
      try OperatorRun.tensor("BitShift", [x, y], ["direction": .string("RIGHT")]).array() == [Int8(-1), -1, 0, 32])
    #expect(
      try OperatorRun.tensor("BitShift", [x, y], ["direction": .string("LEFT")]).array() == [Int8(0), 0, 0, -128])
    #expect(throws: DLRTError.self) { try OperatorRun.tensor("BitShift", [x, y], ["direction": .string("UP")]) }
    #expect(throws: DLRTError.self) { try OperatorRun.tensor("BitShift", [x, y]) }
  }

  @Test func equalityOfStrings() throws {
    let x = try Tensor(["a", "", "ß"], shape: [3, 1])
    let y = try Tensor(["", "ß"], shape: [2])
    #expect(try OperatorRun.tensor("Equal", [x, y]).array() == [false, false, true, false, false, true])
    let chosen = try OperatorRun.tensor("Where", [OperatorRun.tensor("Equal", [x, y]), x, y])
    #expect(try chosen.strings() == ["", "ß", "", "ß", "", "ß"])
  }

  @Test func cumulativeAxisIsChecked() throws {
    let x = try Tensor([Float(1), 2, 3], shape: [3])
    for axis in [Int64(1), -2, .max] {
      #expect(throws: DLRTError.self) { try OperatorRun.tensor("CumSum", [x, Tensor(scalar: axis)]) }
      #expect(throws: DLRTError.self) { try OperatorRun.tensor("CumSum", [x, Tensor(scalar: axis)], constants: [1]) }
    }
    let product = try OperatorRun.tensor("CumProd", [x, Tensor(scalar: Int32(-1))], ["reverse": .int(1)])
    #expect(try product.array() == [Float(6), 6, 3])
  }

  @Test func unaryExtremes() throws {
    let x = try Tensor([-Float.infinity, -1000, 0, 1000, .infinity], shape: [5])
    #expect(try OperatorRun.tensor("Sigmoid", [x]).array() == [Float(0), 0, 0.5, 1, 1])
    #expect(try OperatorRun.tensor("Tanh", [x]).array() == [Float(-1), -1, 0, 1, 1])
    let plus = try OperatorRun.tensor("Softplus", [x]).array(of: Float.self)
    #expect(plus[0] == 0 && plus[1] == 0 && plus[3] == 1000 && plus[4] == .infinity)
    #expect(try OperatorRun.tensor("Round", [Tensor([0.5, 1.5, -2.5], shape: [3])]).array() == [0.0, 2, -2])
  }

  @Test func largeTensorsGiveTheSameOnAnyThreads() throws {
    let x = try Tensor((0..<300_007).map { Float($0 % 1013) * 0.01 - 5 }, shape: [300_007])
    for op in ["Exp", "Gelu", "Sigmoid"] {
      let one = try OperatorRun.tensors(op, [x])[0].array(of: Float.self)
      let four = try OperatorRun.tensors(op, [x], options: .init(threads: 4))[0].array(of: Float.self)
      #expect(one == four)
    }
  }

  @Test func sizesOfShapesStaySymbols() throws {
    let schema = Add.schema
    var reader = AttributeReader(Node(schema.op, inputs: [], outputs: [])) { _ in
      throw DLRTError(.internalError, "no bodies here")
    }
    let batch = Fact(.int64, [2], elements: [.symbol("N"), 8])
    let two = Fact(.int64, [], elements: [2])
    let sum = try Add(&reader).inferred([batch, two], outputCount: 1, label: "", op: schema.op)
    #expect(sum.outputs[0]?.elements == [.symbol("N + 2"), 10])
    let ratio = try Div(&reader).inferred([batch, two], outputCount: 1, label: "", op: schema.op)
    #expect(ratio.outputs[0]?.elements == [.symbol("N / 2"), 4])
    let unknown = Fact(.int64, [1], elements: [-1])
    let equal = try Equal(&reader).inferred([batch, unknown], outputCount: 1, label: "", op: schema.op)
    #expect(equal.outputs[0]?.elements == [0, 0])
  }
}
