import DLRTCompiler
import DLRTGraph
import DLRTOperators
import DLRTParallel
import Glibc

/// A value that a stage begins with: memory that somebody else keeps, or a container.
struct StartValue {
  let pointer: UnsafeMutableRawPointer?
  let type: ValueType
  /// Empty for containers.
  let shape: [Int]
  let container: Value?

  init(pointer: UnsafeMutableRawPointer?, type: ValueType, shape: [Int]) {
    self.pointer = pointer
    self.type = type
    self.shape = shape
    container = nil
  }

  /// - Parameter value: must stay alive as long as this is used.
  init(_ value: Value) {
    type = value.type
    if case .tensor(let tensor) = value {
      pointer = tensor.mutablePointer
      shape = tensor.shape
      container = nil
    } else {
      pointer = nil
      shape = []
      container = value
    }
  }
}

/// One run's instance of a stage: every operand's address, and the values that are not plain memory.
///
/// Addresses are written once; a run rewrites only those that its inputs, outputs and data-dependent values give.
/// Frames serve one run after the other, so that a run allocates nothing.
final class StageFrame {
  let stage: Stage
  /// The session's, which keeps the frames.
  unowned let core: ExecutionCore
  let strings = StringPool()
  private(set) var control: RunControl
  /// 0 for the model itself, one more for each control-flow body around.
  private(set) var depth = 0
  private let table: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  private let startSlots: [[Int]]
  private let outputSlots: [[Int]]
  private let dynamicSlots: [[Int]]
  private var starts: [StartValue] = []
  private var outputs: [UnsafeMutableRawPointer?]
  private var dynamics: [Value?]
  /// Memory asked for on behalf of outputs that nobody reads.
  private var unread: [Tensor] = []
  private var arena: ArenaBlock?
  /// The block for which the table holds addresses, which a later run may or may not get again.
  private var placedBase: UnsafeMutableRawPointer?
  /// Bytes that this frame takes of the run's limit.
  private var reserved = 0
  /// Of a run of a model that is new.
  var lending: Lending?

  init(_ stage: Stage, core: ExecutionCore, outputCount: Int, control: RunControl) {
    self.stage = stage
    self.core = core
    self.control = control
    table = .allocate(capacity: stage.operands.count + 1)
    table.initialize(repeating: nil, count: stage.operands.count + 1)
    var startSlots = [[Int]](repeating: [], count: stage.starts.count)
    var outputSlots = [[Int]](repeating: [], count: outputCount)
    var dynamicSlots = [[Int]](repeating: [], count: stage.dynamicCount)
    for (slot, operand) in stage.operands.enumerated() {
      switch operand.location {
      case .start(let index): startSlots[index].append(slot)
      case .output(let index): outputSlots[index].append(slot)
      case .dynamic(let index): dynamicSlots[index].append(slot)
      case .constant(let index): table[slot] = stage.constants[index].mutablePointer
      case .arena, nil: break
      }
    }
    self.startSlots = startSlots
    self.outputSlots = outputSlots
    self.dynamicSlots = dynamicSlots
    outputs = Array(repeating: nil, count: outputCount)
    dynamics = Array(repeating: nil, count: stage.dynamicCount)
  }

  deinit { table.deallocate() }
}

// MARK: Running

extension StageFrame {
  /// Prepares a run; the values must stay alive until `end`, which must follow even when this throws.
  func begin(_ values: [StartValue], control: RunControl, depth: Int) throws {
    self.control = control
    self.depth = depth
    starts.append(contentsOf: values)
    for (index, start) in values.enumerated() {
      for slot in startSlots[index] { table[slot] = start.pointer }
    }
    try reserve(stage.arenaBytes)
    let block = try core.arenas.take(stage.arenaBytes)
    arena = block
    guard block.base != placedBase else { return }
    for (slot, operand) in stage.operands.enumerated() {
      if case .arena(let offset) = operand.location { table[slot] = block.base + offset }
    }
    placedBase = block.base
  }

  func bind(output: Int, _ pointer: UnsafeMutableRawPointer) {
    outputs[output] = pointer
    for slot in outputSlots[output] { table[slot] = pointer }
  }

  func run(_ program: Program) throws {
    guard let base = arena?.base else { throw DLRTError(.internalError, "a stage runs without memory") }
    if let weights = stage.weights, !weights.isSettled {
      return try runLending(weights, base, program)
    }
    var index = 0
    while index < stage.steps.count {
      let group = group(from: index)
      try runGroup(group, base, program)
      index = group.upperBound
    }
  }

  /// A run of a model that is new.
  private func runLending(_ weights: StageWeights, _ base: UnsafeMutableRawPointer, _ program: Program) throws {
    lending = Lending(weights)
    defer {
      lending = nil
      weights.endRun()
    }
    var index = 0
    while index < stage.steps.count {
      let group = group(from: index)
      var borrowed = group.lowerBound
      lending?.holdsLater = false
      defer { giveBack(group.lowerBound..<borrowed) }
      while borrowed < group.upperBound {
        try borrow(borrowed, later: false)
        borrowed += 1
      }
      try runGroup(group, base, program)
      index = group.upperBound
    }
  }

  /// Steps that take the same images, or one that takes all there is.
  private func group(from first: Int) -> Range<Int> { first..<(first + 1 + stage.steps[first].companions) }

  private func runGroup(_ steps: Range<Int>, _ base: UnsafeMutableRawPointer, _ program: Program) throws {
    let images = stage.steps[steps.lowerBound].images
    if let profiler = control.profiler { return try profile(steps, images, base, program, profiler) }
    for image in 0..<images {
      for index in steps { try runStep(index, image, base, program) }
    }
  }

  private func runStep(_ index: Int, _ image: Int, _ base: UnsafeMutableRawPointer, _ program: Program) throws {
    try control.check()
    do {
      try callBody(index, image, base)
    } catch let error as DLRTError {
      let node = stage.steps[index].node
      throw error.located(node: program.graph.label(of: node), operatorName: program.graph[node].op.description)
    }
  }

  private func callBody(_ index: Int, _ image: Int, _ base: UnsafeMutableRawPointer) throws {
    let operands = table + stage.steps[index].firstOperand
    let count = image == 0 ? 0 : stage.steps[index].imageStrides.count
    if count == 0 { return try callBody(index, operands, base) }
    try withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: count) { moved in
      for slot in 0..<count {
        moved.initializeElement(at: slot, to: operands[slot].map { $0 + image * stage.steps[index].imageStrides[slot] })
      }
      guard let place = moved.baseAddress else { return }
      try callBody(index, place, base)
    }
  }

  private func callBody(
    _ index: Int, _ operands: UnsafePointer<UnsafeMutableRawPointer?>, _ base: UnsafeMutableRawPointer
  ) throws {
    try stage.steps[index].step.body(
      StepIO(
        operands: operands, inputCount: stage.steps[index].inputCount, workspace: base + stage.steps[index].workspace,
        host: self, index: index, upcoming: stage.steps[index].upcoming))
  }

  /// Steps as `runGroup` does them; what a step takes for all images is one record.
  private func profile(
    _ steps: Range<Int>, _ images: Int, _ base: UnsafeMutableRawPointer, _ program: Program, _ profiler: Profiler
  ) throws {
    var start = now()
    var durations = [UInt64](repeating: 0, count: steps.count)
    for image in 0..<images {
      for index in steps {
        let begin = now()
        try runStep(index, image, base, program)
        durations[index - steps.lowerBound] &+= now() &- begin
      }
    }
    for (index, duration) in zip(steps, durations) {
      let planned = stage.steps[index]
      profiler.add(
        StepRecord(
          node: program.graph.label(of: planned.node), operatorName: program.graph[planned.node].op.description,
          kernel: planned.step.kernel, start: profiler.elapsed(start), duration: duration, bytes: planned.bytes,
          flops: planned.step.flops, depth: depth))
      start &+= duration
    }
  }

  /// Forgets the run's values and hands the memory back.
  func end() {
    starts.removeAll(keepingCapacity: true)
    for index in dynamics.indices { dynamics[index] = nil }
    unread.removeAll(keepingCapacity: true)
    strings.removeAll()
    if let arena { core.arenas.give(arena) }
    arena = nil
    control.release(reserved)
    reserved = 0
  }

  /// Takes bytes of the run's limit until the frame ends.
  func reserve(_ bytes: Int) throws {
    try control.reserve(bytes)
    reserved += bytes
  }
}

// MARK: Values at the end of a run

extension StageFrame {
  /// An operand as the next stage's start.
  func start(_ operand: Stage.Operand) -> StartValue {
    switch operand.location {
    case .start(let index):
      guard starts[index].container == nil else { return starts[index] }
    case .dynamic(let index):
      if let value = dynamics[index] { return StartValue(value) }
    default: break
    }
    return StartValue(pointer: address(operand), type: operand.type, shape: operand.shape)
  }

  private func address(_ operand: Stage.Operand) -> UnsafeMutableRawPointer? {
    switch operand.location {
    case .start(let index): starts[index].pointer
    case .output(let index): outputs[index]
    case .constant(let index): stage.constants[index].mutablePointer
    case .arena(let offset): arena.map { $0.base + offset }
    case .dynamic(let index): dynamics[index]?.tensor?.mutablePointer
    case nil: nil
    }
  }

  /// An operand as a value of its own, whose memory outlives the run.
  func result(_ operand: Stage.Operand) throws -> Value {
    if case .dynamic(let index) = operand.location, let value = dynamics[index] {
      return value.type.dataType == .string ? try value.detached() : value
    }
    let start = start(operand)
    if let container = start.container { return container }
    let tensor = try borrowed(start)
    try reserve(tensor.byteCount)
    return try .tensor(tensor.copied())
  }

  /// Copies an operand's bytes to where the caller wants them; strings are left to `result`.
  func copy(_ operand: Stage.Operand, to target: UnsafeMutableRawPointer, byteCount: Int) {
    if let source = start(operand).pointer, byteCount > 0, source != target { memmove(target, source, byteCount) }
  }

  func shape(_ operand: Stage.Operand) -> [Int] { start(operand).shape }

  /// A tensor over memory that the run keeps.
  func borrowed(_ start: StartValue) throws -> Tensor {
    guard let type = start.type.dataType else {
      throw DLRTError(.internalError, "a container is used as a tensor", got: "\(start.type)")
    }
    let bytes = try Tensor.byteCount(type, start.shape)
    // An empty tensor may have no memory at all.
    let base = start.pointer ?? UnsafeMutableRawPointer(table)
    return Tensor(type, start.shape, TensorStorage(borrowing: base, byteCount: bytes, owner: nil))
  }
}

// MARK: What steps ask for

extension StageFrame: RunHost {
  var pool: ThreadPool { core.pool }

  private func operand(_ step: Int, _ position: Int) -> Stage.Operand {
    stage.operands[stage.steps[step].firstOperand + position]
  }

  private func outputOperand(_ step: Int, _ output: Int) -> Stage.Operand {
    operand(step, stage.steps[step].inputCount + output)
  }

  func allocate(step: Int, output: Int, _ shape: [Int]) throws -> UnsafeMutableRawPointer {
    guard output < stage.steps[step].outputCount else {
      throw DLRTError(.internalError, "a step makes an output that it does not have")
    }
    let operand = outputOperand(step, output)
    switch operand.location {
    case .dynamic(let index):
      let tensor = try reserved(operand, shape)
      set(dynamic: index, .tensor(tensor))
      return tensor.mutablePointer
    case nil:
      let tensor = try reserved(operand, shape)
      unread.append(tensor)
      return tensor.mutablePointer
    default:
      guard shape == operand.shape, let address = address(operand) else {
        throw DLRTError(
          .internalError, "a step's output has another shape", expected: "\(operand.shape)", got: "\(shape)")
      }
      return address
    }
  }

  private func reserved(_ operand: Stage.Operand, _ shape: [Int]) throws -> Tensor {
    let type = operand.type.dataType ?? .uint8
    try reserve(Tensor.byteCount(type, shape))
    return try Tensor(zeros: shape, type: type)
  }

  private func set(dynamic index: Int, _ value: Value) {
    dynamics[index] = value
    let pointer = value.tensor?.mutablePointer
    for slot in dynamicSlots[index] { table[slot] = pointer }
  }

  func value(step: Int, input: Int) throws -> Value {
    guard input < stage.steps[step].inputCount else { throw DLRTError(.internalError, "a step reads an absent input") }
    let operand = operand(step, input)
    guard operand.location != nil else { throw DLRTError(.internalError, "a step reads an absent input") }
    if case .dynamic(let index) = operand.location, let value = dynamics[index] { return value }
    let start = start(operand)
    if let container = start.container { return container }
    return .tensor(try borrowed(start))
  }

  func setValue(step: Int, output: Int, _ value: Value) throws {
    guard output < stage.steps[step].outputCount else { return }
    let operand = outputOperand(step, output)
    switch operand.location {
    case nil: return
    case .dynamic(let index): set(dynamic: index, value)
    default:
      guard let tensor = value.tensor, .tensor(tensor.type) == operand.type, tensor.shape == operand.shape,
        let target = address(operand)
      else {
        throw DLRTError(
          .invalidModel, "a value differs from what was inferred", expected: "\(operand.type) \(operand.shape)",
          got: "\(value.type) \(value.tensor.map { "\($0.shape)" } ?? "")")
      }
      if tensor.type == .string {
        let source = tensor.elements(StringRef.self)
        let refs = target.assumingMemoryBound(to: StringRef.self)
        for (index, ref) in source.enumerated() { refs[index] = try strings.intern(ref.bytes) }
      } else if tensor.byteCount > 0 {
        memcpy(target, tensor.pointer, tensor.byteCount)
      }
    }
  }

  func checkMemory(_ bytes: Int) throws { try control.checkMemory(bytes) }
  func checkCancelled() throws { try control.check() }
  func nextRandomStream() -> UInt64 { control.nextRandomStream() }
}

extension Value {
  /// A value that shares no memory with a run.
  func detached() throws -> Value {
    switch self {
    case .tensor(let tensor): .tensor(try tensor.copied())
    case .sequence(let elements, let type): .sequence(try elements.map { try $0.detached() }, of: type)
    case .optional(let content, let type): .optional(try content?.detached(), of: type)
    case .map(let keys, let values, let type):
      .map(keys: try keys.copied(), values: try values.map { try $0.detached() }, of: type)
    }
  }
}
