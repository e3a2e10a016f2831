import CDLRT
import DLRT
import DLRTGraph
import DLRTOperators

/// What stands behind `dlrt_call.library` while C code runs. Bodies of `parallel` share it, so it does not change.
struct CallContext {
  /// While `create` runs.
  let create: CreateContext?
  /// While `compute` runs.
  private var run: UnsafePointer<OperatorCall>?
  private var outputs: UnsafeMutablePointer<dlrt_tensor>?
  private var failure: UnsafeMutablePointer<CallFailure>?

  init(create: CreateContext? = nil) { self.create = create }

  /// Calls `body` with a context for `compute`.
  static func withCompute(
    _ run: borrowing OperatorCall, _ outputs: UnsafeMutablePointer<dlrt_tensor>,
    _ body: (CallContext) throws -> Void
  ) throws {
    try withUnsafePointer(to: run) { run in
      var context = CallContext()
      context.run = run
      context.outputs = outputs
      try body(context)
    }
  }

  /// Calls one of the operator's functions, and throws what it fails with.
  func call(
    _ call: inout dlrt_call, _ name: StaticString,
    _ function: (@convention(c) (UnsafeMutablePointer<dlrt_call>?) -> dlrt_status)?
  ) throws {
    guard let function else { throw DLRTError(.internalError, "\(name) is NULL") }
    var failure = CallFailure()
    let status = withUnsafeMutablePointer(to: &failure) { failure in
      var context = self
      context.failure = failure
      return withUnsafeMutablePointer(to: &context) { context in
        call.library = UnsafeMutableRawPointer(context)
        return function(&call)
      }
    }
    guard status != DLRT_OK else { return }
    throw failure.reason ?? DLRTError(status: status, "\(name) fails with status \(status.rawValue)")
  }

  /// The context of a call that C code hands back.
  static func of(_ call: UnsafeMutablePointer<dlrt_call>?) -> UnsafeMutablePointer<CallContext>? {
    call?.pointee.library.map { $0.assumingMemoryBound(to: CallContext.self) }
  }

  /// Does what a function of the table is asked for; an error becomes a status, and the reason if the call fails.
  static func reporting(
    _ call: UnsafeMutablePointer<dlrt_call>?, _ body: (CallContext) throws -> Void
  ) -> dlrt_status {
    guard let context = of(call) else { return DLRT_ERROR_INVALID_ARGUMENT }
    do {
      try body(context.pointee)
      return DLRT_OK
    } catch {
      let failure = DLRTError(reporting: error)
      context.pointee.report(failure)
      return failure.status
    }
  }

  /// Keeps an error as the reason, should the call fail.
  func report(_ error: DLRTError) {
    if let failure { CallFailure.record(error, in: failure) }
  }

  static func required<Value>(_ value: Value?, _ name: StaticString) throws -> Value {
    guard let value else { throw DLRTError(.operatorFailed, "\(name) is NULL") }
    return value
  }
}

// MARK: What compute may ask for

extension CallContext {
  private func running(_ body: (borrowing OperatorCall) throws -> Void) throws {
    guard let run else { throw DLRTError(.operatorFailed, "only compute may call this") }
    try body(run.pointee)
  }

  func allocate(_ index: Int, _ rank: Int32, _ dims: UnsafePointer<Int64>?) throws {
    try running { run in
      guard (0...DLRT_MAX_RANK).contains(rank) else {
        throw DLRTError(
          .operatorFailed, "rank out of range", tensor: "output \(index)", expected: "0 to \(DLRT_MAX_RANK)",
          got: "\(rank)")
      }
      let dims = rank == 0 ? nil : try Self.required(dims, "dims of allocate")
      let shape = UnsafeBufferPointer(start: dims, count: Int(rank)).map { Int($0) }
      guard let view = try run.allocate(index, shape: shape), let outputs else { return }
      try outputs[index].setShape(shape)
      outputs[index].data = view.bytes.baseAddress
      outputs[index].byte_size = view.bytes.count
    }
  }

  func makeString(
    _ bytes: UnsafeRawPointer?, _ length: Int, _ result: UnsafeMutablePointer<dlrt_string>?
  ) throws {
    try running { run in
      let result = try Self.required(result, "the result of make_string")
      guard length >= 0 else { throw DLRTError(.operatorFailed, "the string is too long") }
      let bytes = length == 0 ? nil : try Self.required(bytes, "bytes of make_string")
      let ref = try run.intern(UnsafeRawBufferPointer(start: bytes, count: length))
      result.pointee = dlrt_string(
        bytes: UnsafeRawPointer(ref.start)?.assumingMemoryBound(to: CChar.self), length: ref.count)
    }
  }

  func parallel(
    _ count: Int, _ body: (@convention(c) (UnsafeMutableRawPointer?, Int) -> Void)?,
    _ argument: UnsafeMutableRawPointer?
  ) throws {
    try running { run in
      let body = try Self.required(body, "the body of parallel")
      guard count >= 0 else { throw DLRTError(.operatorFailed, "no such number of chunks") }
      let failure = try Self.required(failure, "the call's library")
      let isOuter = CallFailure.beginParallel(failure)
      run.parallel(count) { body(argument, $0) }
      if isOuter { CallFailure.endParallel(failure) }
    }
  }

  func checkCancelled() throws { try running { try $0.checkCancelled() } }
}
