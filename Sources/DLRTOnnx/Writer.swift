import COnnx
import DLRTGraph

/// A message that is being made. It holds the tensors whose bytes it will write.
final class Writer {
  let pointer: OpaquePointer
  private var held: [Tensor] = []

  init(_ kind: COnnxKind) throws(DLRTError) {
    guard let made = connx_writer(kind) else { throw DLRTError(.limitExceeded, "out of memory") }
    pointer = made
  }

  deinit { connx_writer_free(pointer) }

  /// Gives the message's bytes to `sink`, part by part; false from it ends the writing.
  func write(_ sink: (UnsafeRawBufferPointer) -> Bool) throws(DLRTError) {
    var error = COnnxError()
    let done = withoutActuallyEscaping(sink) { sink in
      var box = sink
      return withUnsafeMutablePointer(to: &box) { box in
        connx_write(
          pointer,
          { context, bytes, count in
            guard let context else { return false }
            let sink = context.assumingMemoryBound(to: ((UnsafeRawBufferPointer) -> Bool).self)
            return sink.pointee(UnsafeRawBufferPointer(start: bytes, count: count))
          }, box, &error)
      }
    }
    guard done else { throw DLRTError(error) }
  }

  func bytes() throws(DLRTError) -> [UInt8] {
    var result: [UInt8] = []
    try write {
      result.append(contentsOf: $0)
      return true
    }
    return result
  }

  /// Writes a file that is either whole or not there.
  func write(path: String) throws(DLRTError) {
    let file = try NewFile(path: path)
    var failure: DLRTError?
    do throws(DLRTError) {
      try write { bytes in
        do throws(DLRTError) {
          try file.append(bytes)
        } catch {
          failure = error
        }
        return failure == nil
      }
    } catch {
      throw failure ?? error
    }
    try file.commit()
  }

  func set(_ target: COnnxTensorWriter, _ tensor: Tensor, name: String) throws(DLRTError) {
    let dims = tensor.shape.map(Int64.init)
    name.withText { name in
      dims.withUnsafeBufferPointer {
        connx_set_tensor(
          target, name, Int32(tensor.type.rawValue), COnnxInt64s(values: $0.baseAddress, count: $0.count))
      }
    }
    if tensor.type == .string {
      for element in tensor.elements(StringRef.self) {
        element.bytes.withMemoryRebound(to: CChar.self) {
          connx_add_tensor_string(target, COnnxText(bytes: $0.baseAddress, count: $0.count))
        }
      }
      return
    }
    var stored = tensor
    if tensor.type.packedBits < 8 {
      stored = try Tensor(packed: tensor.withUnsafeBytes { Packing.pack($0, tensor.type) })
    }
    held.append(stored)
    connx_set_raw(target, COnnxBytes(bytes: stored.pointer, count: stored.byteCount))
  }
}

extension Tensor {
  /// Bytes as they are in a file.
  fileprivate init(packed: [UInt8]) throws(DLRTError) {
    try self.init(uninitialized: [packed.count], type: .uint8)
    packed.withUnsafeBytes { mutablePointer.copyMemory(from: $0.baseAddress ?? pointer, byteCount: $0.count) }
  }
}

extension String {
  func withText<R>(_ body: (COnnxText) -> R) -> R {
    var copy = self
    return copy.withUTF8 { utf8 in
      utf8.withMemoryRebound(to: CChar.self) { body(COnnxText(bytes: $0.baseAddress, count: $0.count)) }
    }
  }
}
