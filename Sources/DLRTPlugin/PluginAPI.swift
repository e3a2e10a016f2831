import CDLRT
import DLRT
import DLRTOperators

/// The table of functions through which C code asks dlrt. Plugins link nothing: the command, which has no symbols for
/// them to find, serves them as the library does.
enum PluginAPI {
  nonisolated(unsafe) static let table: UnsafePointer<dlrt_operator_api> = {
    let table = UnsafeMutablePointer<dlrt_operator_api>.allocate(capacity: 1)
    table.initialize(to: functions)
    return UnsafePointer(table)
  }()

  private static let version = CText(Version.text)

  private static var functions: dlrt_operator_api {
    var api = dlrt_operator_api()
    api.size = MemoryLayout<dlrt_operator_api>.size
    api.abi = UInt32(DLRT_PLUGIN_ABI)
    api.version = version.start
    api.add = { PluginRegistry.add(to: $0, $1) }
    api.fail = { call, status, message in
      let text = message.map { String(cString: $0) } ?? "the operator fails"
      CallContext.of(call)?.pointee.report(DLRTError(status: status, text))
      return status == DLRT_OK ? DLRT_ERROR_OPERATOR_FAILED : status
    }
    addAttributes(&api)
    addServices(&api)
    return api
  }

  private static func addAttributes(_ api: inout dlrt_operator_api) {
    api.node_version = { call in
      CallContext.of(call)?.pointee.create.map { Int64($0.attributes.version) } ?? 0
    }
    api.has_attribute = { call, name in
      guard let name, let create = CallContext.of(call)?.pointee.create else { return 0 }
      return create.attributes.has(String(cString: name)) ? 1 : 0
    }
    api.get_int = { call, name, value in
      CallContext.reporting(call) { try $0.get(name, value) { try $0.attributes.int($1).map { Int64($0) } } }
    }
    api.get_float = { call, name, value in
      CallContext.reporting(call) { try $0.get(name, value) { try $0.attributes.float($1) } }
    }
    api.get_string = { call, name, value in
      CallContext.reporting(call) {
        try $0.get(name, value) { context, name in
          try context.attributes.string(name).map { try context.keep($0) }
        }
      }
    }
    api.get_ints = { call, name, values, count in
      CallContext.reporting(call) {
        try $0.getList(name, ListResult(values, count)) { try $0.attributes.ints($1)?.map { Int64($0) } }
      }
    }
    api.get_floats = { call, name, values, count in
      CallContext.reporting(call) {
        try $0.getList(name, ListResult(values, count)) { try $0.attributes.floats($1) }
      }
    }
    api.get_strings = { call, name, values, count in
      CallContext.reporting(call) {
        try $0.getList(name, ListResult(values, count)) { context, name in
          try context.attributes.strings(name)?.map { try context.keep($0) }
        }
      }
    }
    api.get_tensor = { call, name, value in
      CallContext.reporting(call) {
        try $0.get(name, value) { context, name in
          try context.attributes.tensor(name).map { try context.keep($0) }
        }
      }
    }
  }

  private static func addServices(_ api: inout dlrt_operator_api) {
    api.allocate = { call, output, rank, dims in
      CallContext.reporting(call) { try $0.allocate(output, rank, dims) }
    }
    api.make_string = { call, bytes, length, string in
      CallContext.reporting(call) { try $0.makeString(bytes, length, string) }
    }
    api.parallel = { call, count, body, argument in
      CallContext.reporting(call) { try $0.parallel(count, body, argument) }
    }
    api.check_cancelled = { call in CallContext.reporting(call) { try $0.checkCancelled() } }
  }
}
