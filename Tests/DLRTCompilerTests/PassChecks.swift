import DLRT
import DLRTFiles
import DLRTGraph
import DLRTTestSupport
import Testing

/// What suites of passes share: each pass must find its pattern and leave the numbers as they were.
protocol PassChecks {}

extension PassChecks {
  func input(_ shape: [Int], seed: Int = 1) throws -> Tensor {
    let count = shape.reduce(1, *)
    return try Tensor((0..<count).map { Float(($0 * 37 + seed * 11) % 101) / 25 - 2 }, shape: shape)
  }

  /// Runs both ways and expects one operator to be left (or the given ones).
  func check(_ builder: GraphBuilder, _ inputs: [Tensor], leaves operators: [String: Int]) throws {
    let plain = try Session(builder.model(optimizes: false), options: SessionOptions(threads: 1))
    let model = try builder.model()
    #expect(model.operatorCounts == operators)
    let values = inputs.map { Value?.some(.tensor($0)) }
    let expected = try plain.run(values)
    let got = try Session(model, options: SessionOptions(threads: 1)).run(values)
    for (a, b) in zip(got, expected) {
      #expect(try Comparison.difference(a, b, Tolerance(relative: 1e-5, absolute: 1e-5)) == nil)
    }
  }
}
