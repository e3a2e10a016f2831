import DLRTGraph

/// ONNX Bernoulli (15, 22): 1 with the probability that the input's element gives, else 0.
package struct Bernoulli: Operator {
  package static let schema = OperatorSchema(
    "Bernoulli", versions: [15, 22], inputs: [("input", "T1")], outputs: [("output", "T2")],
    types: ["T1": .floats, "T2": [.numeric, .bool]])
  package static var promotedTypes: TypeSet { .halfFloats }

  private let type: DataType?
  private let seed: UInt64?

  package init(_ attributes: inout AttributeReader) throws {
    type = try attributes.optionalDataType("dtype")
    seed = try attributes.seed()
  }

  package var isDeterministic: Bool { false }

  package func infer(_ inference: inout Inference) throws {
    let type = try type ?? inference.type(0)
    guard TypeSet([.numeric, .bool]).contains(type) else {
      throw DLRTError(.invalidModel, "element type is not supported", tensor: "dtype", got: type.name)
    }
    inference.setType(0, type)
    inference.set(0, type, try inference.shape(0))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let source = RandomSource(seed: seed, planning)
    let draw = try planning.type(0).dispatch(Draw(convert: ElementConverter(from: .bool, to: planning.outputType(0))))
    let chunks = Chunks(planning.output(0).count, cost: 10, multiple: 4)
    return Step(kernel: "philox") { io in
      let generator = source.generator(io)
      let x = io.input(0)
      let y = io.output(0)
      io.parallel(chunks) { draw(generator, x, y, $0) }
    }
  }

  private typealias Loop =
    @Sendable (
      _ generator: Philox, _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer, _ range: Range<Int>
    ) -> Void

  private struct Draw: FloatTask {
    let convert: ElementConverter

    func run<T: RealElement>(_ type: T.Type) -> Loop {
      let convert = convert
      return { generator, x, y, range in
        let x = x.assumingMemoryBound(to: T.self)
        let size = convert.target.size
        let block = 256
        withUnsafeTemporaryAllocation(of: Bool.self, capacity: block) { memory in
          withUnsafeTemporaryAllocation(of: T.self, capacity: block) { numbers in
            guard let flags = memory.baseAddress, let units = numbers.baseAddress else { return }
            for start in stride(from: range.lowerBound, to: range.upperBound, by: block) {
              let count = min(block, range.upperBound &- start)
              T.fillUniform(generator, start..<start &+ count, units)
              T.findLess(units, x + start, flags, count)
              convert(flags, y + start &* size, count)
            }
          }
        }
      }
    }
  }
}

extension RealElement {
  static func findLess(
    _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>, _ flags: UnsafeMutablePointer<Bool>, _ count: Int
  ) {
    for index in 0..<count { flags[index] = x[index] < y[index] }
  }
}
