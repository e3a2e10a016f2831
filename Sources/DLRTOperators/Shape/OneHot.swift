import DLRTGraph

/// ONNX OneHot (9–28): a new axis of size `depth`, on which the place that an index names holds `values[1]` and all
/// others `values[0]`; indices out of `-depth..<depth` name none. For every element type of values.
package struct OneHot: Operator {
  package static let schema = OperatorSchema(
    "OneHot", versions: [9, 11, 28], inputs: [("indices", "T1"), ("depth", "T2"), ("values", "T3")],
    outputs: [("output", "T3")], types: ["T1": .numeric, "T2": .numeric, "T3": .all])

  package static var promotedTypes: TypeSet { .halfFloats }

  private let axis: Int

  package init(_ attributes: inout AttributeReader) throws {
    axis = try attributes.int("axis", default: -1)
  }

  package func infer(_ inference: inout Inference) throws {
    let type = try inference.type(2)
    inference.setType(0, type)
    let values = try inference.shape(2, rank: 1)
    guard !values[0].provablyDiffers(2) else {
      throw DLRTError(
        .invalidModel, "not two values", tensor: inference.name(2), expected: "[2]", got: "\(values)")
    }
    var dims = try inference.shape(0).dims
    let axis = try inference.axis(axis, rank: dims.count + 1)
    dims.insert(.unknown, at: axis)
    inference.set(0, type, Shape(dims))
    dims[axis] = try depth(inference)
    inference.set(0, type, Shape(dims))
  }

  private func depth(_ inference: Inference) throws -> Dim {
    var depth: Dim?
    if try inference.type(1).isInteger {
      let dims = try inference.dims(1)
      if dims.count == 1, (dims[0].value ?? 0) >= 0 { depth = dims[0] }
    } else if let number = try inference.tensor(1).number, number >= 0, number < 0x1p48 {
      depth = .known(Int(number))
    }
    guard let depth else {
      throw DLRTError(.invalidInput, "not a number of classes", tensor: inference.name(1), expected: "0 or more")
    }
    return depth
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let output = planning.output(0).shape
    let axis = axis < 0 ? axis + output.count : axis
    let depth = output[axis]
    let inner = output.product(axis + 1..<output.count)
    let count = planning.input(0).count
    let type = planning.type(2)
    let reader = try planning.type(0).dispatch(ClassReader())
    let total = output.product
    return Step(kernel: "onehot", workspace: count &* MemoryLayout<Int>.size) { io in
      let off = ElementFill(type, at: io.input(2))
      let on = ElementFill(type, at: io.input(2) + type.size)
      let classes = io.workspace.assumingMemoryBound(to: Int.self)
      reader(io.input(0), classes, count, depth)
      let target = io.output(0)
      off.write(to: target, count: total, io)
      for index in 0..<count where classes[index] >= 0 {
        let place = (index / inner &* depth &+ classes[index]) &* inner &+ index % inner
        on.write(to: target + place &* type.size, count: 1)
      }
    }
  }
}

/// Reads indices of any numeric type as classes; -1 for those that name none.
private struct ClassReader: NumericTask {
  func run<T: NumericElement>(
    _: T.Type
  ) -> @Sendable (UnsafeRawPointer, UnsafeMutablePointer<Int>, Int, Int) -> Void {
    { source, classes, count, depth in
      let source = source.assumingMemoryBound(to: T.self)
      let size = Double(depth)
      for index in 0..<count {
        let number = source[index].double.rounded(.towardZero)
        // NaN fails the comparison.
        let isInside = number >= -size && number < size
        classes[index] = isInside ? Int(number < 0 ? number + size : number) : -1
      }
    }
  }
}
