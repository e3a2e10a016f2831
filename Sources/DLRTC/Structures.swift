import CDLRT
import DLRTPlugin

extension dlrt_model_options: SizedStructure { package static let firstSize = 16 }
extension dlrt_session_options: SizedStructure { package static let firstSize = 40 }
extension dlrt_value_info: SizedStructure { package static let firstSize = 40 }
