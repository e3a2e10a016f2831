import CDLRT
import DLRT

/// A copy of a `dlrt_operator`, which lives as long as anything may call it.
final class PluginDefinition: @unchecked Sendable {
  let signature: OperatorSignature
  let functions: dlrt_operator
  /// True once the definition is accepted: until then user_data is the caller's.
  var keepsUserData = false

  init(copying pointer: UnsafePointer<dlrt_operator>?) throws {
    guard let pointer else { throw DLRTError(.invalidArgument, "the operator is NULL") }
    functions = try dlrt_operator(reading: pointer)
    guard let domain = functions.domain, let name = functions.name else {
      throw DLRTError(.invalidArgument, "the operator's domain or name is NULL")
    }
    let text = (name: String(cString: name), domain: String(cString: domain))
    func refuse(_ message: String) -> DLRTError {
      DLRTError(.invalidArgument, message, operatorName: "\(text.domain)::\(text.name)")
    }
    guard functions.infer != nil, functions.compute != nil else { throw refuse("infer or compute is NULL") }
    guard functions.flags & ~UInt32(DLRT_OPERATOR_RANDOM) == 0 else { throw refuse("unknown flags") }
    guard functions.min_inputs <= functions.max_inputs, functions.min_outputs <= functions.max_outputs else {
      throw refuse("a lower bound exceeds its upper bound")
    }
    signature = OperatorSignature(
      text.name, domain: text.domain, sinceVersion: Int(functions.since_version),
      inputs: Int(functions.min_inputs)...Int(functions.max_inputs),
      outputs: Int(functions.min_outputs)...Int(functions.max_outputs),
      isDeterministic: functions.flags & UInt32(DLRT_OPERATOR_RANDOM) == 0)
  }

  deinit {
    if keepsUserData { functions.release?(functions.user_data) }
  }
}
