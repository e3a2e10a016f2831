/// Objects behind C's opaque pointers.
enum Handle {
  /// Gives C a reference of its own.
  static func make(_ object: AnyObject) -> OpaquePointer { OpaquePointer(Unmanaged.passRetained(object).toOpaque()) }

  static func object<Object: AnyObject>(_ handle: OpaquePointer, as: Object.Type = Object.self) -> Object {
    Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
  }

  /// Gives up C's reference and nulls the caller's variable.
  static func release<Object: AnyObject>(_ handle: UnsafeMutablePointer<OpaquePointer?>?, as: Object.Type) {
    guard let handle, let old = handle.pointee else { return }
    handle.pointee = nil
    Unmanaged<Object>.fromOpaque(UnsafeRawPointer(old)).release()
  }
}
