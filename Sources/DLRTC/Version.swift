import CDLRT
import DLRT
import DLRTPlugin

private let version = CText(Version.text)
private let instructionSet = CText(Version.instructionSet)

@c @implementation
public func dlrt_version() -> UnsafePointer<CChar>? { version.start }

@c @implementation
public func dlrt_isa() -> UnsafePointer<CChar>? { instructionSet.start }
