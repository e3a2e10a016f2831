import DLRT
import DLRTFiles
import DLRTGraph
import DLRTTestSupport
import Testing

/// Einsum as the matrix product that it is, and the attention that products become.
@Suite struct EinsumTests: PassChecks {
  private func product(_ equation: String, _ a: [Int], _ b: [Int], constant: Bool, leaves: [String: Int]) throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .float32, Shape(a))
    let y = constant ? builder.constant(try input(b, seed: 5)) : builder.input("y", .float32, Shape(b))
    builder.output(builder.node("Einsum", [x, y], ["equation": .string(equation)]))
    try check(builder, [input(a)] + (constant ? [] : [input(b, seed: 5)]), leaves: leaves)
  }

  @Test func productsInOrderBecomeMatMul() throws {
    try product("ij,jk->ik", [3, 4], [4, 5], constant: false, leaves: ["MatMul": 1])
    try product("bhij,bhjd->bhid", [2, 3, 4, 5], [2, 3, 5, 6], constant: false, leaves: ["MatMul": 1])
    // Repeated along the batch, as MatMul does, too; and an ellipsis in front.
    try product("...ij,...jk->...ik", [2, 3, 4], [1, 4, 5], constant: false, leaves: ["MatMul": 1])
    // The second operand has the rows.
    try product("jk,ij->ik", [4, 5], [3, 4], constant: false, leaves: ["MatMul": 1])
  }

  @Test func constantsAreTransposedBeforeTheRun() throws {
    try product("bic,oc->bio", [2, 3, 4], [5, 4], constant: true, leaves: ["Einsum": 1])
    try product("ic,oc->io", [3, 4], [5, 4], constant: true, leaves: ["MatMul": 1])
  }

  @Test func whatIsNoProductOrNeedsCopiesStays() throws {
    for (equation, a, b) in [
      ("ij,kj->ik", [3, 4], [5, 4]), ("ij,jk->ki", [3, 4], [4, 5]), ("ijk,jkl->il", [2, 3, 4], [3, 4, 5]),
      ("ij,ij->ij", [3, 4], [3, 4]), ("ii,ij->ij", [3, 3], [3, 4]), ("ij,jk->ijk", [3, 4], [4, 5]),
      // A sum along an axis that one operand has once.
      ("ij,jk->ik", [3, 4], [1, 5]),
    ] as [(String, [Int], [Int])] {
      try product(equation, a, b, constant: false, leaves: ["Einsum": 1])
    }
  }

  /// Heads before or after positions, with a bias, and with one or two axes for the batch.
  @Test(arguments: ["bhid,bhjd->bhij bhij,bhjd->bhid", "bihd,bjhd->bhij bhij,bjhd->bihd"], [true, false])
  func attention(_ equations: String, _ masked: Bool) throws {
    let parts = equations.split(separator: " ").map(String.init)
    let isInner = parts[0].hasPrefix("bh")
    let shape = isInner ? [2, 3, 6, 8] : [2, 6, 3, 8]
    var b = GraphBuilder()
    let (q, k) = (b.input("q", .float32, Shape(shape)), b.input("k", .float32, Shape(shape)))
    let v = b.input("v", .float32, Shape(shape))
    let half = b.constant(try Tensor(scalar: Float(0.5)))
    var scores = b.node("Einsum", [b.node("Mul", [q, half]), k], ["equation": .string(parts[0])])
    if masked { scores = b.node("Add", [scores, b.constant(try input([1, 3, 6, 6], seed: 4))]) }
    let weights = b.node("Softmax", [scores], ["axis": .int(-1)])
    b.output(b.node("Einsum", [weights, v], ["equation": .string(parts[1])]))
    try check(
      b, [input(shape), input(shape, seed: 2), input(shape, seed: 3)],
      leaves: isInner ? ["Attention": 1] : ["Attention": 1, "Mul": 1, "Transpose": 4])
  }

  /// Images, their windows, heads, positions, sizes: heads split from one axis and joined again.
  @Test(arguments: [Dim.known(2), .symbol("N")], [0, 3, 5]) func attentionInWindows(_ batch: Dim, _ mask: Int) throws {
    var b = GraphBuilder()
    func ints(_ numbers: [Int64], _ b: inout GraphBuilder) throws -> ValueID {
      b.constant(try Tensor(numbers, shape: [numbers.count]))
    }
    let x = b.input("x", .float32, [batch, 4, 6, 24])
    func heads(_ seed: Int) throws -> ValueID {
      let projected = b.node("MatMul", [x, b.constant(try input([24, 24], seed: seed))])
      let split = b.node("Reshape", [projected, try ints([0, 0, 0, 3, 8], &b)])
      return b.node("Transpose", [split], ["perm": .ints([0, 1, 3, 2, 4])])
    }
    let q = b.node("Mul", [try heads(2), b.constant(try Tensor(scalar: Float(0.01)))])
    var scores = b.node("Einsum", [q, try heads(3)], ["equation": .string("B G H I D, B G H J D -> B G H I J")])
    if mask > 0 {
      let shape = Array(repeating: 1, count: mask - 3) + [3, 6, 6]
      scores = b.node("Add", [scores, b.constant(try input(shape, seed: 4))])
    }
    let weights = b.node("Softmax", [scores], ["axis": .int(4)])
    let y = b.node("Einsum", [weights, try heads(4)], ["equation": .string("B G H I J, B G H J D -> B G H I D")])
    let swapped = b.node("Transpose", [y], ["perm": .ints([0, 1, 3, 2, 4])])
    b.output(b.node("Reshape", [swapped, try ints([0, 0, 0, 24], &b)]))
    try check(b, [input([2, 4, 6, 24])], leaves: ["Attention": 1, "MatMul": 3, "Reshape": 4])
  }

  /// Products repeat what has size 1 along the batch and the heads; Attention does not.
  @Test(arguments: [[2, 1, 6, 8], [1, 3, 6, 8]], [false, true]) func repeatedOperandsStay(_ one: [Int], _ five: Bool)
    throws
  {
    for place in 0..<3 {
      var b = GraphBuilder()
      let shapes = (0..<3).map { (five ? [2] : []) + ($0 == place ? one : [2, 3, 6, 8]) }
      let inputs = shapes.enumerated().map { b.input("x\($0)", .float32, Shape($1)) }
      let order = five ? [0, 1, 2, 4, 3] : [0, 1, 3, 2]
      let scores = b.node("MatMul", [inputs[0], b.node("Transpose", [inputs[1]], ["perm": .ints(order)])])
      b.output(b.node("MatMul", [b.node("Softmax", [scores], ["axis": .int(-1)]), inputs[2]]))
      try check(
        b, try shapes.enumerated().map { try input($1, seed: $0) }, leaves: ["Transpose": 1, "MatMul": 2, "Softmax": 1])
    }
  }

  /// A mask for each window cannot be one for the axis that both become.
  @Test func windowsWithMasksOfTheirOwnStay() throws {
    var b = GraphBuilder()
    let x = b.input("x", .float32, [2, 4, 3, 6, 8])
    let scores = b.node("Einsum", [x, x], ["equation": .string("bghid,bghjd->bghij")])
    let masked = b.node("Add", [scores, b.constant(try input([1, 4, 1, 6, 6], seed: 4))])
    b.output(
      b.node(
        "Einsum", [b.node("Softmax", [masked], ["axis": .int(-1)]), x], ["equation": .string("bghij,bghjd->bghid")]))
    try check(b, [input([2, 4, 3, 6, 8])], leaves: ["Transpose": 1, "MatMul": 2, "Add": 1, "Softmax": 1])
  }
}
