import CDLRT
import DLRT

extension DataType {
  package init?(_ type: dlrt_type) {
    guard let code = UInt8(exactly: type.rawValue) else { return nil }
    self.init(rawValue: code)
  }

  package var cType: dlrt_type { dlrt_type(rawValue: UInt32(rawValue)) }
}
