import DLRTGraph
import Glibc

/// dlrt's SumToShape: sums over the axes along which `like` would broadcast to the shape of `input`; what gradients of
/// broadcasting operators need.
///
/// `input`: float16, bfloat16, float, double; `like`: any tensor, of which only the shape is read. Output: the shape of
/// `like`.
package struct SumToShape: Operator {
  package static let schema = OperatorSchema(
    "SumToShape", domain: OperatorName.internalDomain, versions: [1], inputs: [("input", "T"), ("like", "L*")],
    outputs: [("output", "T")], types: ["T": .floats, "L*": .all])

  package static let promotedTypes = TypeSet.halfFloats

  package init(_ attributes: inout AttributeReader) throws {}

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(0)
    inference.setType(0, type)
    let (whole, part) = (try inference.shape(0), try inference.shape(1))
    let common = try inference.broadcast(part, whole, inference.name(0))
    guard common.rank == whole.rank, !zip(common.dims, whole.dims).contains(where: { $0.provablyDiffers($1) }) else {
      throw DLRTError(
        .invalidModel, "does not broadcast to the input", tensor: inference.name(1), expected: "\(whole)",
        got: "\(part)")
    }
    inference.set(0, type, part)
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    planning.type(0) == .float64 ? plan(planning, Double.self) : plan(planning, Float.self)
  }

  private func plan<T: RealElement>(_ planning: Planning, _: T.Type) -> Step {
    let walk = Broadcast(output: planning.shape(0), inputs: [planning.output(0).shape])
    let count = planning.output(0).count
    return Step(kernel: "sum") { io in
      let (x, y) = (io.input(0, as: T.self), io.output(0, as: T.self))
      for index in 0..<count { y[index] = 0 }
      walk.forEachRun(in: 0..<walk.count) { start, length, places in
        let target = y + places[0]
        if walk.innerStrides[0] == 0 {
          var sum = target[0]
          for index in 0..<length { sum += x[start &+ index] }
          target[0] = sum
        } else {
          for index in 0..<length { target[index] += x[start &+ index] }
        }
      }
    }
  }
}
