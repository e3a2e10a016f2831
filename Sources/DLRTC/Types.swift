import CDLRT
import DLRT
import DLRTPlugin

@c @implementation
public func dlrt_type_size(_ type: dlrt_type) -> Int { DataType(type)?.size ?? 0 }

/// Names as C text, made once; element `n` is the name of type `n`.
private let names: [CText] = (0...maxCode).map { CText(DataType(rawValue: $0)?.description ?? "undefined") }
private let maxCode = DataType.allCases.map(\.rawValue).max() ?? 0

@c @implementation
public func dlrt_type_name(_ type: dlrt_type) -> UnsafePointer<CChar>? {
  names[Int(DataType(type)?.rawValue ?? 0)].start
}
