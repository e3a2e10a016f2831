import Glibc

/// Text that lives as long as the process.
package func text(_ literal: StaticString) -> UnsafePointer<CChar>? {
  UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
}

/// Text for C callers that lives as long as its owner keeps it.
package final class CText: Sendable {
  package nonisolated(unsafe) let start: UnsafePointer<CChar>?

  package init(_ string: String) { start = strdup(string).map { UnsafePointer($0) } }

  deinit { free(UnsafeMutablePointer(mutating: start)) }
}
