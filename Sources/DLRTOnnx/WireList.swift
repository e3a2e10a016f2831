import COnnx
import DLRTGraph
import Glibc

/// A list of a parsed document, whose elements are made when they are read.
protocol WireList {
  associatedtype Element
  var count: Int { get }
  func at(_ index: Int) -> Element
}

extension WireList {
  var all: some Sequence<Element> { (0..<count).lazy.map(at) }
  var first: Element? { count > 0 ? at(0) : nil }
}

extension COnnxTextList: WireList { func at(_ index: Int) -> COnnxText { connx_text_at(self, index) } }
extension COnnxEntryList: WireList { func at(_ index: Int) -> COnnxEntry { connx_entry_at(self, index) } }
extension COnnxOpsetList: WireList { func at(_ index: Int) -> COnnxOpset { connx_opset_at(self, index) } }
extension COnnxDimList: WireList { func at(_ index: Int) -> COnnxDim { connx_dim_at(self, index) } }
extension COnnxTypeList: WireList { func at(_ index: Int) -> COnnxType { connx_type_at(self, index) } }
extension COnnxValueInfoList: WireList {
  func at(_ index: Int) -> COnnxValueInfo { connx_value_info_at(self, index) }
}
extension COnnxTensorList: WireList { func at(_ index: Int) -> COnnxTensor { connx_tensor_at(self, index) } }
extension COnnxSparseTensorList: WireList {
  func at(_ index: Int) -> COnnxSparseTensor { connx_sparse_tensor_at(self, index) }
}
extension COnnxAttributeList: WireList {
  func at(_ index: Int) -> COnnxAttribute { connx_attribute_at(self, index) }
}
extension COnnxNodeList: WireList { func at(_ index: Int) -> COnnxNode { connx_node_at(self, index) } }
extension COnnxGraphList: WireList { func at(_ index: Int) -> COnnxGraph { connx_graph_at(self, index) } }
extension COnnxFunctionList: WireList { func at(_ index: Int) -> COnnxFunction { connx_function_at(self, index) } }
extension COnnxSequenceList: WireList { func at(_ index: Int) -> COnnxSequence { connx_sequence_at(self, index) } }
extension COnnxOptionalList: WireList { func at(_ index: Int) -> COnnxOptional { connx_optional_at(self, index) } }
extension COnnxMapList: WireList { func at(_ index: Int) -> COnnxMap { connx_map_at(self, index) } }

extension COnnxText {
  var buffer: UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: UnsafeRawPointer(bytes)?.assumingMemoryBound(to: UInt8.self), count: count)
  }

  /// Text that people read: bytes that are not UTF-8 are repaired.
  var prose: String { String(decoding: buffer, as: UTF8.self) }

  /// The text; nil where the bytes are not UTF-8. The standard library's own check costs several times as much.
  var exact: String? {
    var text = prose
    // What was repaired has other bytes.
    let isSame = text.withUTF8 { own in
      guard own.count == count, count > 0, let start = own.baseAddress, let bytes else { return own.count == count }
      return memcmp(start, bytes, count) == 0
    }
    return isSame ? text : nil
  }

  /// Text that identifies something.
  func name(of what: @autoclosure () -> String) throws(DLRTError) -> String {
    guard let text = exact, buffer.isEmpty || memchr(bytes, 0, count) == nil else {
      throw DLRTError(
        .invalidModel, "a name is not valid", expected: "UTF-8 without NUL for \(what())", got: "'\(prose)'")
    }
    return text
  }
}

extension COnnxInt64s {
  var buffer: UnsafeBufferPointer<Int64> { UnsafeBufferPointer(start: values, count: count) }
  var ints: [Int] { buffer.map(Int.init) }
}

extension COnnxBytes {
  var buffer: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: bytes, count: count) }
}
