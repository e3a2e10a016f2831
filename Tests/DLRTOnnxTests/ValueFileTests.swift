import DLRTGraph
import DLRTOnnx
import Glibc
import Testing

@Suite struct ValueFileTests {
  private func roundTrip(_ value: Value) throws -> (name: String, value: Value) {
    let buffer = Buffer(try ValueFile.bytes(value, name: "n"))
    return try ValueFile.read(buffer.bytes, owner: buffer, type: value.type)
  }

  @Test(arguments: DataType.allCases.filter { $0 != .string }) func tensorsComeBack(type: DataType) throws {
    var tensor = try Tensor(zeros: [3, 3], type: type)
    try tensor.withUnsafeMutableBytes { bytes in
      for index in bytes.indices {
        switch type {
        case .bool: bytes[index] = UInt8(index % 2)
        case .int4: bytes[index] = UInt8(bitPattern: Int8(index) - 4)
        case .int2: bytes[index] = UInt8(bitPattern: Int8(index % 4) - 2)
        case .uint2: bytes[index] = UInt8(index % 4)
        default: bytes[index] = UInt8(index)
        }
      }
    }
    let (name, value) = try roundTrip(.tensor(tensor))
    let back = try #require(value.tensor)
    #expect(name == "n" && back.type == type && back.shape == [3, 3])
    #expect(back.withUnsafeBytes { Array($0) } == tensor.withUnsafeBytes { Array($0) })
  }

  @Test func stringsComeBack() throws {
    let back = try roundTrip(.tensor(try Tensor(["a", "", "ü"], shape: [3]))).value.tensor
    #expect(try back?.strings() == ["a", "", "ü"])
  }

  @Test func emptyAndScalarTensorsComeBack() throws {
    #expect(try roundTrip(.tensor(try Tensor([Float](), shape: [0, 2]))).value.tensor?.shape == [0, 2])
    #expect(try roundTrip(.tensor(try Tensor(scalar: Int64(5)))).value.tensor?.integers == [5])
  }

  @Test func containersComeBack() throws {
    let tensor = Value.tensor(try Tensor([1, 2] as [Float], shape: [2]))
    let sequence = Value.sequence([tensor, tensor], of: tensor.type)
    let values: [Value] = [
      sequence, .sequence([], of: tensor.type), .sequence([sequence], of: sequence.type),
      .optional(tensor, of: tensor.type),
      .optional(nil, of: tensor.type), .optional(sequence, of: sequence.type),
      .map(keys: try Tensor(int64: [3, -4]), values: [tensor, tensor], of: tensor.type),
      .map(keys: try Tensor(["a", "b"], shape: [2]), values: [tensor, tensor], of: tensor.type),
      .map(keys: try Tensor([1, -2] as [Int8], shape: [2]), values: [tensor, tensor], of: tensor.type),
    ]
    for value in values {
      let back = try roundTrip(value).value
      #expect(back.type == value.type)
      #expect(try flat(back) == flat(value))
    }
  }

  /// The elements of a value, for comparison.
  private func flat(_ value: Value) throws -> String {
    switch value {
    case .tensor(let tensor) where tensor.type == .string: "\(tensor.shape) \(try tensor.strings())"
    case .tensor(let tensor): "\(tensor.type)\(tensor.shape) \(tensor.withUnsafeBytes { Array($0) })"
    case .sequence(let values, _): "\(try values.map(flat))"
    case .optional(let value, _): "?\(try value.map(flat) ?? "")"
    case .map(let keys, let values, _): "\(try flat(.tensor(keys))) \(try values.map(flat))"
    }
  }

  @Test func refusesAnotherType() throws {
    let buffer = Buffer(try ValueFile.bytes(.tensor(try Tensor(scalar: Float(1))), name: ""))
    let error = failure { try ValueFile.read(buffer.bytes, owner: buffer, type: .tensor(.int64)) }
    #expect(error?.code == .invalidInput)
  }

  /// Cut short, empty, of an unknown element type, of a segment.
  @Test(arguments: [[0x08, 0x80], [], [0x10, 99], [0x08, 1, 0x10, 7, 0x1a, 0]] as [[UInt8]])
  func refusesDamage(_ bytes: [UInt8]) throws {
    let buffer = Buffer(bytes)
    #expect(failure { try ValueFile.read(buffer.bytes, owner: buffer, type: .tensor(.int64)) }?.code == .invalidInput)
    let folder = try Folder()
    try folder.write("x.pb", bytes)
    let error = failure { try ValueFile.read(path: folder.path + "/x.pb", type: .tensor(.int64)) }
    #expect(error?.code == .invalidInput && error?.tensor?.contains("/x.pb") == true)
  }

  @Test func valuesOutliveTheirFiles() throws {
    let folder = try Folder()
    let values = (0..<5000).map { Float($0) }
    try folder.write("x.pb", ValueFile.bytes(.tensor(try Tensor(values, shape: [5000])), name: "x"))
    let value = try ValueFile.read(path: folder.path + "/x.pb", type: .tensor(.float32)).value
    #expect(truncate(folder.path + "/x.pb", 0) == 0)
    #expect(try value.tensor?.array(of: Float.self) == values)
  }

  @Test func anUnwritablePlaceIsAnError() throws {
    let error = failure { try ValueFile.write(.tensor(try Tensor(scalar: Float(1))), name: "", path: "/nowhere/x.pb") }
    #expect(error?.code == .io)
  }
}
