import DLRTGraph
import DLRTOnnx
import DLRTOperators

/// A protobuf message written field by field, right or wrong as a test wants it.
struct Proto {
  var bytes: [UInt8] = []

  init(_ build: (inout Proto) -> Void = { _ in }) { build(&self) }

  static func varint(_ value: UInt64) -> [UInt8] {
    var rest = value
    var bytes: [UInt8] = []
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  mutating func tag(_ field: Int, _ wire: Int) { bytes += Self.varint(UInt64(field << 3 | wire)) }

  mutating func int(_ field: Int, _ value: Int) {
    tag(field, 0)
    bytes += Self.varint(UInt64(bitPattern: Int64(value)))
  }

  mutating func float(_ field: Int, _ value: Float) {
    tag(field, 5)
    bytes += withUnsafeBytes(of: value.bitPattern) { Array($0) }
  }

  mutating func data(_ field: Int, _ data: [UInt8]) {
    tag(field, 2)
    bytes += Self.varint(UInt64(data.count)) + data
  }

  mutating func text(_ field: Int, _ text: String) { data(field, Array(text.utf8)) }
  mutating func message(_ field: Int, _ message: Proto) { data(field, message.bytes) }
  mutating func message(_ field: Int, _ build: (inout Proto) -> Void) { message(field, Proto(build)) }

  mutating func packed(_ field: Int, _ values: [Int]) {
    data(field, values.flatMap { Self.varint(UInt64(bitPattern: Int64($0))) })
  }
}

extension [UInt8] {
  init(littleEndian values: [some BitwiseCopyable]) { self = values.withUnsafeBytes { Array($0) } }
}

// MARK: ONNX's messages

extension Proto {
  static func tensor(
    _ name: String = "", type: Int = 1, dims: [Int] = [], raw: [UInt8]? = nil, _ more: (inout Proto) -> Void = { _ in }
  ) -> Proto {
    Proto {
      for dim in dims { $0.int(1, dim) }
      $0.int(2, type)
      if !name.isEmpty { $0.text(8, name) }
      if let raw { $0.data(9, raw) }
      more(&$0)
    }
  }

  static func value(_ name: String, type: Int = 1, dims: [Int]? = []) -> Proto {
    Proto {
      $0.text(1, name)
      $0.message(2) {
        $0.message(1) {
          $0.int(1, type)
          if let dims { $0.message(2) { for dim in dims { $0.message(1) { $0.int(1, dim) } } } }
        }
      }
    }
  }

  static func node(
    _ op: String, _ inputs: [String], _ outputs: [String], domain: String = "", name: String = "",
    _ attributes: Proto...
  ) -> Proto {
    Proto {
      for input in inputs { $0.text(1, input) }
      for output in outputs { $0.text(2, output) }
      if !name.isEmpty { $0.text(3, name) }
      $0.text(4, op)
      for attribute in attributes { $0.message(5, attribute) }
      if !domain.isEmpty { $0.text(7, domain) }
    }
  }

  static func attribute(_ name: String, _ type: Int, _ build: (inout Proto) -> Void) -> Proto {
    Proto {
      $0.text(1, name)
      build(&$0)
      $0.int(20, type)
    }
  }

  static func graph(
    _ nodes: [Proto], inputs: [Proto] = [], outputs: [Proto] = [], initializers: [Proto] = [],
    _ more: (inout Proto) -> Void = { _ in }
  ) -> Proto {
    Proto {
      for node in nodes { $0.message(1, node) }
      $0.text(2, "g")
      for tensor in initializers { $0.message(5, tensor) }
      for input in inputs { $0.message(11, input) }
      for output in outputs { $0.message(12, output) }
      more(&$0)
    }
  }

  static func model(
    _ graph: Proto, ir: Int = 10, opsets: [(String, Int)] = [("", 21)], functions: [Proto] = [],
    _ more: (inout Proto) -> Void = { _ in }
  ) -> Proto {
    Proto {
      $0.int(1, ir)
      for (domain, version) in opsets {
        $0.message(8) {
          if !domain.isEmpty { $0.text(1, domain) }
          $0.int(2, version)
        }
      }
      $0.message(7, graph)
      for function in functions { $0.message(25, function) }
      more(&$0)
    }
  }

  static func function(
    _ name: String, domain: String, inputs: [String], outputs: [String], attributes: [String] = [],
    opsets: [(String, Int)] = [("", 21)], _ nodes: [Proto], _ more: (inout Proto) -> Void = { _ in }
  ) -> Proto {
    Proto {
      $0.text(1, name)
      for input in inputs { $0.text(4, input) }
      for output in outputs { $0.text(5, output) }
      for attribute in attributes { $0.text(6, attribute) }
      for node in nodes { $0.message(7, node) }
      for (domain, version) in opsets {
        $0.message(9) {
          $0.text(1, domain)
          $0.int(2, version)
        }
      }
      $0.text(10, domain)
      more(&$0)
    }
  }
}

// MARK: Loading

/// Bytes at an address that stays.
final class Buffer {
  let bytes: UnsafeRawBufferPointer

  init(_ data: [UInt8]) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: data.count, alignment: 1)
    copy.copyBytes(from: data)
    bytes = UnsafeRawBufferPointer(copy)
  }

  deinit { bytes.deallocate() }
}

func load(_ model: Proto) throws -> OnnxModel { try load(model.bytes) }

func load(_ bytes: [UInt8]) throws -> OnnxModel {
  let buffer = Buffer(bytes)
  return try OnnxModel(bytes: buffer.bytes, owner: buffer, registry: .forTests)
}

func readTensor(_ tensor: Proto, _ type: DataType) throws -> Tensor? {
  let buffer = Buffer(tensor.bytes)
  return try ValueFile.read(buffer.bytes, owner: buffer, type: .tensor(type)).value.tensor
}

/// The error that `body` throws.
func failure(_ body: () throws -> some Any) -> DLRTError? {
  do {
    _ = try body()
    return nil
  } catch { return error as? DLRTError }
}

// MARK: Operators

extension OperatorRegistry {
  static let forTests = OperatorRegistry([
    [
      "Relu": Unary.self, "Add": Binary.self, "Identity": Pass.self, "If": Branch.self, "Old": Renamed.self,
      "Halves": Halves.self,
    ]
  ])
}

/// Stands for operators whose attributes and results do not matter to a loader.
protocol Inert: Operator {}

extension Inert {
  func infer(_ inference: inout Inference) throws {}
  func plan(_ planning: inout Planning) throws -> Step { .nothing }
}

struct Unary: Inert {
  static let schema = OperatorSchema(
    "Relu", versions: [6, 14], inputs: [("X", "T")], outputs: [("Y", "T")], types: [:])
  init(_ attributes: inout AttributeReader) throws {}
}

struct Binary: Inert {
  static let schema = OperatorSchema(
    "Add", versions: [1, 13], inputs: [("A", "T"), ("B", "T")], outputs: [("C", "T")], types: [:])
  init(_ attributes: inout AttributeReader) throws {}
}

struct Pass: Inert {
  static let schema = OperatorSchema("Identity", versions: [1], inputs: [("X", "V")], outputs: [("Y", "V")], types: [:])
  init(_ attributes: inout AttributeReader) throws {}
}

struct Branch: Inert {
  static let schema = OperatorSchema(
    "If", versions: [1], inputs: [("cond", "B")], outputs: [("outputs...", "V")], types: [:])
  init(_ attributes: inout AttributeReader) throws {}
}

struct Halves: Inert {
  static let schema = OperatorSchema(
    "Halves", versions: [1], inputs: [("X", "T")], outputs: [("Y", "T"), ("Z", "T"), ("W?", "T")], types: [:])
  init(_ attributes: inout AttributeReader) throws {}
}

/// In its old form an attribute held what is an input now, and the name was another.
struct Renamed: Inert {
  static let schema = OperatorSchema("Old", versions: [1], inputs: [("X", "T")], outputs: [("Y", "T")], types: [:])
  init(_ attributes: inout AttributeReader) throws {}

  static func modernize(_ node: inout Node, version: Int, in graph: inout Graph) throws {
    guard case .ints(let axes)? = node.attributes.removeValue(forKey: "axes") else { return }
    node.inputs.append(graph.addConstant(try Tensor(int64: axes)))
    node.op = OperatorName("Add")
  }
}
