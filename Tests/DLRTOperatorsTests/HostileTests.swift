import DLRT
import DLRTGraph
import DLRTTestSupport
import Testing

private func ones(_ shape: Int...) throws -> Tensor {
  try Tensor([Float](repeating: 1, count: shape.reduce(1, *)), shape: shape)
}

private func bytes(_ shape: Int...) throws -> Tensor { try Tensor(zeros: shape, type: .uint8) }

/// Numbers that no size, axis or index may be.
private let extremes = [-1, Int(Int32.max) + 1, Int.max, Int.min]

/// One node that must be refused, whatever is known when: its inputs may be constants of the model or come with the run.
private struct Hostile: CustomTestStringConvertible {
  let op: String
  let inputs: [Tensor?]
  let attributes: [String: Attribute]
  let outputs: Int

  init(_ op: String, _ inputs: [Tensor?], _ attributes: [String: Attribute] = [:], outputs: Int = 1) {
    self.op = op
    self.inputs = inputs
    self.attributes = attributes
    self.outputs = outputs
  }

  var testDescription: String { "\(op) \(attributes) \(inputs.map { $0?.integers ?? [] })" }

  func checkRefused() {
    for constants in [Set<Int>(), Set(1..<max(inputs.count, 1)), Set(inputs.indices)] {
      #expect(throws: DLRTError.self, "constants \(constants)") {
        try OperatorRun.tensors(op, inputs, attributes, constants: constants, outputs: outputs)
      }
    }
  }
}

/// What files and callers may hold to do harm: every case is a typed error, at load or in the run, and takes neither
/// memory nor time.
@Suite struct HostileTests {
  @Test(arguments: [7] + extremes) func indices(_ index: Int) throws {
    // -1 is the last element of an axis.
    let index = index == -1 ? -8 : index
    let x = try ones(5, 2)
    let one = try Tensor(int64: [index])
    let row = try Tensor(int64: [index], shape: [1, 1])
    for hostile in [
      Hostile("Gather", [x, one]), Hostile("GatherElements", [x, row]), Hostile("GatherND", [x, row]),
      Hostile("ScatterElements", [x, row, try ones(1, 1)]), Hostile("ScatterND", [x, row, try ones(1, 2)]),
      Hostile("TensorScatter", [try ones(1, 4, 2), try ones(1, 2, 2), one]),
      Hostile("RoiAlign", [try ones(1, 1, 4, 4), try ones(1, 4), one]),
      Hostile(
        "MaxUnpool", [try ones(1, 1, 1, 1), try Tensor(int64: [index], shape: [1, 1, 1, 1])],
        [
          "kernel_shape": .ints([2, 2])
        ]),
      Hostile("NegativeLogLikelihoodLoss", [try ones(1, 3), one]),
      Hostile("SoftmaxCrossEntropyLoss", [try ones(1, 3), one]),
      Hostile("ReverseSequence", [x, try Tensor(int64: [index, 1])]),
      Hostile("SplitToSequence", [x, try Tensor(int64: [index, 1])]),
    ] { hostile.checkRefused() }
  }

  @Test(arguments: [7, -7, Int.max, Int.min, 1 << 32]) func axes(_ axis: Int) throws {
    let x = try ones(5, 2)
    let attribute: [String: Attribute] = ["axis": .int(axis)]
    let value = try Tensor(int64: [axis])
    let scalar = try Tensor(int64: [axis], shape: [])
    for hostile in [
      Hostile("Softmax", [x], attribute), Hostile("Concat", [x, x], attribute), Hostile("ArgMax", [x], attribute),
      Hostile("TopK", [x, try Tensor(int64: [1])], attribute, outputs: 2), Hostile("Split", [x], attribute),
      Hostile("Flatten", [x], attribute), Hostile("LayerNormalization", [x, try ones(2)], attribute),
      Hostile("LpNormalization", [x], attribute), Hostile("Unique", [x], attribute),
      Hostile("QuantizeLinear", [x, try ones(2)], attribute),
      Hostile("Gather", [x, try Tensor(int64: [0])], attribute),
      Hostile("OneHot", [try Tensor(int64: [1]), try Tensor(int64: [3]), try ones(2)], attribute),
      Hostile("Transpose", [x], ["perm": .ints([0, axis])]), Hostile("Squeeze", [try ones(1, 2), value]),
      Hostile("Unsqueeze", [x, value]), Hostile("ReduceSum", [x, value]), Hostile("CumSum", [x, scalar]),
      Hostile("DFT", [try ones(1, 5, 1), nil, scalar]),
    ] { hostile.checkRefused() }
  }

  @Test(arguments: [0] + extremes) func windows(_ number: Int) throws {
    let x = try ones(1, 4, 5, 5)
    let w = try ones(4, 4, 3, 3)
    let pair = Attribute.ints([number, 1])
    var all = [
      Hostile("Conv", [x, w], ["group": .int(number)]), Hostile("Conv", [x, w], ["strides": pair]),
      Hostile("Conv", [x, w], ["dilations": pair]), Hostile("Conv", [x, w], ["kernel_shape": pair]),
      Hostile("ConvTranspose", [x, w], ["group": .int(number)]), Hostile("ConvTranspose", [x, w], ["strides": pair]),
      Hostile("DepthToSpace", [x], ["blocksize": .int(number)]),
      Hostile("SpaceToDepth", [x], ["blocksize": .int(number)]), Hostile("LRN", [x], ["size": .int(min(number, 0))]),
      Hostile("MaxRoiPool", [x, try ones(1, 5)], ["pooled_shape": pair]),
    ]
    for op in ["MaxPool", "AveragePool", "LpPool"] {
      all += [
        Hostile(op, [x], ["kernel_shape": pair]),
        Hostile(op, [x], ["kernel_shape": .ints([2, 2]), "strides": pair]),
        Hostile(op, [x], ["kernel_shape": .ints([2, 2]), "dilations": pair]),
      ]
      if number != 0 {
        all.append(
          Hostile(op, [x], ["kernel_shape": .ints([2, 2]), "pads": .ints([number, number, number, number])]))
      }
    }
    if number != 0 {
      all.append(Hostile("Conv", [x, w], ["pads": .ints([number, number, number, number])]))
    }
    for hostile in all { hostile.checkRefused() }
  }

  @Test func shapesThatDoNotFit() throws {
    let x = try ones(2, 3)
    for hostile in [
      Hostile("MatMul", [x, x]), Hostile("Gemm", [x, x]), Hostile("Gemm", [try ones(2, 3, 1), x]),
      Hostile("MatMul", [try Tensor(scalar: Float(1)), try ones(3)]), Hostile("Add", [x, try ones(2)]),
      Hostile("Where", [try Tensor([true, false], shape: [2]), x, x]), Hostile("PRelu", [x, try ones(4)]),
      Hostile("Conv", [try ones(1, 4, 5), try ones(4, 4, 3, 3)]), Hostile("Conv", [try ones(4), try ones(4)]),
      Hostile("Conv", [try ones(1, 4, 5, 5), try ones(4, 3, 3, 3)]),
      Hostile("Conv", [try ones(1, 4, 5, 5), try ones(4, 4, 3, 3), try ones(5)]),
      Hostile("Conv", [try ones(1, 4, 2, 2), try ones(4, 4, 3, 3)]),
      Hostile("BatchNormalization", [try ones(1, 4, 5), try ones(3), try ones(4), try ones(4), try ones(4)]),
      Hostile("Einsum", [x], ["equation": .string("i->i")]), Hostile("Einsum", [x], ["equation": .string("ij->k")]),
      Hostile("LSTM", [try ones(3, 1, 4), try ones(1, 12, 4), try ones(1, 16, 4)], ["hidden_size": .int(4)]),
      Hostile("GRU", [try ones(3, 1, 4), try ones(1, 12, 4), try ones(1, 12, 5)], ["hidden_size": .int(4)]),
      Hostile("Reshape", [x, try Tensor(int64: [-1, -1])]), Hostile("Reshape", [x, try Tensor(int64: [5])]),
      Hostile("Reshape", [x, try Tensor(int64: [-2])]),
      Hostile("Reshape", [x, try Tensor(int64: [1 << 32, 1 << 32])]),
      Hostile("Split", [try ones(5), try Tensor(int64: [2, 2])], outputs: 2),
      Hostile("Split", [try ones(5), try Tensor(int64: [7, -2])], outputs: 2),
      Hostile("Slice", [x, try Tensor(int64: [0]), try Tensor(int64: [2]), nil, try Tensor(int64: [0])]),
      Hostile("TopK", [x, try Tensor(int64: [4])], outputs: 2),
      Hostile("TopK", [x, try Tensor(int64: [-1])], outputs: 2),
      Hostile("Pad", [try ones(2), try Tensor(int64: [-3, 0])]), Hostile("Pad", [try ones(2), try Tensor(int64: [1])]),
      Hostile("Transpose", [x], ["perm": .ints([0, 0])]), Hostile("Unsqueeze", [x, try Tensor(int64: [0, 0])]),
      Hostile("OneHot", [try Tensor(int64: [1]), try Tensor(int64: [-1]), try ones(2)]),
      Hostile("QuantizeLinear", [x, try ones(2)], ["axis": .int(1)]),
      Hostile(
        "Range",
        [try Tensor(int64: [0], shape: []), try Tensor(int64: [9], shape: []), try Tensor(int64: [0], shape: [])]),
    ] { hostile.checkRefused() }
  }

  @Test(arguments: [1 << 31, 1 << 62, Int.max]) func bombs(_ size: Int) throws {
    let sizes = try Tensor(int64: [size, size])
    for hostile in [
      Hostile("ConstantOfShape", [sizes]), Hostile("Expand", [try ones(1), sizes]),
      Hostile("Tile", [try ones(5, 2), sizes]),
      Hostile("Resize", [try ones(1, 1), nil, nil, sizes]), Hostile("CenterCropPad", [try ones(5, 2), sizes]),
      Hostile("Pad", [try ones(5, 2), try Tensor(int64: [size, size, size, size])]),
      Hostile("AffineGrid", [try ones(1, 2, 3), try Tensor(int64: [1, 1, size, size])]),
      Hostile("Col2Im", [try ones(1, 4, 4), sizes, try Tensor(int64: [2, 2])]),
      Hostile(
        "Range",
        [
          try Tensor(int64: [Int.min], shape: []), try Tensor(int64: [size], shape: []),
          try Tensor(int64: [1], shape: []),
        ]),
      Hostile(
        "Einsum", [Tensor?](repeating: try ones(30, 30), count: 6),
        ["equation": .string("ab,cd,ef,gh,ij,kl->abcdefghijkl")]),
      Hostile(
        "TfIdfVectorizer", [try Tensor(int64: [1])],
        [
          "mode": .string("TF"), "min_gram_length": .int(1), "max_gram_length": .int(1), "max_skip_count": .int(0),
          "ngram_counts": .ints([0]), "ngram_indexes": .ints([size]), "pool_int64s": .ints([1]),
        ]),
    ] { hostile.checkRefused() }
  }

  /// Sums and differences of what a model says may have no number.
  @Test func sizesBeyondCounting() throws {
    func range(_ bounds: [Int]) throws -> [Tensor?] { try bounds.map { try Tensor(int64: [$0], shape: []) } }
    for hostile in [
      Hostile("Range", try range([0, Int.min, -1])),
      Hostile("Pad", [try ones(4), try Tensor(int64: [Int.min, Int.max])]),
      Hostile("Split", [try ones(4), try Tensor(int64: [Int.max, 3, 2])], outputs: 3),
      Hostile("Split", [try ones(4), try Tensor(int64: [Int.max, Int.max, 10, 0])], outputs: 4),
      Hostile(
        "LSTM",
        [
          try ones(3, 0, 4), try Tensor(zeros: [1, 0, 4], type: .float32),
          try Tensor(zeros: [1, 0, 1 << 62], type: .float32),
        ]),
      Hostile(
        "Conv", [try ones(1, 4, 2, 2), try Tensor(zeros: [0, 1 << 62, 2, 2], type: .float32)], ["group": .int(4)]),
    ] { hostile.checkRefused() }
    let scales = try Tensor([Float(1), 1, 1e-20, 1e-20], shape: [4])
    for mode in ["linear", "cubic"] {
      let y = try OperatorRun.tensor(
        "Resize", [try ones(1, 1, 4, 4), nil, scales], ["mode": .string(mode), "antialias": .int(1)], constants: [2])
      #expect(y.shape == [1, 1, 0, 0])
    }
  }

  @Test func moreEqualPartsThanOutputs() throws {
    // The parts that nobody asked for take no memory.
    let results = try OperatorRun.tensors("Split", [try ones(7)], ["num_outputs": .int(Int.max)], outputs: 3)
    #expect(results.map(\.shape) == [[1], [1], [1]])
    #expect(
      try OperatorRun.tensors("Split", [try ones(7)], ["num_outputs": .int(4)], outputs: 4).map(\.shape)
        == [[2], [2], [2], [1]])
  }

  @Test(arguments: [DataType.float16, .bfloat16, .float32, .float64]) func softmaxOfNothing(_ type: DataType) throws {
    for (shape, axis) in [([3, 4, 0], 1), ([0, 4], 1), ([4, 0], 1), ([0], 0), ([2, 0, 3], 0)] {
      let x = try Tensor(zeros: shape, type: type)
      for op in ["Softmax", "LogSoftmax", "Hardmax"] {
        #expect(try OperatorRun.tensor(op, [x], ["axis": .int(axis)]).shape == shape)
        // Before version 13 all axes from this one on were one.
        var builder = GraphBuilder()
        let input = builder.input("x", type, Shape(shape.map(Dim.known)))
        builder.output(try builder.imported(op, version: 11, [input], ["axis": .int(axis)])[0])
        #expect(try builder.run([.tensor(x)])[0].tensor?.shape == shape)
      }
    }
  }
}
