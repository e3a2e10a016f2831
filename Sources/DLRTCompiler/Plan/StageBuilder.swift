import DLRTGraph
import DLRTOperators
import DLRTParallel

/// Turns facts into steps, and gives every value its memory.
final class StageBuilder {
  let nodes: [NodeID]
  let program: Program
  let environment: PlanEnvironment
  let facts: PlanFacts
  /// Model outputs that no earlier stage has delivered.
  let pendingOutputs: [Int]

  let views: StageViews
  private(set) var groups: ImageGroups
  private var stage = Stage()
  private var constantIndex: ValueTable<Int>
  /// The buffer that holds each value; values that are views or were computed in place share one.
  private var bufferOf: ValueTable<Int>
  /// The last step that reads each value, or beyond all steps for what must outlive them; nil where nobody reads.
  private(set) var lastUse: ValueTable<Int>
  private var buffers: [Buffer] = []
  /// By step of the stage.
  private var stepWeights: [StepWeights] = []

  /// Memory that one or several values share, one after the other or as views.
  private struct Buffer {
    var size: Int
    var kind: Kind
    var first: Int
    var last: Int
    /// Room for one image, which each takes in turn.
    var holdsImage = false
    /// Where an arena's buffer is, once it is placed.
    var offset = 0

    enum Kind {
      case arena
      case start(Int)
      case constant(Int)
      case output(Int)
      case dynamic(Int)

      var isArena: Bool {
        if case .arena = self { return true }
        return false
      }
    }
  }

  /// - Parameter nodes: those that no earlier stage has run.
  init(
    _ nodes: [NodeID], program: Program, environment: PlanEnvironment, facts: PlanFacts, pendingOutputs: [Int]
  ) {
    self.nodes = nodes
    views = StageViews(nodes, program: program, environment: environment, facts: facts)
    groups = ImageGroups([], views, threads: 1)
    self.program = program
    self.environment = environment
    self.facts = facts
    self.pendingOutputs = pendingOutputs
    constantIndex = ValueTable(program.graph)
    bufferOf = ValueTable(program.graph)
    lastUse = ValueTable(program.graph)
  }

  func build(starts: [Planner.Start], memoryLimit: Int) throws -> Stage {
    let graph = program.graph
    let (run, wait) = split()
    stage.remaining = wait
    stage.decisive = facts.decisive.filter { facts[$0] != nil }.sorted { $0.index < $1.index }
    stage.starts = starts.map(\.value)
    for (index, start) in starts.enumerated() where start.constant == nil {
      add(start.value, Buffer(size: 0, kind: .start(index), first: 0, last: Int.max))
    }
    for (position, id) in run.enumerated() {
      for case let input? in views.inputs(of: id) { lastUse[input] = position }
      keepOutputs(of: id, position)
    }
    let (read, delivered) = valuesAfter(wait)
    for value in read { lastUse[value] = Int.max }
    for output in delivered { lastUse[graph.outputs[output]] = Int.max }

    var layout = ArenaLayout()
    var drafts: [Draft] = []
    groups = ImageGroups(run, views, threads: environment.pool.threads)
    var requests: [Request] = []
    requests.reserveCapacity(run.count)
    for (position, id) in run.enumerated() { requests.append(request(for: id, groups[position])) }
    let steps = steps(for: requests)
    for position in run.indices {
      drafts.append(try draft(requests[position], steps[position], at: position))
    }
    placeOutputs(delivered)
    for position in run.indices { prolongLives(of: run[position], at: position) }
    let end = max(run.count, 1)
    let inArena = buffers.indices.filter { buffers[$0].kind.isArena }
    for index in inArena {
      let buffer = buffers[index]
      layout.add(size: buffer.size, life: buffer.first...max(buffer.first, min(buffer.last, end)))
    }
    let scratch = drafts.enumerated().map { position, draft -> Int? in
      draft.step.workspace > 0 ? layout.add(size: draft.step.workspace, life: position...position) : nil
    }
    stage.arenaBytes = layout.place()
    guard stage.arenaBytes <= memoryLimit else {
      throw DLRTError(
        .limitExceeded, "the run needs more memory than allowed", expected: "at most \(memoryLimit) bytes",
        got: "\(stage.arenaBytes) bytes")
    }
    for (place, index) in inArena.enumerated() { buffers[index].offset = layout.buffers[place].offset }
    for (position, draft) in drafts.enumerated() {
      try emit(draft, at: position, workspace: scratch[position].map { layout.buffers[$0].offset } ?? 0)
    }
    if stepWeights.contains(where: { !$0.all.isEmpty }) {
      stage.weights = StageWeights(stepWeights, environment.weights)
    }
    try finish(read: read, delivered: delivered)
    return stage
  }
}

// MARK: Steps and buffers

extension StageBuilder {
  private struct Draft {
    let id: NodeID
    let step: Step
    let weights: StepWeights
    let bytes: Int
    /// nil where nobody reads an output.
    let outputs: [ValueID?]
  }

  /// What an operator always makes has a place while its step runs, also where nobody reads it.
  private func keepOutputs(of id: NodeID, _ position: Int) {
    let outputs = program.graph[id].outputs
    guard outputs.count > 1, let op = program.op(id) else { return }
    let schema = Swift.type(of: op).schema
    for case (let index, let output?) in outputs.enumerated() where schema.alwaysMakes(output: index) {
      if lastUse[output] == nil { lastUse[output] = position }
    }
  }

  @discardableResult
  private func add(_ value: ValueID, _ buffer: Buffer) -> Int {
    buffers.append(buffer)
    bufferOf[value] = buffers.count - 1
    return buffers.count - 1
  }

  private func shape(_ value: ValueID) -> [Int] { facts[value]?.shape?.sizes ?? [] }

  func operand(_ value: ValueID, _ view: StridedView? = nil) -> Planning.Operand {
    let fact = facts[value]
    return Planning.Operand(
      type: fact?.type ?? .tensor(.float32), shape: shape(value), constant: fact?.constant, view: view,
      isOpen: facts.dataDependent.contains(value))
  }

  private func draft(
    _ request: Request, _ result: Result<Step, any Error>, at position: Int
  ) throws -> Draft {
    let id = request.id
    let node = program.graph[id]
    let label = program.graph.label(of: id)
    guard program.op(id) != nil else {
      throw DLRTError(.internalError, "a node without an operator", node: label, operatorName: node.op.description)
    }
    if let viewed = request.viewedInput, let input = node.input(viewed), let output = node.output(0) {
      try share(output, with: input, until: lastUse[output] ?? position)
      return Draft(id: id, step: .nothing, weights: StepWeights(), bytes: 0, outputs: [])
    }
    let step: Step
    do {
      step = try result.get()
    } catch let error as DLRTError {
      throw error.located(node: label, operatorName: node.op.description)
    }
    guard step.workspace >= 0 else {
      throw DLRTError(
        .limitExceeded, "the step's scratch memory is too large", node: label, operatorName: node.op.description)
    }
    let planning = request.planning
    let outputs = request.outputs
    for (index, input) in views.inputs(of: id).enumerated() {
      guard let input else { continue }
      try prepare(input, index, step)
    }
    let images = groups[position]?.images ?? 1
    var bytes = planning.inputs.reduce(0) { sum, input in
      sum &+ (input?.byteCount ?? 0) &* (input?.constant == nil ? images : 1)
    }
    for (index, output) in outputs.enumerated() {
      guard let output else { continue }
      bytes = bytes &+ (planning.outputs[index]?.byteCount ?? 0) &* images
      try place(output, index, of: id, position, isPart: planning.outputs[index]?.view != nil)
    }
    return Draft(id: id, step: step, weights: request.uses.weights, bytes: bytes, outputs: outputs)
  }

  /// Makes a view: the output's bytes are the input's.
  private func share(_ output: ValueID, with input: ValueID, until position: Int) throws {
    if bufferOf[input] == nil { try addConstant(input, aligned: true) }
    guard let buffer = bufferOf[input] else { return }
    bufferOf[output] = buffer
    buffers[buffer].last = max(buffers[buffer].last, position)
  }

  /// Sees to it that a constant has an address that the step can use.
  private func prepare(_ input: ValueID, _ index: Int, _ step: Step) throws {
    guard bufferOf[input] == nil, facts[input]?.constant != nil, !step.skippedInputs.contains(index) else { return }
    try addConstant(input, aligned: !step.unalignedInputs.contains(index))
  }

  private func addConstant(_ value: ValueID, aligned: Bool) throws {
    guard let constant = facts[value]?.constant else { return }
    stage.constants.append(aligned ? try environment.weights.aligned(constant) : constant)
    let index = stage.constants.count - 1
    // Bytes that one step reads unaligned may be needed aligned by another, so only aligned ones are shared.
    if aligned || constant.isAligned {
      add(value, Buffer(size: 0, kind: .constant(index), first: 0, last: Int.max))
    } else {
      constantIndex[value] = index
    }
  }

  private func place(
    _ output: ValueID, _ index: Int, of id: NodeID, _ position: Int, isPart: Bool
  ) throws {
    let last = lastUse[output] ?? position
    // Another step has written a part of it.
    if bufferOf[output] != nil { return }
    if facts.dataDependent.contains(output) {
      add(output, Buffer(size: 0, kind: .dynamic(stage.dynamicCount), first: position, last: last))
      stage.dynamicCount += 1
      return
    }
    let wholeSize = operand(output).byteCount
    let group = groups[position].flatMap { last < $0.steps.upperBound ? $0 : nil }
    let size = wholeSize / (group?.images ?? 1), holdsImage = group != nil
    if index == 0, !isPart {
      // Another input may be read out of the same memory, as a part of what a Concat makes is.
      let read = views.inputs(of: id).map { $0.flatMap { bufferOf[$0] } }
      for candidate in program.op(id)?.inPlaceInputs ?? [] {
        guard let input = program.graph[id].input(candidate), let shared = bufferOf[input],
          case .arena = buffers[shared].kind, buffers[shared].last <= position, buffers[shared].size == size,
          buffers[shared].holdsImage == holdsImage, operand(input).byteCount == wholeSize,
          read.count(where: { $0 == shared }) == 1
        else { continue }
        bufferOf[output] = shared
        buffers[shared].last = max(buffers[shared].last, last)
        return
      }
    }
    add(output, Buffer(size: size, kind: .arena, first: position, last: last, holdsImage: holdsImage))
  }

  /// What steps that share images read and write of a whole batch is there from the first to the last of them; what holds
  /// one image is made anew for each.
  private func prolongLives(of id: NodeID, at position: Int) {
    guard let group = groups[position] else { return }
    for case let value? in views.inputs(of: id) + views.outputs(of: id) {
      guard let buffer = bufferOf[value], !buffers[buffer].holdsImage else { continue }
      buffers[buffer].first = min(buffers[buffer].first, group.steps.lowerBound)
      buffers[buffer].last = max(buffers[buffer].last, group.steps.upperBound - 1)
    }
  }

  /// Outputs that nothing else shares are written where the caller wants them.
  private func placeOutputs(_ delivered: [Int]) {
    var uses: [Int: Int] = [:]
    for index in delivered {
      if let buffer = bufferOf[program.graph.outputs[index]] { uses[buffer, default: 0] += 1 }
    }
    for index in delivered {
      let output = program.graph.outputs[index]
      guard let buffer = bufferOf[output], case .arena = buffers[buffer].kind, uses[buffer] == 1,
        facts[output]?.type.dataType != .string, operand(output).byteCount == buffers[buffer].size
      else { continue }
      buffers[buffer].kind = .output(index)
    }
  }
}

// MARK: Writing the stage

extension StageBuilder {
  private func located(_ value: ValueID) -> Stage.Operand {
    let type = facts[value]?.type ?? .tensor(.float32)
    let location: Stage.Location?
    if let index = bufferOf[value] {
      switch buffers[index].kind {
      case .arena: location = .arena(buffers[index].offset)
      case .start(let start): location = .start(start)
      case .constant(let constant): location = .constant(constant)
      case .output(let output): location = .output(output)
      case .dynamic(let dynamic): location = .dynamic(dynamic)
      }
    } else {
      location = constantIndex[value].map { .constant($0) }
    }
    let isDynamic = facts.dataDependent.contains(value)
    return Stage.Operand(location: location, type: type, shape: isDynamic ? [] : shape(value))
  }

  /// A value that nobody makes would be read from anywhere.
  private func checkMade(_ operand: Stage.Operand, _ value: ValueID, by reader: NodeID? = nil) throws {
    guard operand.location == nil else { return }
    throw DLRTError(
      .internalError, "nobody makes a value that is read", node: reader.map { program.graph.label(of: $0) },
      tensor: program.graph[value].name)
  }

  private func emit(_ draft: Draft, at position: Int, workspace: Int) throws {
    if draft.outputs.isEmpty { return }
    let group = groups[position]
    let images = group?.images ?? 1
    var step = draft.step
    step.flops = step.flops &* images
    let first = stage.operands.count
    let inputs = views.inputs(of: draft.id)
    for (index, input) in inputs.enumerated() {
      guard let input, !draft.step.skippedInputs.contains(index) else {
        stage.operands.append(.absent)
        continue
      }
      let operand = located(input)
      try checkMade(operand, input, by: draft.id)
      stage.operands.append(operand)
    }
    for output in draft.outputs { stage.operands.append(output.map { located($0) } ?? .absent) }
    if let firstRead = draft.step.firstRead {
      for index in stage.steps.indices.reversed() {
        stage.steps[index].upcoming = firstRead
        if stage.steps[index].step.firstRead != nil { break }
      }
    }
    stepWeights.append(draft.weights)
    stage.steps.append(
      Stage.PlannedStep(
        step: step, node: draft.id, firstOperand: first, inputCount: inputs.count, outputCount: draft.outputs.count,
        workspace: workspace, bytes: draft.bytes, images: images,
        imageStrides: images == 1 ? [] : (inputs + draft.outputs).map { imageStride($0, images) },
        companions: (group?.steps.upperBound ?? position + 1) - position - 1))
  }

  /// Bytes from one image of a value to the next.
  private func imageStride(_ value: ValueID?, _ images: Int) -> Int {
    guard let value, facts[value]?.constant == nil, let buffer = bufferOf[value], !buffers[buffer].holdsImage else {
      return 0
    }
    return operand(value).byteCount / images
  }

  private func finish(read: Set<ValueID>, delivered: [Int]) throws {
    for index in delivered {
      let value = program.graph.outputs[index]
      let operand = finalOperand(value)
      try checkMade(operand, value)
      stage.outputs.append(Stage.Output(index: index, operand: operand))
    }
    for value in read.sorted(by: { $0.index < $1.index }) where program.graph[value].constant == nil {
      stage.results.append(Stage.Result(value: value, operand: finalOperand(value)))
    }
  }

  /// A value's place at the end of the stage; one that planning computed becomes a constant of the stage.
  private func finalOperand(_ value: ValueID) -> Stage.Operand {
    if bufferOf[value] == nil, let constant = facts[value]?.constant {
      stage.constants.append(constant)
      return Stage.Operand(
        location: .constant(stage.constants.count - 1), type: .tensor(constant.type), shape: constant.shape)
    }
    return located(value)
  }
}
