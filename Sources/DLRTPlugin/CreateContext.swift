import CDLRT
import DLRT
import DLRTGraph
import DLRTOperators
import Glibc

/// The attributes of a node while `create` reads them, and the memory that is handed out for them.
final class CreateContext {
  var attributes: OperatorAttributes
  private var blocks: [UnsafeMutableRawPointer] = []
  private var tensors: [Tensor] = []

  init(_ attributes: OperatorAttributes) { self.attributes = attributes }

  deinit { for block in blocks { free(block) } }

  /// A copy of values that lives until `create` returns.
  func keep<Element: BitwiseCopyable>(_ values: [Element]) throws -> UnsafeMutablePointer<Element> {
    let block = try values.withUnsafeBytes { try keep(bytes: $0) }
    return block.assumingMemoryBound(to: Element.self)
  }

  private func keep(bytes: UnsafeRawBufferPointer) throws -> UnsafeMutableRawPointer {
    guard let block = malloc(bytes.count + 1) else {
      throw DLRTError(.limitExceeded, "cannot allocate \(bytes.count) bytes")
    }
    blocks.append(block)
    if let start = bytes.baseAddress { memcpy(block, start, bytes.count) }
    return block
  }

  func keep(_ text: String) throws -> dlrt_string {
    // A zero after the text is for those who take it for C's.
    let bytes = Array(text.utf8)
    let start = UnsafeRawPointer(try keep(bytes + [0])).assumingMemoryBound(to: CChar.self)
    return dlrt_string(bytes: start, length: bytes.count)
  }

  func keep(_ tensor: Tensor) throws -> dlrt_tensor {
    let aligned = try tensor.aligned()
    tensors.append(aligned)
    var result = dlrt_tensor()
    result.type = aligned.type.cType
    try result.setShape(aligned.shape)
    result.data = aligned.mutablePointer
    result.byte_size = aligned.byteCount
    return result
  }
}

/// An attribute list where C wants it.
struct ListResult<Element> {
  let values: UnsafeMutablePointer<UnsafePointer<Element>?>?
  let count: UnsafeMutablePointer<Int>?

  init(_ values: UnsafeMutablePointer<UnsafePointer<Element>?>?, _ count: UnsafeMutablePointer<Int>?) {
    self.values = values
    self.count = count
  }
}

extension CallContext {
  /// Reads an attribute while `create` runs.
  private func reading(
    _ name: UnsafePointer<CChar>?, _ body: (CreateContext, String) throws -> Void
  ) throws {
    let name = String(cString: try Self.required(name, "the attribute's name"))
    guard let create else { throw DLRTError(.operatorFailed, "only create may read attributes", tensor: name) }
    try body(create, name)
  }

  /// Reads a single value; the result stays as it is when the node has no such attribute.
  func get<Element>(
    _ name: UnsafePointer<CChar>?, _ result: UnsafeMutablePointer<Element>?,
    _ read: (CreateContext, String) throws -> Element?
  ) throws {
    try reading(name) { context, name in
      let result = try Self.required(result, "the attribute's result")
      if let value = try read(context, name) { result.pointee = value }
    }
  }

  /// Reads a list.
  func getList<Element: BitwiseCopyable>(
    _ name: UnsafePointer<CChar>?, _ result: ListResult<Element>,
    _ read: (CreateContext, String) throws -> [Element]?
  ) throws {
    try reading(name) { context, name in
      let values = try Self.required(result.values, "the attribute's result")
      let count = try Self.required(result.count, "the attribute's count")
      guard let list = try read(context, name) else { return }
      values.pointee = UnsafePointer(try context.keep(list))
      count.pointee = list.count
    }
  }
}
