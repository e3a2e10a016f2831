import DLRTGraph
import DLRTOnnx
import Testing

@Suite struct TensorTests {
  @Test func rawDataStaysWhereItIs() throws {
    let values: [Float] = [1.5, -2, 3]
    let bytes = Proto.model(
      .graph(
        [.node("Add", ["x", "w"], ["y"])], inputs: [.value("x")], outputs: [.value("y")],
        initializers: [.tensor("w", dims: [3], raw: [UInt8](littleEndian: values))])
    ).bytes
    let buffer = Buffer(bytes)
    let model = try OnnxModel(bytes: buffer.bytes, owner: buffer, registry: .forTests)
    let weight = try #require(model.graph.values.first { $0.name == "w" }?.constant)
    let start = try #require(buffer.bytes.baseAddress)
    #expect(weight.pointer >= start && weight.pointer < start + bytes.count)
    #expect(try weight.array(of: Float.self) == values)
  }

  @Test func tensorsKeepTheBytesAlive() throws {
    let tensor = try readTensor(.tensor(dims: [2], raw: [UInt8](littleEndian: [4, 5] as [Float])), .float32)
    #expect(try tensor?.array(of: Float.self) == [4, 5])
  }

  @Test(arguments: DataType.allCases.filter { $0 != .string }) func readsRawDataOfEveryType(type: DataType) throws {
    let count = 5
    let bytes = (0..<(count * type.packedBits + 7) / 8).map {
      type == .bool ? UInt8($0 % 2) : UInt8(truncatingIfNeeded: 0x90 + $0 * 7)
    }
    let tensor = try #require(try readTensor(.tensor(type: Int(type.rawValue), dims: [5], raw: bytes), type))
    #expect(tensor.type == type && tensor.count == count)
    if type.packedBits >= 8 { #expect(tensor.withUnsafeBytes { Array($0) } == bytes) }
  }

  @Test func unpacksSmallTypes() throws {
    func elements(_ type: DataType, _ count: Int, _ raw: [UInt8]) throws -> [Int]? {
      try readTensor(.tensor(type: Int(type.rawValue), dims: [count], raw: raw), type)?.integers
    }
    #expect(try elements(.uint4, 3, [0xF1, 0x08]) == [1, 15, 8])
    #expect(try elements(.int4, 3, [0xF1, 0x08]) == [1, -1, -8])
    #expect(try elements(.uint2, 5, [0b11_10_01_00, 0b10]) == [0, 1, 2, 3, 2])
    #expect(try elements(.int2, 5, [0b11_10_01_00, 0b10]) == [0, 1, -2, -1, -2])
    // Six bits do not divide a byte.
    let codes: [UInt8] = [0b01_000001, 0b0011_0000, 0b100001_00, 0b111111]
    let sixes = try readTensor(.tensor(type: Int(DataType.float6e2m3.rawValue), dims: [5], raw: codes), .float6e2m3)
    #expect(sixes?.withUnsafeBytes { Array($0) } == [1, 1, 3, 33, 63])
  }

  @Test func readsTypedFields() throws {
    func integers(_ type: DataType, _ field: Int, _ values: [Int], count: Int) throws -> [Int]? {
      try readTensor(.tensor(type: Int(type.rawValue), dims: [count]) { $0.packed(field, values) }, type)?.integers
    }
    #expect(try integers(.int32, 5, [-1, 7], count: 2) == [-1, 7])
    #expect(try integers(.int8, 5, [-128, 127], count: 2) == [-128, 127])
    #expect(try integers(.uint16, 5, [65535], count: 1) == [65535])
    #expect(try integers(.bool, 5, [1, 0, 1], count: 3) == [1, 0, 1])
    #expect(try integers(.int64, 7, [Int.min, 3], count: 2) == [Int.min, 3])
    #expect(try integers(.uint32, 11, [4_000_000_000], count: 1) == [4_000_000_000])
    #expect(try integers(.int4, 5, [0xF1, 0x08], count: 3) == [1, -1, -8])

    let half = try readTensor(.tensor(type: 10, dims: [1]) { $0.packed(5, [0x3E00]) }, .float16)
    #expect(try half?.array(of: Float16.self) == [1.5])
    let complex = try readTensor(
      .tensor(type: 14, dims: [1]) { $0.data(4, [UInt8](littleEndian: [1, 2] as [Float])) }, .complex64)
    #expect(complex?.elements(SIMD2<Float>.self) == [[1, 2]])
    let double = try readTensor(
      .tensor(type: 11, dims: [1]) { $0.data(10, [UInt8](littleEndian: [2.5] as [Double])) }, .float64)
    #expect(try double?.array(of: Double.self) == [2.5])
    let text = try readTensor(
      .tensor(type: 8, dims: [2]) {
        $0.text(6, "ab")
        $0.text(6, "")
      }, .string)
    #expect(try text?.strings() == ["ab", ""])
  }

  @Test func makesBytesOfBoolsProper() throws {
    #expect(
      try readTensor(.tensor(type: 9, dims: [3], raw: [0, 2, 255]), .bool)?.array(of: Bool.self) == [false, true, true])
  }

  @Test(arguments: [
    Proto.tensor(dims: [2], raw: [0, 0, 0, 0]),
    .tensor(dims: [1], raw: [0, 0, 0, 0, 0]),
    .tensor(dims: [-1], raw: []),
    .tensor(dims: [Int.max, Int.max], raw: []),
    .tensor(dims: [1 << 62], raw: []),
    .tensor(type: 99, dims: [1], raw: [0]),
    .tensor(type: 0, dims: [0]),
    .tensor(dims: [3]) { $0.data(4, [0, 0, 0, 0]) },
    .tensor(dims: [1], raw: [0, 0, 0, 0]) { $0.data(4, [0, 0, 0, 0]) },
    .tensor(type: 7, dims: [1]) { $0.data(4, [0, 0, 0, 0]) },
    .tensor(type: 3, dims: [1]) { $0.packed(5, [128]) },
    .tensor(type: 8, dims: [1], raw: [65]),
    .tensor(dims: []),
    .tensor(dims: [1], raw: [0, 0, 0, 0]) { $0.message(3) { $0.int(1, 0) } },
  ]) func refusesBadTensors(tensor: Proto) {
    let error = failure {
      try load(
        .model(
          .graph(
            [.node("Relu", ["w"], ["y"])], outputs: [.value("y")],
            initializers: [
              Proto {
                $0.text(8, "w"); $0.bytes += tensor.bytes
              }
            ])))
    }
    #expect(error?.tensor == "w")
  }

  private func sparse(_ indices: [Int64], _ shape: [Int]? = nil, dims: [Int] = [2, 3]) -> Proto {
    .model(
      .graph([.node("Relu", ["s"], ["y"])], outputs: [.value("y")]) {
        $0.message(15) {
          $0.message(1, .tensor("s", dims: [2], raw: [UInt8](littleEndian: [5, 6] as [Float])))
          $0.message(2, .tensor(type: 7, dims: shape ?? [indices.count], raw: [UInt8](littleEndian: indices)))
          for dim in dims { $0.int(3, dim) }
        }
      })
  }

  @Test func makesSparseTensorsDense() throws {
    for model in [sparse([1, 5]), sparse([0, 1, 1, 2], [2, 2])] {
      let tensor = try load(model).graph.values.first { $0.name == "s" }?.constant
      #expect(try tensor?.array(of: Float.self) == [0, 5, 0, 0, 0, 6])
    }
  }

  @Test func refusesBadSparseTensors() {
    for model in [
      sparse([1, 6]), sparse([-1, 0]), sparse([0, 1, 2, 0], [2, 2]), sparse([0], [1]), sparse([1, 5], dims: [1 << 40]),
      sparse([1, 5], dims: [-2, 3]),
    ] {
      #expect(failure { try load(model) } != nil)
    }
  }
}
