import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

@Suite struct LossTests {
  private static let scores = [Float(0), 0, 0, 0, 0, 0]

  @Test(arguments: [([0, 3], nil), ([-1, 0], nil), ([0, 7], 6)] as [([Int], Int?)])
  func labelsOutOfRange(_ labels: [Int], _ ignored: Int?) throws {
    let x = try Tensor(Self.scores, shape: [2, 3])
    let attributes = ignored.map { ["ignore_index": Attribute.int($0)] } ?? [:]
    for op in ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"] {
      #expect(throws: DLRTError.self) { try OperatorRun.tensor(op, [x, Tensor(int64: labels)], attributes) }
    }
  }

  @Test func ignoredLabelsCarryNoWeight() throws {
    let x = try Tensor([Float(-1), -2, -3, -4, -5, -6], shape: [2, 3])
    let labels = try Tensor(int64: [1, 99])
    let mean = try OperatorRun.tensor("NegativeLogLikelihoodLoss", [x, labels], ["ignore_index": .int(99)])
    #expect(try mean.array() == [Float(2)])
    let weights = try Tensor([Float(1), 4, 1], shape: [3])
    let none = try OperatorRun.tensor(
      "NegativeLogLikelihoodLoss", [x, labels, weights], ["ignore_index": .int(99), "reduction": .string("none")])
    #expect(try none.array() == [Float(8), 0])
    let nothing = try OperatorRun.tensor(
      "NegativeLogLikelihoodLoss", [x, Tensor(int64: [99, 99])], ["ignore_index": .int(99)])
    #expect(try nothing.array(of: Float.self)[0].isNaN)
  }

  @Test func shapesThatDoNotFit() throws {
    let x = try Tensor(zeros: [2, 3, 4], type: .float32)
    for (labels, weights) in [([2, 3], nil), ([2], nil), ([2, 4], 4)] as [([Int], Int?)] {
      #expect(throws: DLRTError.self) {
        try OperatorRun.tensor(
          "SoftmaxCrossEntropyLoss",
          [x, Tensor(zeros: labels, type: .int64), try weights.map { try Tensor(zeros: [$0], type: .float32) }])
      }
    }
  }
}
