import CDLRT
import DLRT
import DLRTPlugin

/// What a `dlrt_session` points to.
final class SessionObject: Sendable {
  let session: Session
  let options: RunOptions
  let cancellation = CancellationToken()

  init(_ session: Session, timeout: UInt64) {
    self.session = session
    options = RunOptions(cancellation: cancellation, timeoutNanoseconds: timeout == 0 ? nil : timeout)
  }

  func run(
    _ inputs: UnsafeBufferPointer<dlrt_tensor>, _ outputs: UnsafeMutableBufferPointer<dlrt_tensor>
  ) throws {
    let values = try InputBinding(session.model).values(inputs)
    var binding = try OutputBinding(session.model, outputs)
    let results = try session.run(values, options: options) { binding.memory($0, $1, $2) }
    try binding.deliver(results)
  }
}

@c @implementation
public func dlrt_session_create(
  _ model: OpaquePointer?, _ options: UnsafePointer<dlrt_session_options>?,
  _ session: UnsafeMutablePointer<OpaquePointer?>?
) -> dlrt_status {
  reporting {
    let session = try required(session, "session")
    session.pointee = nil
    let object = Handle.object(try required(model, "model"), as: ModelObject.self)
    let given = try dlrt_session_options(reading: options)
    var options = SessionOptions()
    if given.threads > 0 { options.threads = Int(given.threads) }
    if given.plans > 0 { options.planCapacity = Int(given.plans) }
    if given.memory_limit > 0 { options.memoryLimit = Int(clamping: given.memory_limit) }
    if given.seed > 0 { options.seed = given.seed }
    let made = try Session(object.model, options: options)
    session.pointee = Handle.make(SessionObject(made, timeout: given.timeout_ns))
  }
}

@c @implementation
public func dlrt_session_release(_ session: UnsafeMutablePointer<OpaquePointer?>?) {
  Handle.release(session, as: SessionObject.self)
}

@c @implementation
public func dlrt_session_run(
  _ session: OpaquePointer?, _ inputs: UnsafePointer<dlrt_tensor>?, _ inputCount: Int,
  _ outputs: UnsafeMutablePointer<dlrt_tensor>?, _ outputCount: Int
) -> dlrt_status {
  reporting {
    let object = Handle.object(try required(session, "session"), as: SessionObject.self)
    let given = UnsafeBufferPointer(start: inputs, count: try checkedCount(inputCount, inputs == nil, "inputs"))
    let wanted = UnsafeMutableBufferPointer(
      start: outputs, count: try checkedCount(outputCount, outputs == nil, "outputs"))
    try object.run(given, wanted)
  }
}

private func checkedCount(_ count: Int, _ isNull: Bool, _ name: String) throws -> Int {
  guard count == 0 || !isNull else { throw DLRTError(.invalidArgument, "\(name) is NULL") }
  // No model has more; a count that is garbage must not send us through the caller's memory.
  guard (0...0xFFFF).contains(count) else {
    throw DLRTError(.invalidArgument, "too many \(name)", got: "\(UInt(bitPattern: count))")
  }
  return count
}

@c @implementation
public func dlrt_session_settle(_ session: OpaquePointer?) -> dlrt_status {
  reporting {
    try Handle.object(try required(session, "session"), as: SessionObject.self).session.settle()
  }
}

@c @implementation
public func dlrt_session_cancel(_ session: OpaquePointer?) {
  if let session { Handle.object(session, as: SessionObject.self).cancellation.cancel() }
}

@c @implementation
public func dlrt_session_resume(_ session: OpaquePointer?) {
  if let session { Handle.object(session, as: SessionObject.self).cancellation.reset() }
}
