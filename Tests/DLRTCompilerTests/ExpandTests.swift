import DLRT
import DLRTFiles
import DLRTGraph
import DLRTTestSupport
import Testing

/// What operators that broadcast by themselves read of an Expand.
@Suite struct ExpandTests: PassChecks {
  /// As check does, to the last bit.
  private func checkExactly(_ builder: GraphBuilder, _ inputs: [Tensor], leaves operators: [String: Int]) throws {
    try check(builder, inputs, leaves: operators)
    let values = inputs.map { Value?.some(.tensor($0)) }
    let expected = try Session(builder.model(optimizes: false), options: SessionOptions(threads: 1)).run(values)
    for (a, b) in zip(try builder.run(values), expected) {
      #expect(try Comparison.difference(a, b, Tolerance(relative: 0, absolute: 0)) == nil)
    }
  }

  private func expanded(_ x: ValueID, _ sizes: [Int64], _ b: inout GraphBuilder) throws -> ValueID {
    b.node("Expand", [x, b.constant(try Tensor(sizes, shape: [sizes.count]))])
  }

  @Test func vectorsOfLengthOne() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [.symbol("N"), 4])
    let norm = b.node("ReduceL2", [x, b.constant(try Tensor(int64: [-1]))])
    let safe = b.node("Clip", [norm, b.constant(try Tensor(scalar: Float(1e-12))), nil])
    b.output(b.node("Div", [x, b.node("Expand", [safe, b.node("Shape", [x])])]))
    let value = try Tensor([Float(2), -2, 2, 2, 0, 0, 0, 0, 16, 0, 0, 0], shape: [3, 4])
    try checkExactly(b, [value], leaves: ["ReduceL2": 1, "Clip": 1, "Div": 1])
    let got = try b.run([.tensor(value)])[0].tensor
    #expect(try got?.array(of: Float.self) == [0.5, -0.5, 0.5, 0.5, 0, 0, 0, 0, 1, 0, 0, 0])
  }

  @Test(arguments: ["Add", "Sub", "Mul", "Div", "Min", "Max", "Mean", "Less", "Greater", "Equal", "Mod", "PRelu"])
  func everyElementwiseOperatorReadsThrough(_ op: String) throws {
    for sizes in [[], [3], [1], [2, 1], [1, 3]] {
      for places in op == "PRelu" ? [[0, 1]] : [[0, 1], [1, 0]] {
        var b = GraphBuilder()
        let x = b.input("x", .float32, [2, 3])
        let small = b.input("small", .float32, Shape(sizes))
        let operands = [x, try expanded(small, [2, 3], &b)]
        b.output(b.node(op, places.map { operands[$0] }, op == "Mod" ? ["fmod": .int(1)] : [:]))
        try checkExactly(b, [input([2, 3]), input(sizes, seed: 3)], leaves: [op: 1])
      }
    }
  }

  @Test func severalOperands() throws {
    var b = GraphBuilder()
    let (x, y, z) = (
      b.input("x", .float32, [2, 1, 3]), b.input("y", .float32, [4, 1]), b.input("z", .float32, [2, 4, 3])
    )
    b.output(b.node("Max", [try expanded(x, [2, 4, 3], &b), try expanded(y, [2, 4, 3], &b), z]))
    try checkExactly(b, [input([2, 1, 3]), input([4, 1], seed: 2), input([2, 4, 3], seed: 3)], leaves: ["Max": 1])
    var square = GraphBuilder()
    let wide = try expanded(square.input("x", .float32, [3, 1]), [3, 2], &square)
    square.output(square.node("Mul", [wide, wide]))
    try checkExactly(square, [input([3, 1])], leaves: ["Expand": 1, "Mul": 1])
  }

  /// The reader that needs the whole tensor has it, the other ones do without.
  @Test func severalReaders() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [2, 3])
    let wide = try expanded(b.input("small", .float32, [3]), [2, 3], &b)
    b.output(b.node("Mul", [x, wide]), b.node("Concat", [wide, x], ["axis": .int(0)]))
    let inputs = [try input([2, 3]), try input([3], seed: 3)]
    try checkExactly(b, inputs, leaves: ["Mul": 1, "Concat": 1, "Expand": 1])
    let product = try b.model().graphDescription.split(separator: "\n").first { $0.contains("Mul(") }
    #expect(product?.contains("small") == true, "\(product ?? "")")
  }

  @Test func expandsThatMakeTheResultStay() throws {
    var larger = GraphBuilder()
    let row = larger.input("x", .float32, [1, 3])
    larger.output(larger.node("Add", [try expanded(row, [2, 3], &larger), larger.input("y", .float32, [3])]))
    try checkExactly(larger, [input([1, 3]), input([3], seed: 2)], leaves: ["Expand": 1, "Add": 1])

    var output = GraphBuilder()
    let wide = try expanded(output.input("x", .float32, [1, 3]), [2, 3], &output)
    output.output(wide, output.node("Add", [wide, output.input("y", .float32, [2, 3])]))
    try checkExactly(output, [input([1, 3]), input([2, 3], seed: 2)], leaves: ["Expand": 1, "Add": 1])

    // PRelu's slope does not enlarge its input.
    var slope = GraphBuilder()
    let narrow = try expanded(slope.input("x", .float32, [1, 3]), [2, 3], &slope)
    slope.output(slope.node("PRelu", [narrow, slope.input("slope", .float32, [2, 3])]))
    try checkExactly(slope, [input([1, 3]), input([2, 3], seed: 2)], leaves: ["Expand": 1, "PRelu": 1])
  }

  /// Sizes of two names may differ, and one of which nothing is known may be 1.
  @Test func expandsOfUnknownSizesStay() throws {
    for rows in [1, 2] {
      var b = GraphBuilder()
      let (x, y, z) = (
        b.input("x", .float32, [1, 3]), b.input("y", .float32, [.symbol("N"), 3]),
        b.input("z", .float32, [.symbol("M"), 3])
      )
      b.output(b.node("Add", [b.node("Expand", [x, b.node("Shape", [z])]), y]))
      let inputs = [try input([1, 3]), try input([rows, 3], seed: 2), try input([2, 3], seed: 3)]
      try checkExactly(b, inputs, leaves: ["Shape": 1, "Expand": 1, "Add": 1])

      var open = GraphBuilder()
      let some = try expanded(open.input("x", .float32, [.symbol("N"), 3]), [2, 3], &open)
      open.output(open.node("Add", [some, open.input("y", .float32, [2, 3])]))
      try checkExactly(open, [input([rows, 3]), input([2, 3], seed: 2)], leaves: ["Expand": 1, "Add": 1])
    }
  }

  /// Before version 7 an operand could begin at any axis of the other.
  @Test func operandsAlignedAtAnAxisStay() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [3, 3])
    let wide = try expanded(b.input("small", .float32, [3]), [3, 3], &b)
    b.output(try b.imported("Add", version: 6, [x, wide], ["axis": .int(0), "broadcast": .int(1)])[0])
    try checkExactly(b, [input([3, 3]), input([3], seed: 2)], leaves: ["Expand": 1, "Add": 1])
  }
}
