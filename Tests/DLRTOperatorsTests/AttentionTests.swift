import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

@Suite struct AttentionTests {
  /// [batch, query heads, key heads, queries, keys, size, value size]
  @Test(arguments: [
    [1, 1, 1, 1, 1, 1, 1], [2, 4, 2, 5, 7, 8, 4], [1, 3, 1, 40, 70, 16, 33], [2, 2, 2, 100, 3, 5, 6],
    [1, 2, 2, 1, 200, 64, 64],
    [1, 2, 1, 3, 0, 4, 4],
  ])
  func agreesWithFloat64(_ sizes: [Int]) throws {
    var numbers = RandomNumbers(seed: 13)
    let (batch, heads, keyHeads) = (sizes[0], sizes[1], sizes[2])
    let q = try numbers.tensor([batch, heads, sizes[3], sizes[5]])
    let k = try numbers.tensor([batch, keyHeads, sizes[4], sizes[5]])
    let v = try numbers.tensor([batch, keyHeads, sizes[4], sizes[6]])
    let mask = try numbers.tensor([heads, sizes[3], sizes[4]])
    for attributes in [[:], ["is_causal": Attribute.int(1)], ["softcap": .float(0.5), "left_window_size": .int(2)]] {
      for mask in [nil, mask] {
        let expected = try OperatorRun.tensor("Attention", [q, k, v, mask].map { try $0?.widened }, attributes)
        for threads in [1, 2] {
          let got = try OperatorRun.tensors(
            "Attention", [q, k, v, mask], attributes, options: SessionOptions(threads: threads))[0]
          #expect(try got.isNear(expected))
        }
      }
    }
  }

  /// Of a step that only fills a cache nobody reads the result, which then has no place to be written to.
  @Test(arguments: [DataType.float32, .float64, .float16, .bfloat16], [[1], [2], [1, 2], [1, 3]])
  func resultThatNobodyReads(_ type: DataType, _ read: [Int]) throws {
    var numbers = RandomNumbers(seed: 15)
    let tensors = try [[3, 4, 40, 8], [3, 4, 5, 8], [3, 4, 5, 8]].map { try numbers.tensor($0) }
    for threads in [1, 2] {
      var b = GraphBuilder()
      func cast(_ value: ValueID, _ type: DataType) -> ValueID {
        b.node("Cast", [value], ["to": .int(Int(type.rawValue))])
      }
      let given = tensors.enumerated().map { b.input("i\($0)", .float32, Shape($1.shape)) }.map { cast($0, type) }
      let (x, keys, values) = (given[0], given[1], given[2])
      let made = b.nodes("Attention", [x, x, x, nil, keys, values], outputs: 4)
      // With another attribute, so that the two stay apart.
      let all = b.nodes("Attention", [x, x, x, nil, keys, values], ["is_causal": .int(0)], outputs: 4)
      b.output(cast(all[0], .float32))
      for index in read {
        let expected = index < 3 ? b.node("Concat", [given[index], x], ["axis": .int(2)]) : all[3]
        b.output(cast(made[index], .float32), cast(expected, .float32))
      }
      let options = SessionOptions(threads: threads)
      let results = try b.run(tensors.map { .tensor($0) }, options: options).compactMap(\.tensor)
      for pair in 0..<read.count { #expect(try results[1 + 2 * pair].isNear(results[2 + 2 * pair], 1e-6)) }
    }
  }

  /// Products repeat an operand of one image for all, which a symbolic size may turn out to be.
  @Test(arguments: [1, 2]) func batchesThatOneOfThemRepeats(_ batch: Int) throws {
    var numbers = RandomNumbers(seed: 16)
    var b = GraphBuilder()
    let q = b.input("q", .float32, [.symbol("N"), .known(3), .known(4), .known(8)])
    let k = b.input("k", .float32, [.known(2), .known(3), .known(5), .known(8)])
    let scores = b.node("MatMul", [q, b.node("Transpose", [k], ["perm": .ints([0, 1, 3, 2])])])
    b.output(b.node("MatMul", [b.node("Softmax", [scores]), k]))
    let inputs = try [numbers.tensor([batch, 3, 4, 8]), numbers.tensor([2, 3, 5, 8])].map { Value.tensor($0) }
    let (got, expected) = try (b.run(inputs), Session(b.model(optimizes: false)).run(inputs))
    #expect(try #require(got[0].tensor).isNear(#require(expected[0].tensor)))
  }

  /// Few values are read where they are, many are moved together.
  @Test(arguments: [[5, 7, 8], [195, 520, 256]])
  func packedHeadsAreTheSame(_ sizes: [Int]) throws {
    var numbers = RandomNumbers(seed: 14)
    let packed = try [[2, sizes[0], 12], [2, sizes[1], 6], [2, sizes[1], sizes[2]]].map { try numbers.tensor($0) }
    let result = [2, sizes[0], 2 * sizes[2]]
    let heads = [4, 2, 2]
    let split = try zip(packed, heads).map { tensor, heads in
      let shape = [tensor.shape[0], tensor.shape[1], heads, tensor.shape[2] / heads]
      return try OperatorRun.tensor("Transpose", [tensor.reshaped(shape)], ["perm": .ints([0, 2, 1, 3])])
    }
    let expected = try OperatorRun.tensor(
      "Transpose", [OperatorRun.tensor("Attention", split)], ["perm": .ints([0, 2, 1, 3])])
    let got = try OperatorRun.tensor("Attention", packed, ["q_num_heads": .int(4), "kv_num_heads": .int(2)])
    #expect(got.shape == result)
    #expect(try got.isNear(expected.reshaped(result)))
    #expect(throws: DLRTError.self) { try OperatorRun.tensor("Attention", packed) }
  }

  /// Decoding token by token with a cache gives what all tokens at once give.
  @Test func cacheAndCausality() throws {
    var numbers = RandomNumbers(seed: 15)
    let all = try (0..<3).map { _ in try numbers.tensor([1, 2, 4, 8]) }
    let causal: [String: Attribute] = ["is_causal": .int(1)]
    let expected = try OperatorRun.tensor("Attention", all, causal)
    var past: [Tensor?] = [
      try Tensor(zeros: [1, 2, 0, 8], type: .float32), try Tensor(zeros: [1, 2, 0, 8], type: .float32),
    ]
    for position in 0..<4 {
      func slice(_ tensor: Tensor) throws -> Tensor {
        try OperatorRun.tensor(
          "Slice", [tensor, Tensor(int64: [position]), Tensor(int64: [position + 1]), Tensor(int64: [2])])
      }
      let now = try all.map(slice)
      let results = try OperatorRun.tensors("Attention", now + [nil] + past, causal, outputs: 3)
      past = [results[1], results[2]]
      #expect(try results[0].isNear(slice(expected)))
    }
    #expect(try past[0]?.isNear(all[1], 0) == true)
  }

  @Test func whatNobodySeesIsNotRead() throws {
    var numbers = RandomNumbers(seed: 16)
    let q = try numbers.tensor([2, 1, 3, 4])
    let lengths = try Tensor(int64: [2, 3])
    var poisoned: [Tensor] = []
    for _ in 0..<2 {
      var values = try numbers.tensor([2, 1, 5, 4]).array(of: Float.self)
      for batch in 0..<2 {
        for key in 3..<5 { for element in 0..<4 { values[(batch * 5 + key) * 4 + element] = .nan } }
      }
      poisoned.append(try Tensor(values, shape: [2, 1, 5, 4]))
    }
    let y = try OperatorRun.tensor("Attention", [q] + poisoned + [nil, nil, nil, lengths])
    #expect(try y.array(of: Float.self).allSatisfy(\.isFinite))
    #expect(throws: DLRTError.self) {
      try OperatorRun.tensor("Attention", [q] + poisoned + [nil, nil, nil, Tensor(int64: [2, 6])])
    }
  }

  @Test func queriesThatSeeNothingGiveZeros() throws {
    var numbers = RandomNumbers(seed: 17)
    let inputs = try (0..<3).map { _ in try numbers.tensor([1, 1, 2, 4]) }
    let mask = try Tensor([true, false, false, false], shape: [2, 2])
    let y = try OperatorRun.tensor("Attention", inputs + [mask]).array(of: Float.self)
    #expect(y[4...].allSatisfy { $0 == 0 })
    #expect(y[0] != 0)
  }

  /// Scores may be so large that rounding moves them by more than the range of exponentials.
  @Test(arguments: [3, 40, 70, 200]) func hugeScores(_ keys: Int) throws {
    var numbers = RandomNumbers(seed: 19)
    func huge(_ shape: [Int]) throws -> Tensor {
      try Tensor(numbers.tensor(shape).array(of: Float.self).map { $0 * 5e7 }, shape: shape)
    }
    let inputs = try [huge([1, 1, 9, 7]), huge([1, 1, keys, 7]), numbers.tensor([1, 1, keys, 5])]
    for scale in [Float(1), 0.4925, 0.37] {
      let attributes: [String: Attribute] = ["scale": .float(scale)]
      let expected = try OperatorRun.tensor("Attention", inputs.map { try $0.widened }, attributes)
      #expect(try OperatorRun.tensor("Attention", inputs, attributes).isNear(expected))
    }
  }

  /// Also where some keys are hidden, and where there are more keys than are worked on at once.
  @Test(arguments: [3, 5000]) func notANumberInAQueryShows(_ keys: Int) throws {
    var numbers = RandomNumbers(seed: 18)
    var query = try numbers.tensor([1, 1, 2, 4]).array(of: Float.self)
    query[5] = .nan
    let inputs = try [Tensor(query, shape: [1, 1, 2, 4])] + (0..<2).map { _ in try numbers.tensor([1, 1, keys, 4]) }
    let mask = try Tensor((0..<2 * keys).map { $0 % keys < keys / 2 }, shape: [2, keys])
    for mask in [nil, mask] {
      let y = try OperatorRun.tensor("Attention", inputs + [mask]).array(of: Float.self)
      #expect(y[..<4].allSatisfy(\.isFinite) && y[4...].allSatisfy(\.isNaN))
    }
  }

  @Test func operandsThatDoNotFit() throws {
    func zeros(_ shape: [Int]) throws -> Tensor { try Tensor(zeros: shape, type: .float32) }
    let q = try zeros([1, 4, 2, 8])
    let k = try zeros([1, 2, 3, 8])
    for wrong in [
      [try zeros([2, 2, 3, 8]), k], [try zeros([1, 3, 3, 8]), k], [k, try zeros([1, 2, 4, 8])],
      [try zeros([1, 2, 3, 4]), k], [k, k, try zeros([2, 5])], [k, k, nil, k],
    ] as [[Tensor?]] {
      #expect(throws: DLRTError.self) { try OperatorRun.tensor("Attention", [q] + wrong) }
    }
  }

  @Test func rotaryPositionsOutOfRange() throws {
    let x = try Tensor(zeros: [1, 1, 2, 4], type: .float32)
    let cache = try Tensor(zeros: [3, 2], type: .float32)
    for positions in [[0, 3], [-1, 0]] {
      #expect(throws: DLRTError.self) {
        try OperatorRun.tensor("RotaryEmbedding", [x, cache, cache, Tensor(int64: positions, shape: [1, 2])])
      }
    }
  }

  @Test func linearAttentionNeedsItsGates() throws {
    let x = try Tensor(zeros: [1, 2, 8], type: .float32)
    let heads: [String: Attribute] = ["q_num_heads": .int(2), "kv_num_heads": .int(2)]
    #expect(throws: DLRTError.self) { try OperatorRun.tensors("LinearAttention", [x, x, x], heads, outputs: 2) }
    let linear = heads.merging(["update_rule": .string("linear")]) { $1 }
    #expect(try OperatorRun.tensors("LinearAttention", [x, x, x], linear, outputs: 2)[1].shape == [1, 2, 4, 4])
  }
}
