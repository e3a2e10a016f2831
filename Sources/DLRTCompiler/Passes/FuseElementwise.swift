import CKernelSupport
import DLRTGraph
import DLRTOperators

/// Gathers neighbouring elementwise operators over float32 into one `FusedElementwise`, so that their intermediate
/// values never go to memory.
struct FuseElementwise: Pass {
  let name = "fuse-elementwise"
  private static let mostInstructions = 24
  private static let mostInputs = 8

  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch {
    let matcher = Matcher(program)
    var patch = GraphPatch(program.graph)
    var taken: Set<NodeID> = []
    var places = [Int](repeating: 0, count: (program.graph.order.lazy.map(\.index).max() ?? -1) + 1)
    for (place, id) in program.graph.order.enumerated() { places[id.index] = place }
    // From the end, so that a group begins at its last node and grows towards its inputs.
    for id in program.graph.order.reversed() where !taken.contains(id) {
      guard let group = Group(root: id, matcher, taken, places) else { continue }
      taken.formUnion(group.members)
      let node = program.graph[id]
      guard let output = node.output(0) else { continue }
      let op = OperatorName("FusedElementwise", domain: OperatorName.internalDomain)
      let made = patch.node(
        op, name: node.name, attributes: group.program.attributes, inputs: group.inputs,
        output: program.described(output))
      patch.replace(output, with: made)
      for member in group.members { patch.remove(member) }
    }
    return patch
  }

  /// Nodes that become one.
  private struct Group {
    private(set) var members: Set<NodeID> = []
    private(set) var inputs: [ValueID] = []
    private(set) var program = ElementwiseProgram(inputCount: 0, instructions: [])

    /// - Parameter places: of nodes in the graph's order.
    init?(root: NodeID, _ matcher: Matcher, _ taken: Set<NodeID>, _ places: [Int]) {
      guard let rootShape = matcher.shape(matcher[root].output(0)), Reading(root, matcher) != nil else {
        return nil
      }
      // Breadth first; a node joins when all its readers are members, so that its value is needed nowhere else.
      var ordered: [NodeID] = [root]
      members = [root]
      var next = 0
      while next < ordered.count {
        for case let input? in matcher[ordered[next]].inputs {
          guard let id = matcher.producer(input), !members.contains(id), !taken.contains(id),
            members.count < mostInstructions, Reading(id, matcher) != nil,
            matcher.readers(of: input).allSatisfy(members.contains), !matcher.isOutput(input),
            matcher.shape(input)?.provablyEquals(rootShape) == true
          else { continue }
          members.insert(id)
          ordered.append(id)
        }
        next += 1
      }
      guard members.count > 1 else { return nil }
      ordered.sort { places[$0.index] < places[$1.index] }
      guard assemble(ordered, matcher), inputs.count <= mostInputs else { return nil }
    }

    private mutating func assemble(_ order: [NodeID], _ matcher: Matcher) -> Bool {
      let made = Set(order.compactMap { matcher[$0].output(0) })
      var place: [ValueID: Int] = [:]
      for id in order {
        guard let reading = Reading(id, matcher) else { return false }
        for operand in reading.operands where !made.contains(operand) && place[operand] == nil {
          place[operand] = inputs.count
          inputs.append(operand)
        }
      }
      var code: [ElementwiseProgram.Instruction] = []
      for id in order {
        guard let reading = Reading(id, matcher), let output = matcher[id].output(0) else { return false }
        let operands = reading.operands.compactMap { place[$0] }
        guard operands.count == reading.operands.count else { return false }
        code.append(reading.instruction(operands))
        place[output] = inputs.count + code.count - 1
      }
      program = ElementwiseProgram(inputCount: inputs.count, instructions: code)
      return true
    }
  }

  /// How a node reads as an instruction; nil for a node that is none.
  private struct Reading {
    let operands: [ValueID]
    private let operation: Operation

    private enum Operation {
      case unary(UnaryKernel)
      case binary(dlk_binary)
    }

    init?(_ id: NodeID, _ matcher: Matcher) {
      let node = matcher[id]
      guard let output = node.output(0), node.outputs.count == 1, matcher.type(output) == .float32,
        let first = node.input(0), matcher.type(first) == .float32
      else { return nil }
      if let kernel = matcher.unaryKernel(id) {
        operands = [first]
        operation = .unary(kernel)
        return
      }
      guard case .binary(let kernel?)? = matcher.program.op(id)?.elementwiseKernel, node.inputs.count == 2,
        let second = node.input(1), matcher.type(second) == .float32, !node.attributes.keys.contains("axis")
      else { return nil }
      operands = [first, second]
      operation = .binary(kernel)
    }

    func instruction(_ places: [Int]) -> ElementwiseProgram.Instruction {
      switch operation {
      case .unary(let kernel): .unary(kernel.function, a: kernel.a, b: kernel.b, x: places[0])
      case .binary(let function): .binary(function, x: places[0], y: places[1])
      }
    }
  }
}
