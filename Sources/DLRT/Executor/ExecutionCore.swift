import DLRTCompiler
import DLRTGraph
import DLRTOperators
import DLRTParallel

/// What all executors of one session share: threads, memory, limits, and the executors of its control-flow bodies.
final class ExecutionCore: Sendable {
  let environment: PlanEnvironment
  let pool: ThreadPool
  let arenas = ArenaPool()
  let memoryLimit: Int
  let planCapacity: Int
  private let controls = FreeList<RunControl>()
  private let bodies = Locked<[ObjectIdentifier: Executor]>([:])

  init(environment: PlanEnvironment, pool: ThreadPool, memoryLimit: Int, planCapacity: Int) {
    self.environment = environment
    self.pool = pool
    self.memoryLimit = memoryLimit
    self.planCapacity = planCapacity
  }

  func executor(for body: CompiledSubgraph) throws -> Executor {
    try bodies.withLock { table in
      if let found = table[ObjectIdentifier(body)] { return found }
      let made = try Executor(body.program, core: self)
      table[ObjectIdentifier(body)] = made
      return made
    }
  }

  /// Brings the weights of all bodies' plans to memory for good.
  func settle() throws {
    for executor in bodies.withLock({ Array($0.values) }) { try executor.settle() }
  }

  /// Runs under given bounds.
  func controlled<R>(
    by options: RunOptions, profiler: Profiler?, seed: UInt64, _ run: (RunControl) throws -> R
  ) rethrows -> R {
    let control = controls.take() ?? RunControl(memoryLimit: memoryLimit)
    defer {
      control.end()
      controls.give(control)
    }
    control.begin(options, profiler: profiler, seed: seed)
    return try pool.withLoopsToCome { try run(control) }
  }
}
