import DLRT
import DLRTFiles
import DLRTGraph
import DLRTTestSupport
import Testing

@Suite struct MachineLearningTests {
  private static let domain = "ai.onnx.ml"

  /// Folders with answers of ONNX Runtime, made by Tests/scripts/make_ml_cases.py.
  private static let cases: [String] = {
    let root = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
    return TestFolder.folders(at: "/\(root)/Cases/ml")
  }()

  @Test func thereAreCases() { #expect(Self.cases.count > 150) }

  @Test(arguments: cases, [true, false])
  func answersOfAnotherRuntime(_ folder: String, _ optimizes: Bool) {
    let runner = TestRunner(
      modelOptions: Model.Options(optimizes: optimizes), sessionOptions: SessionOptions(threads: 2))
    guard case .passed = runner.run(folder, Tolerance(relative: 1e-4, absolute: 1e-6)) else {
      Issue.record("\(folder): \(runner.run(folder, Tolerance(relative: 1e-4, absolute: 1e-6)))")
      return
    }
  }

  private func run(_ op: String, _ inputs: [Tensor], _ attributes: [String: Attribute], outputs: Int = 1) throws
    -> [Tensor]
  {
    try OperatorRun.tensors(op, domain: Self.domain, inputs, attributes, outputs: outputs)
  }

  private func code(_ op: String, _ inputs: [Tensor], _ attributes: [String: Attribute]) -> DLRTError.Code? {
    #expect(throws: DLRTError.self) { try run(op, inputs, attributes) }?.code
  }

  private let row = try? Tensor([Float(1), 2, 3], shape: [1, 3])

  // MARK: Trees

  /// One tree: x₀ ≤ 0.5 leads to leaf 1, otherwise to leaf 2.
  private func tree(_ changes: [String: Attribute] = [:]) -> [String: Attribute] {
    let tree: [String: Attribute] = [
      "n_targets": .int(1), "nodes_treeids": .ints([0, 0, 0]), "nodes_nodeids": .ints([0, 1, 2]),
      "nodes_featureids": .ints([0, 0, 0]), "nodes_values": .floats([0.5, 0, 0]),
      "nodes_modes": .strings(["BRANCH_LEQ", "LEAF", "LEAF"]), "nodes_truenodeids": .ints([1, 0, 0]),
      "nodes_falsenodeids": .ints([2, 0, 0]), "target_treeids": .ints([0, 0]), "target_nodeids": .ints([1, 2]),
      "target_ids": .ints([0, 0]), "target_weights": .floats([10, 20]),
    ]
    return tree.merging(changes) { $1 }
  }

  @Test func treesOfOneRowAndNone() throws {
    let x = try Tensor([Float(0), 1, .nan], shape: [3, 1])
    #expect(try run("TreeEnsembleRegressor", [x], tree())[0].array(of: Float.self) == [10, 20, 20])
    let tracked = tree(["nodes_missing_value_tracks_true": .ints([1, 0, 0])])
    #expect(try run("TreeEnsembleRegressor", [x], tracked)[0].array(of: Float.self) == [10, 20, 10])
    let none = try Tensor(zeros: [0, 4], type: .float32)
    #expect(try run("TreeEnsembleRegressor", [none], tree())[0].shape == [0, 1])
  }

  @Test(arguments: [
    ["nodes_truenodeids": Attribute.ints([0, 0, 0])],
    ["nodes_truenodeids": .ints([7, 0, 0])],
    ["nodes_featureids": .ints([-1, 0, 0])],
    ["nodes_featureids": .ints([3, 0, 0])],
    ["nodes_modes": .strings(["BRANCH_WHAT", "LEAF", "LEAF"])],
    ["nodes_values": .floats([0.5])],
    ["target_ids": .ints([0, 1])],
    ["target_nodeids": .ints([1, 9])],
    ["n_targets": .int(0)],
    ["n_targets": .int(-4)],
    ["base_values": .floats([1, 2])],
    ["aggregate_function": .string("MEDIAN")],
  ])
  func brokenTrees(_ changes: [String: Attribute]) throws {
    let x = try #require(row)
    #expect(code("TreeEnsembleRegressor", [x], tree(changes)) == .invalidModel)
  }

  @Test func cyclesBetweenBranches() throws {
    let x = try #require(row)
    var attributes = tree()
    attributes["nodes_modes"] = .strings(["BRANCH_LEQ", "BRANCH_LEQ", "LEAF"])
    attributes["nodes_truenodeids"] = .ints([1, 0, 0])
    attributes["nodes_falsenodeids"] = .ints([2, 2, 0])
    #expect(code("TreeEnsembleRegressor", [x], attributes) == .invalidModel)
    let splits = try Tensor([Float(0), 0], shape: [2])
    let ensemble: [String: Attribute] = [
      "n_targets": .int(1), "tree_roots": .ints([0]), "nodes_featureids": .ints([0, 0]),
      "nodes_modes": .tensor(try Tensor([UInt8(0), 0], shape: [2])), "nodes_splits": .tensor(splits),
      "nodes_truenodeids": .ints([1, 0]), "nodes_falsenodeids": .ints([0, 0]), "nodes_trueleafs": .ints([0, 0]),
      "nodes_falseleafs": .ints([1, 1]), "leaf_targetids": .ints([0]),
      "leaf_weights": .tensor(try Tensor([Float(1)], shape: [1])),
    ]
    #expect(code("TreeEnsemble", [x], ensemble) == .invalidModel)
  }

  @Test func baseValuesCountForClassesWithoutVotes() throws {
    var attributes = tree(["classlabels_int64s": .ints([4, 5, 6]), "base_values": .floats([0.5, 1.5, 12])])
    for (name, value) in attributes where name.hasPrefix("target_") {
      attributes[name] = nil
      attributes["class_" + name.dropFirst("target_".count)] = value
    }
    attributes["n_targets"] = nil
    let x = try Tensor([Float(0), 1], shape: [2, 1])
    let results = try run("TreeEnsembleClassifier", [x], attributes, outputs: 2)
    #expect(results[0].integers == [6, 4])
    #expect(try results[1].array(of: Float.self) == [10.5, 1.5, 12, 20.5, 1.5, 12])
  }

  // MARK: Linear models and machines

  @Test func wrongCounts() throws {
    let x = try #require(row)
    let three: Attribute = .floats([1, 2, 3])
    #expect(code("LinearRegressor", [x], ["coefficients": .floats([1, 2])]) == .invalidModel)
    #expect(code("LinearRegressor", [x], ["coefficients": three, "targets": .int(0)]) == .invalidModel)
    #expect(code("LinearRegressor", [x], ["coefficients": three, "intercepts": .floats([1, 2])]) == .invalidModel)
    #expect(
      code(
        "LinearClassifier", [x], ["coefficients": .floats([1, 2, 3, 4, 5, 6]), "classlabels_ints": .ints([1, 2, 3])])
        == .invalidModel)
    #expect(code("SVMRegressor", [x], ["coefficients": .floats([1, 2]), "rho": .floats([0])]) == .invalidModel)
    #expect(code("SVMRegressor", [x], ["coefficients": three]) == .invalidModel)
    let machine: [String: Attribute] = [
      "coefficients": .floats([1, 1]), "support_vectors": .floats([1, 2, 3, 4, 5, 6]),
      "vectors_per_class": .ints([1, 1]), "rho": .floats([0, 0]),
    ]
    #expect(code("SVMClassifier", [x], machine) == .invalidModel)
    #expect(code("SVMClassifier", [x], machine.merging(["vectors_per_class": .ints([-1, 3])]) { $1 }) == .invalidModel)
    #expect(code("Normalizer", [try x.reshaped([1, 3, 1])], [:]) == .invalidModel)
    #expect(code("Normalizer", [x], ["norm": .string("L7")]) == .invalidModel)
    #expect(code("Scaler", [x], ["scale": .floats([1, 2])]) == .invalidModel)
  }

  @Test func doublesKeepTheirPrecision() throws {
    let x = try Tensor([1e9 + 0.25], shape: [1, 1])
    let scaled = try run("Scaler", [x], ["offset": .floats([1e9]), "scale": .floats([4])])
    #expect(try scaled[0].array(of: Float.self) == [1])
  }

  // MARK: Encoders

  @Test func lastOfEqualKeys() throws {
    let x = try Tensor(["a", "b"], shape: [2])
    let attributes: [String: Attribute] = [
      "keys_strings": .strings(["a", "a"]), "values_int64s": .ints([1, 2]), "default_int64": .int(9),
    ]
    #expect(try run("LabelEncoder", [x], attributes)[0].integers == [2, 9])
    let keys = (0..<3000).map { $0 * $0 - 500 }
    let many = try Tensor(int64: (0..<5000).map { ($0 % 3500) * ($0 % 3500) - 500 })
    let found = try run(
      "LabelEncoder", [many],
      ["keys_int64s": .ints(keys), "values_int64s": .ints(Array(keys.indices)), "default_int64": .int(-7)])[0].integers
    #expect(found == (0..<5000).map { $0 % 3500 < 3000 ? $0 % 3500 : -7 })
    #expect(code("LabelEncoder", [x], ["keys_strings": .strings(["a"])]) == .invalidModel)
    #expect(
      code("LabelEncoder", [x], ["keys_int64s": .ints([1]), "values_int64s": .ints([1])]) == .invalidModel)
    #expect(
      code("LabelEncoder", [x], ["keys_strings": .strings(["a"]), "values_int64s": .ints([1, 2])]) == .invalidModel)
  }

  @Test func elementsWithoutCategory() throws {
    let x = try Tensor([Float.nan, 1e30, 1], shape: [3])
    let attributes: [String: Attribute] = ["cats_int64s": .ints([1])]
    #expect(try run("OneHotEncoder", [x], attributes)[0].array(of: Float.self) == [0, 0, 1])
    #expect(code("OneHotEncoder", [x], attributes.merging(["zeros": .int(0)]) { $1 }) == .invalidInput)
  }

  @Test(arguments: [3, -1, Int.max, Int.min])
  func featureOutOfRange(_ index: Int) throws {
    let x = try #require(row)
    #expect(code("ArrayFeatureExtractor", [x, try Tensor(int64: [index])], [:]) == .invalidInput)
  }

  @Test func imputedIntegersAreExact() throws {
    let x = try Tensor(int64: [Int.max - 1, 0], shape: [2])
    let attributes: [String: Attribute] = [
      "imputed_value_int64s": .ints([Int.max]), "replaced_value_int64": .int(Int.max - 1),
    ]
    #expect(try run("Imputer", [x], attributes)[0].integers == [Int.max, 0])
    #expect(code("Imputer", [x], ["imputed_value_floats": .floats([1])]) == .invalidModel)
  }

  // MARK: Maps

  private func runMap(
    _ op: String, _ keys: Tensor, _ values: [Tensor], _ attributes: [String: Attribute]
  ) throws -> Tensor? {
    let element = ValueType.tensor(values[0].type)
    var builder = GraphBuilder()
    let x = builder.input("x", .map(key: keys.type, value: element))
    builder.output(builder.node(op, domain: Self.domain, [x], attributes))
    return try builder.run([.map(keys: keys, values: values.map(Value.tensor), of: element)])[0].tensor
  }

  @Test func mapsOfStrings() throws {
    let keys = try Tensor(int64: [7, 1])
    let values = try ["12", "-7.5"].map { try Tensor([$0], shape: []) }
    let words = try runMap("DictVectorizer", keys, values, ["int64_vocabulary": .ints([1, 3, 7])])
    #expect(try words?.strings() == ["-7.5", "", "12"])
    #expect(try runMap("CastMap", keys, values, [:])?.array(of: Float.self) == [-7.5, 12])
    #expect(try runMap("CastMap", keys, values, ["cast_to": .string("TO_STRING")])?.strings() == ["-7.5", "12"])
    let sparse: [String: Attribute] = [
      "cast_to": .string("TO_STRING"), "map_form": .string("SPARSE"), "max_map": .int(8),
    ]
    #expect(try runMap("CastMap", keys, values, sparse)?.strings() == ["", "-7.5", "", "", "", "", "", "12"])
  }

  @Test func mapsThatDoNotFit() throws {
    let keys = try Tensor(int64: [7, 1])
    let values = try ["1", "two"].map { try Tensor([$0], shape: []) }
    for attributes: [String: Attribute] in [
      [:], ["map_form": .string("SPARSE"), "max_map": .int(7)], ["cast_to": .string("TO_INT64")],
    ] {
      let error = #expect(throws: DLRTError.self) { try runMap("CastMap", keys, values, attributes) }
      #expect(error?.code == .invalidInput)
    }
    let error = #expect(throws: DLRTError.self) {
      try runMap("DictVectorizer", keys, values, ["int64_vocabulary": .ints([1])])
    }
    #expect(error?.code == .invalidInput)
  }
}
