import DLRT
import DLRTGraph
import DLRTOperators
import DLRTTestSupport
import Testing

@Suite struct TrainingTests {
  private static let domain = "ai.onnx.preview.training"

  private func optimize(_ op: String, _ tensors: [Tensor], _ attributes: [String: Attribute], outputs: Int) throws
    -> [Tensor]
  {
    let rate = try Tensor(scalar: Float(0.5))
    let time = try Tensor(int64: [3], shape: [])
    return try OperatorRun.tensors(
      op, domain: Self.domain, [rate, time] + tensors, attributes, outputs: outputs)
  }

  @Test func severalParametersOfDifferentShapes() throws {
    let a = try Tensor([Double(1), 2], shape: [2])
    let b = try Tensor([Double(3)], shape: [])
    let attributes: [String: Attribute] = [
      "alpha": .float(0.5), "beta": .float(1), "norm_coefficient": .float(0), "mode": .string("standard"),
    ]
    let results = try optimize("Momentum", [a, b, a, b, a, b], attributes, outputs: 4)
    #expect(results.map(\.shape) == [[2], [], [2], []])
    #expect(try results[0].array(of: Double.self) == [0.25, 0.5])
    #expect(try results[3].array(of: Double.self) == [4.5])
  }

  @Test func tensorsThatDoNotFit() throws {
    let a = try Tensor([Float(1), 2], shape: [2])
    let b = try Tensor([Float(1)], shape: [1])
    #expect(throws: DLRTError.self) { try optimize("Adagrad", [a, a, b], [:], outputs: 2) }
    #expect(throws: DLRTError.self) { try optimize("Adagrad", [a, a], [:], outputs: 2) }
    #expect(throws: DLRTError.self) { try optimize("Adam", [a, a, a], [:], outputs: 1) }
    #expect(throws: DLRTError.self) { try optimize("Momentum", [a, a, a], [:], outputs: 2) }
  }

  /// A function of two matrices whose derivatives are known by their rule.
  struct Formula: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let build: @Sendable (inout GraphBuilder, ValueID, ValueID) throws -> ValueID

    init(_ name: String, _ build: @escaping @Sendable (inout GraphBuilder, ValueID, ValueID) throws -> ValueID) {
      testDescription = name
      self.build = build
    }
  }

  private static let formulas: [Formula] =
    ["Add", "Sub", "Mul", "Div", "Pow", "Sum"].map { op in
      Formula(op) { graph, a, b in
        let column = graph.node("ReduceSum", [b, try graph.axes([0])], ["keepdims": .int(1)])
        return graph.node(op, [a, column])
      }
    }
    + ["Abs", "Cos", "Exp", "Log", "Neg", "Reciprocal", "Relu", "Sigmoid", "Sin", "Sqrt", "Tanh"].map { op in
      Formula(op) { graph, a, b in graph.node("Mul", [graph.node(op, [a]), b]) }
    }
    + [
      Formula("MatMul") { graph, a, b in
        graph.node("Tanh", [graph.node("MatMul", [a, graph.node("Transpose", [b])])])
      },
      Formula("Gemm") { graph, a, b in
        let product = graph.node(
          "Gemm", [a, b, graph.node("ReduceMean", [a])],
          ["transA": .int(1), "alpha": .float(0.5), "beta": .float(2)])
        return graph.node("Sin", [product])
      },
      Formula("Gemm, second transposed") { graph, a, b in
        graph.node("Sin", [graph.node("Gemm", [a, b], ["transB": .int(1)])])
      },
      Formula("shapes") { graph, a, b in
        let flat = graph.node("Flatten", [a], ["axis": .int(0)])
        let row = graph.node("Unsqueeze", [graph.node("Squeeze", [flat]), try graph.axes([0])])
        let mean = graph.node("ReduceMean", [b, try graph.axes([1])], ["keepdims": .int(0)])
        let wide = graph.node("Reshape", [mean, try graph.axes([2, 1])])
        return graph.node(
          "Mul", [graph.node("Transpose", [row], ["perm": .ints([1, 0])]), graph.node("Transpose", [wide])])
      },
    ]

  @Test(arguments: formulas)
  func derivativesAreThoseOfDifferences(_ formula: Formula) throws {
    let a = [0.7, 1.3, 2.1, 0.4, 1.9, 0.8]
    let b = [1.1, 0.6, 0.9, 1.7, 0.3, 2.2]
    func tensors(_ a: [Double], _ b: [Double]) throws -> [Value] {
      [.tensor(try Tensor(a, shape: [2, 3])), .tensor(try Tensor(b, shape: [2, 3]))]
    }
    var builder = GraphBuilder()
    let x = builder.input("a", .float64, [2, 3])
    let z = builder.input("b", .float64, [2, 3])
    let y = builder.node("ReduceSum", [try formula.build(&builder, x, z)], ["keepdims": .int(0)])
    let plain = builder
    let derivatives = try builder.gradient(of: y, with: [x, z])
    builder.output(derivatives[0], derivatives[1])
    let results = try builder.run(tensors(a, b)).compactMap { try $0.tensor?.array(of: Double.self) }

    var forward = plain
    forward.output(y)
    let session = try Session(forward.model())
    func value(_ a: [Double], _ b: [Double]) throws -> Double {
      try session.run(tensors(a, b).map(Optional.some))[0].tensor?.array(of: Double.self).first ?? .nan
    }
    let step = 1e-5
    for index in 0..<6 {
      var (more, less) = (a, a)
      more[index] += step
      less[index] -= step
      let slope = try (value(more, b) - value(less, b)) / (2 * step)
      #expect(abs(results[0][index] - slope) < 1e-6 * max(1, abs(slope)))
      (more, less) = (b, b)
      more[index] += step
      less[index] -= step
      let other = try (value(a, more) - value(a, less)) / (2 * step)
      #expect(abs(results[1][index] - other) < 1e-6 * max(1, abs(other)))
    }
  }

  @Test func secondDerivativesAndOtherPlaces() throws {
    // y = x³ at another value than that of x: 3x² and 6x.
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [])
    let elsewhere = builder.input("elsewhere", .float32, [])
    let y = builder.node("Mul", [builder.node("Mul", [x, x]), x])
    let first = try builder.gradient(of: y, with: [x], at: [elsewhere])
    let second = try builder.gradient(of: first[0], with: [elsewhere])
    let none = try builder.gradient(of: builder.node("Neg", [elsewhere]), with: [x])
    builder.output(first[0], second[0], none[0])
    let values = try builder.run([.tensor(Tensor(scalar: Float(7))), .tensor(Tensor(scalar: Float(2)))])
    #expect(try values.compactMap { try $0.tensor?.array(of: Float.self) } == [[12], [12], [0]])
  }

  @Test func operatorsWithoutRule() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, [2])
    let y = builder.node("CumSum", [x, try builder.axes([0])])
    let error = #expect(throws: DLRTError.self) { try builder.gradient(of: y, with: [x]) }
    #expect(error?.code == .unsupportedModel)
    #expect(error?.operatorName == "CumSum")
  }
}

extension GraphBuilder {
  fileprivate mutating func axes(_ values: [Int]) throws -> ValueID { constant(try Tensor(int64: values)) }

  fileprivate mutating func gradient(
    of y: ValueID, with xs: [ValueID], at places: [ValueID]? = nil
  ) throws -> [ValueID] {
    try imported(
      "Gradient", domain: "ai.onnx.preview.training", version: 1, places ?? xs,
      ["xs": .strings(xs.map { graph[$0].name }), "y": .string(graph[y].name)], outputs: xs.count)
  }
}
