import DLRT
import DLRTGraph

extension ProbeNode {
  /// One input of a node to try.
  enum Input {
    case shape([Int])
    /// Constants that decide shapes.
    case integers([Int])
    case floats([Float])
    case absent
  }

  struct Entry {
    let inputs: [Input]
    let attributes: [String: Attribute]
  }

  private static func entry(_ inputs: [Int]..., attributes: [String: Attribute] = [:]) -> Entry {
    Entry(inputs: inputs.map(Input.shape), attributes: attributes)
  }

  private static func mixed(_ inputs: Input..., attributes: [String: Attribute] = [:]) -> Entry {
    Entry(inputs: inputs, attributes: attributes)
  }

  /// Operators whose inputs have shapes, or whose attributes have values, that fit only them.
  static let shapes: [String: [Entry]] = normalizing.merging(windows) { $1 }.merging(moving) { $1 }
    .merging(various) { $1 }

  private static let image = [1, 16, 8, 8]

  private static let normalizing: [String: [Entry]] = [
    "BatchNormalization": [entry(image, [16], [16], [16], [16])],
    "GroupNormalization": [entry(image, [16], [16], attributes: ["num_groups": .int(4)])],
    "InstanceNormalization": [entry(image, [16], [16])],
    "LayerNormalization": [entry([16, 16], [16], [16])],
    "LRN": [entry(image, attributes: ["size": .int(3)])],
    "RMSNormalization": [entry([16, 16], [16])],
  ]

  private static let windows: [String: [Entry]] = {
    var table: [String: [Entry]] = [
      "Conv": [
        entry(image, [16, 16, 3, 3]), entry(image, [16, 16, 1, 1]),
        entry(image, [16, 1, 3, 3], attributes: ["group": .int(16)]), entry([1, 16, 8], [16, 16, 3]),
      ],
      "ConvInteger": [entry(image, [16, 16, 3, 3])],
      "ConvTranspose": [entry(image, [16, 16, 3, 3])],
      "QLinearConv": [entry(image, [], [], [16, 16, 3, 3], [], [], [], [])],
      "DeformConv": [entry(image, [16, 16, 3, 3], [1, 18, 6, 6])],
      "Resize": [
        mixed(.shape(image), .absent, .floats([1, 1, 2, 2])),
        mixed(.shape(image), .absent, .floats([1, 1, 2, 2]), attributes: ["mode": .string("linear")]),
      ],
      "GridSample": [entry(image, [1, 4, 4, 2])],
      "RoiAlign": [entry(image, [3, 4], [3])],
      "MaxRoiPool": [entry(image, [3, 5], attributes: ["pooled_shape": .ints([2, 2])])],
      "MaxUnpool": [entry(image, image, attributes: ["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2])])],
      "Col2Im": [mixed(.shape([1, 36, 36]), .integers([8, 8]), .integers([3, 3]))],
      "AffineGrid": [mixed(.shape([1, 2, 3]), .integers([1, 16, 8, 8]))],
      "CausalConvWithState": [entry([1, 16, 8], [16, 1, 4])],
    ]
    for pool in ["AveragePool", "MaxPool", "LpPool"] {
      table[pool] = [entry(image, attributes: ["kernel_shape": .ints([3, 3])])]
    }
    for pool in ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"] { table[pool] = [entry(image)] }
    return table
  }()

  private static let moving: [String: [Entry]] = [
    "CenterCropPad": [mixed(.shape([16, 16]), .integers([8, 20]))],
    "Concat": [entry([16, 16], [16, 16], attributes: ["axis": .int(0)])],
    "ConstantOfShape": [mixed(.integers([16, 16]))],
    "DepthToSpace": [entry(image, attributes: ["blocksize": .int(2)])],
    "Expand": [mixed(.shape([16, 1]), .integers([16, 16]))],
    "GatherND": [entry([16, 16], [4, 2])],
    "OneHot": [mixed(.shape([16]), .integers([10]), .shape([2]), attributes: ["axis": .int(-1)])],
    "Pad": [mixed(.shape([16, 16]), .integers([1, 1, 1, 1]))],
    "Reshape": [mixed(.shape([16, 16]), .integers([8, 32]))],
    "ReverseSequence": [entry([16, 16], [16])],
    "ScatterND": [entry([16, 16], [4, 2], [4])],
    "Slice": [mixed(.shape([16, 16]), .integers([1]), .integers([9]))],
    "SpaceToDepth": [entry(image, attributes: ["blocksize": .int(2)])],
    "Tile": [mixed(.shape([16, 16]), .integers([2, 2]))],
    "TopK": [mixed(.shape([16, 16]), .integers([4]))],
    "Unsqueeze": [mixed(.shape([16, 16]), .integers([0]))],
  ]

  private static let various: [String: [Entry]] = [
    "BitShift": [entry([16], [16], attributes: ["direction": .string("LEFT")])],
    "Cast": [entry([16, 16], attributes: ["to": .int(6)]), entry([16, 16], attributes: ["to": .int(1)])],
    "CumProd": [mixed(.shape([16, 16]), .integers([0]))],
    "CumSum": [mixed(.shape([16, 16]), .integers([0]))],
    "DequantizeLinear": [entry([16, 16], [], [])],
    "DFT": [entry([1, 16, 1])],
    "Einsum": [entry([16, 16], [16, 16], attributes: ["equation": .string("ij,jk->ik")])],
    "Gemm": [entry([16, 16], [16, 16], [16])],
    "GRU": [entry([4, 2, 8], [1, 24, 8], [1, 24, 8], attributes: ["hidden_size": .int(8)])],
    "LinearAttention": [
      entry(
        [1, 2, 4, 8], [1, 2, 4, 8], [1, 2, 4, 8], attributes: ["q_num_heads": .int(2), "kv_num_heads": .int(2)])
    ],
    "LSTM": [entry([4, 2, 8], [1, 32, 8], [1, 32, 8], attributes: ["hidden_size": .int(8)])],
    "NegativeLogLikelihoodLoss": [entry([16, 16], [16])],
    "NonMaxSuppression": [entry([1, 8, 4], [1, 2, 8])],
    "QuantizeLinear": [entry([16, 16], [])],
    "RNN": [entry([4, 2, 8], [1, 8, 8], [1, 8, 8], attributes: ["hidden_size": .int(8)])],
    "RotaryEmbedding": [entry([1, 2, 4, 8], [16, 4], [16, 4], [1, 4])],
    "SoftmaxCrossEntropyLoss": [entry([16, 16], [16])],
  ]
}
