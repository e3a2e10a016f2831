import CDLRT
import DLRT
import DLRTPlugin

@c @implementation
public func dlrt_registry_create(_ registry: UnsafeMutablePointer<OpaquePointer?>?) -> dlrt_status {
  reporting { try required(registry, "registry").pointee = Handle.make(PluginRegistry()) }
}

@c @implementation
public func dlrt_registry_release(_ registry: UnsafeMutablePointer<OpaquePointer?>?) {
  Handle.release(registry, as: PluginRegistry.self)
}

@c @implementation
public func dlrt_registry_add(
  _ registry: OpaquePointer?, _ definition: UnsafePointer<dlrt_operator>?
) -> dlrt_status {
  reporting {
    try Handle.object(try required(registry, "registry"), as: PluginRegistry.self).add(definition)
  }
}

@c @implementation
public func dlrt_registry_load(_ registry: OpaquePointer?, _ path: UnsafePointer<CChar>?) -> dlrt_status {
  reporting {
    let object = Handle.object(try required(registry, "registry"), as: PluginRegistry.self)
    try object.load(text(path, "path"))
  }
}
