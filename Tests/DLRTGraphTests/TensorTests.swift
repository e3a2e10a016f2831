import DLRTGraph
import Testing

@Suite struct TensorTests {
  @Test func elementsComeBack() throws {
    let tensor = try Tensor([1, 2, 3, 4, 5, 6] as [Int32], shape: [2, 3])
    #expect(try tensor.array(of: Int32.self) == [1, 2, 3, 4, 5, 6])
    #expect(try tensor.element(1, 0, as: Int32.self) == 4)
  }

  @Test func wrongAccessThrows() throws {
    let tensor = try Tensor([1, 2] as [Float], shape: [2])
    #expect(throws: DLRTError.self) { try tensor.array(of: Int32.self) }
    #expect(throws: DLRTError.self) { try tensor.element(2, as: Float.self) }
    #expect(throws: DLRTError.self) { try tensor.element(0, 0, as: Float.self) }
    #expect(throws: DLRTError.self) { try tensor.reshaped([3]) }
    #expect(throws: DLRTError.self) { try Tensor([1] as [Float], shape: [2]) }
  }

  @Test func writingCopiesSharedBytes() throws {
    let first = try Tensor([1, 2] as [Float], shape: [2])
    var second = first
    try second.withUnsafeMutableBytes { $0.storeBytes(of: Float(9), as: Float.self) }
    #expect(try first.array(of: Float.self) == [1, 2])
    #expect(try second.array(of: Float.self) == [9, 2])
  }

  @Test func stringsOwnTheirBytes() throws {
    let words = ["", "dlrt", "日本語"]
    let copy: Tensor = try {
      let tensor = try Tensor(words, shape: [3])
      return try tensor.copied()
    }()
    #expect(try copy.strings() == words)
  }

  @Test(arguments: [[-1], [Int.max, 2], [1 << 62, 4]])
  func impossibleShapesThrow(_ shape: [Int]) {
    #expect(throws: DLRTError.self) { try Tensor(zeros: shape, type: .float32) }
  }

  @Test func emptyTensorsAreFine() throws {
    let tensor = try Tensor(zeros: [0, Int.max], type: .float64)
    #expect(tensor.count == 0)
    #expect(try tensor.array(of: Double.self).isEmpty)
  }
}
