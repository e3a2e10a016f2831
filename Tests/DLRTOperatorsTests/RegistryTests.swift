import DLRTGraph
import DLRTOperators
import Testing

@Suite struct RegistryTests {
  @Test func operatorsAreFoundByTheNamesOfTheirSchemas() {
    let kinds = OperatorRegistry.standard.kinds
    for kind in kinds {
      #expect(OperatorRegistry.standard[kind.schema.op]?.schema.op == kind.schema.op)
    }
    #expect(Set(kinds.map(\.schema.op)).count == kinds.count)
  }

  @Test func namesAreWhatTheyDescribe() {
    for name in [OperatorName("Add"), OperatorName("Gelu", domain: "com.microsoft"), OperatorName("")] {
      #expect(OperatorName(description: name.description) == name)
    }
  }

  @Test func formalsHaveNamesWithoutTheirMarks() {
    let schema = OperatorSchema(
      "X", versions: [1], inputs: [("a", "T"), ("b?", "T"), ("c...", "V")], outputs: [("y", "T")], types: ["T": .floats]
    )
    #expect(schema.inputs.map(\.name) == ["a", "b", "c"])
    #expect(schema.inputs.map(\.isOptional) == [false, true, false])
    #expect(schema.input(7)?.isVariadic == true)
    #expect(schema.types["T"] == .floats && schema.types["V"] == nil)
  }
}
