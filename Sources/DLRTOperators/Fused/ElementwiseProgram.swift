import CKernelSupport
import DLRTGraph

/// A straight-line program over elements: each instruction makes a value from inputs and earlier values.
///
/// Values are numbered: first the inputs, then the instructions' results. The last result is the output.
package struct ElementwiseProgram: Sendable, Equatable {
  package enum Instruction: Sendable, Equatable {
    case unary(dlk_unary, a: Float, b: Float, x: Int)
    case binary(dlk_binary, x: Int, y: Int)

    package var operands: [Int] {
      switch self {
      case .unary(_, _, _, let x): [x]
      case .binary(_, let x, let y): [x, y]
      }
    }
  }

  package let inputCount: Int
  package private(set) var instructions: [Instruction]

  package init(inputCount: Int, instructions: [Instruction]) {
    self.inputCount = inputCount
    self.instructions = instructions
  }
}

// MARK: As attributes of a node

extension ElementwiseProgram {
  /// Four integers (kind, function, operands) and two floats (parameters) an instruction.
  package var attributes: [String: Attribute] {
    var code: [Int] = []
    var parameters: [Float] = []
    for instruction in instructions {
      switch instruction {
      case .unary(let function, let a, let b, let x):
        code += [1, Int(function.rawValue), x, -1]
        parameters += [a, b]
      case .binary(let function, let x, let y):
        code += [2, Int(function.rawValue), x, y]
        parameters += [0, 0]
      }
    }
    return ["code": .ints(code), "parameters": .floats(parameters), "inputs": .int(inputCount)]
  }

  package init(_ attributes: inout AttributeReader) throws {
    let code = try attributes.ints("code")
    let parameters = try attributes.optionalFloats("parameters") ?? []
    inputCount = try attributes.int("inputs")
    instructions = []
    let malformed = DLRTError(.invalidModel, "the program is malformed", tensor: "code", got: "\(code)")
    guard inputCount > 0, inputCount <= 64, !code.isEmpty, code.count % 4 == 0, parameters.count == code.count / 2
    else {
      throw malformed
    }
    for index in 0..<(code.count / 4) {
      let (kind, function, x, y) = (code[4 * index], code[4 * index + 1], code[4 * index + 2], code[4 * index + 3])
      let known = 0..<(inputCount + index)
      guard let number = Int32(exactly: function), number >= 0, known.contains(x) else { throw malformed }
      switch kind {
      case 1 where number < DLK_UNARY_COUNT.rawValue:
        let a = parameters[2 * index]
        let b = parameters[2 * index + 1]
        instructions.append(.unary(dlk_unary(rawValue: number), a: a, b: b, x: x))
      case 2 where number < DLK_BINARY_COUNT.rawValue && known.contains(y):
        instructions.append(.binary(dlk_binary(rawValue: number), x: x, y: y))
      default: throw malformed
      }
    }
  }
}

// MARK: Where intermediate values live

extension ElementwiseProgram {
  /// A scratch block for each instruction but the last, shared by values whose lives do not overlap.
  package func registers() -> (ofInstruction: [Int], count: Int) {
    var lastUse = [Int](repeating: -1, count: inputCount + instructions.count)
    for (index, instruction) in instructions.enumerated() {
      for operand in instruction.operands { lastUse[operand] = index }
    }
    var free: [Int] = []
    var count = 0
    var result: [Int] = []
    for index in instructions.indices.dropLast() {
      // The kernels allow a result in the place of an operand, so registers that end here can be taken at once.
      for operand in Set(instructions[index].operands) where operand >= inputCount && lastUse[operand] == index {
        free.append(result[operand - inputCount])
      }
      if let register = free.popLast() {
        result.append(register)
      } else {
        result.append(count)
        count += 1
      }
    }
    return (result, count)
  }
}
