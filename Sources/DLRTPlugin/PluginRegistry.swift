import CDLRT
import DLRT
import DLRTParallel
import Glibc

/// What a `dlrt_registry` points to: operators that C code has added.
package final class PluginRegistry: Sendable {
  private struct State {
    var operators = CustomOperators()
    /// The first failure of a plugin that is being loaded.
    var failure: DLRTError?
  }

  private let state = Locked(State())

  package init() {}

  package var operators: CustomOperators { state.withLock { $0.operators } }

  /// Adds an operator as C describes it.
  package func add(_ definition: UnsafePointer<dlrt_operator>?) throws {
    let definition = try PluginDefinition(copying: definition)
    definition.keepsUserData = true
    do {
      try state.withLock { state in
        try state.operators.add(definition.signature) { try PluginOperator(definition, &$0) }
      }
    } catch {
      definition.keepsUserData = false
      throw error
    }
  }

  /// Adds the operators of a plugin: a shared library that defines `dlrt_plugin_register`.
  ///
  /// - Throws: `io` for a file that cannot be loaded, `operatorFailed` for one that is no plugin or does not register.
  package func load(_ path: String) throws {
    // Without a slash the loader would look everywhere but here.
    let file = path.utf8.contains(UInt8(ascii: "/")) ? path : "./" + path
    guard let library = dlopen(file, RTLD_NOW | RTLD_LOCAL) else {
      let reason = dlerror().map { String(cString: $0) } ?? "the system does not say why"
      throw DLRTError(.io, "cannot load plugin '\(path)': \(reason)")
    }
    guard let symbol = dlsym(library, "dlrt_plugin_register") else {
      dlclose(library)
      throw DLRTError(.operatorFailed, "'\(path)' is no plugin: it does not export dlrt_plugin_register")
    }
    // From here on its code may be in use at any time, so it is never unloaded.
    typealias Entry = @convention(c) (UnsafePointer<dlrt_operator_api>?, OpaquePointer?) -> dlrt_status
    let register = unsafeBitCast(symbol, to: Entry.self)
    state.withLock { $0.failure = nil }
    let status = register(PluginAPI.table, OpaquePointer(Unmanaged.passUnretained(self).toOpaque()))
    let failure = state.withLock { $0.failure }
    if status == DLRT_OK && failure == nil { return }
    throw DLRTError(
      .operatorFailed, "plugin '\(path)' does not register\(failure == nil ? ": status \(status.rawValue)" : "")",
      causes: failure.map { [$0] } ?? [])
  }

  /// For plugins, which have no message to read: the failure is kept for `load`.
  static func add(
    to registry: OpaquePointer?, _ definition: UnsafePointer<dlrt_operator>?
  ) -> dlrt_status {
    guard let registry else { return DLRT_ERROR_INVALID_ARGUMENT }
    let object = Unmanaged<PluginRegistry>.fromOpaque(UnsafeRawPointer(registry)).takeUnretainedValue()
    do {
      try object.add(definition)
      return DLRT_OK
    } catch {
      let failure = DLRTError(reporting: error)
      object.state.withLock { $0.failure = $0.failure ?? failure }
      return failure.status
    }
  }
}

extension DLRTError {
  init(reporting error: any Error) { self = error as? DLRTError ?? DLRTError(.operatorFailed, "\(error)") }

  var status: dlrt_status { dlrt_status(rawValue: UInt32(code.rawValue)) }

  /// The code that a status of C's stands for.
  init(status: dlrt_status, _ message: String) {
    let code = Code(rawValue: Int32(clamping: status.rawValue)) ?? .operatorFailed
    self.init(code == .internalError ? .operatorFailed : code, message)
  }
}
