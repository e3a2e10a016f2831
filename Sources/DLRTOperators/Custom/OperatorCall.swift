import DLRTGraph
import Glibc

/// A user's operator's view of one run: its inputs, where its outputs go, and the run's threads. It ends with the call.
public struct OperatorCall: ~Copyable {
  let io: StepIO
  let forms: Forms
  /// The outputs that the operator has allocated; nil when no size is open.
  let made: Made?

  /// The operands of one plan.
  struct Forms: Sendable {
    let inputs: [Form?]
    /// nil where nobody reads an output.
    let outputs: [Form?]
  }

  /// What a plan knows of an operand.
  struct Form: Sendable {
    let type: DataType
    /// Empty when the size is open.
    let shape: [Int]
    let isOpen: Bool
    /// What is known of an open size.
    let partial: Shape?
    let byteCount: Int

    init(type: DataType, shape: [Int]) {
      self.type = type
      self.shape = shape
      isOpen = false
      partial = nil
      byteCount = shape.product &* type.size
    }

    init(type: DataType, open partial: Shape?) {
      self.type = type
      shape = []
      isOpen = true
      self.partial = partial
      byteCount = 0
    }
  }

  /// Outputs whose sizes only `compute` tells.
  final class Made {
    var views: [MutableTensorView?]
    init(count: Int) { views = Array(repeating: nil, count: count) }
  }

  init(_ io: borrowing StepIO, _ forms: Forms) {
    self.io = io.again()
    self.forms = forms
    made = forms.outputs.contains { $0?.isOpen == true } ? Made(count: forms.outputs.count) : nil
  }
}

// MARK: What the operator sees

extension OperatorCall {
  public var inputCount: Int { forms.inputs.count }
  public var outputCount: Int { forms.outputs.count }

  /// An input's elements; nil when it is absent.
  public func input(_ index: Int) -> TensorView? {
    guard forms.inputs.indices.contains(index), let form = forms.inputs[index] else { return nil }
    let bytes = UnsafeRawBufferPointer(start: io.input(index), count: form.byteCount)
    return TensorView(type: form.type, shape: form.shape, bytes: bytes)
  }

  /// Where an output's elements go; nil when nobody reads it, or when its size is open and it is not allocated yet.
  public func output(_ index: Int) -> MutableTensorView? {
    guard forms.outputs.indices.contains(index), let form = forms.outputs[index] else { return nil }
    if form.isOpen { return made?.views[index] }
    let bytes = UnsafeMutableRawBufferPointer(start: io.output(index), count: form.byteCount)
    return MutableTensorView(type: form.type, shape: form.shape, bytes: bytes)
  }

  /// Whether anybody reads an output.
  public func wants(_ index: Int) -> Bool { forms.outputs.indices.contains(index) && forms.outputs[index] != nil }

  /// Whether an output's size is open, so that it must be allocated.
  public func isOpen(_ index: Int) -> Bool { wants(index) && forms.outputs[index]?.isOpen == true }

  /// The element type of an output that must be allocated.
  package func openType(_ index: Int) -> DataType? { isOpen(index) ? forms.outputs[index]?.type : nil }

  /// Memory for an output whose size is open: zeros. For one whose size is known, where it goes.
  ///
  /// - Returns: nil when nobody reads the output.
  /// - Throws: `operatorFailed` for a shape that contradicts `infer`, `limitExceeded` for one that is too large.
  public func allocate(_ index: Int, shape: [Int]) throws -> MutableTensorView? {
    guard forms.outputs.indices.contains(index) else {
      throw DLRTError(
        .operatorFailed, "no such output to allocate", expected: "less than \(outputCount)", got: "\(index)")
    }
    guard let form = forms.outputs[index] else { return nil }
    guard form.allows(shape) else {
      throw DLRTError(
        .operatorFailed, "the output has another shape than infer states", tensor: "output \(index)",
        expected: form.isOpen ? form.partial.map { "\($0)" } ?? "sizes of at least 0" : "\(form.shape)", got: "\(shape)"
      )
    }
    guard form.isOpen else { return output(index) }
    let address = try io.allocate(output: index, shape)
    let count = try Tensor.byteCount(form.type, shape)
    let view = MutableTensorView(
      type: form.type, shape: shape, bytes: UnsafeMutableRawBufferPointer(start: address, count: count))
    made?.views[index] = view
    return view
  }

  /// Fills a string output, allocating it if its size is open.
  public func setStrings(_ index: Int, _ strings: [String], shape: [Int]) throws {
    guard let view = try allocate(index, shape: shape) else { return }
    guard view.type == .string, strings.count == shape.product else {
      throw DLRTError(
        .operatorFailed, "strings do not fill the output", tensor: "output \(index)", expected: "\(view.type) \(shape)",
        got: "\(strings.count) strings")
    }
    let refs = view.bytes.bindMemory(to: StringRef.self)
    for (place, string) in strings.enumerated() { refs[place] = try io.host.strings.intern(Array(string.utf8)) }
  }

  /// Keeps the bytes of a string for as long as the run's outputs refer to it.
  package func intern(_ bytes: some Collection<UInt8>) throws -> StringRef { try io.host.strings.intern(bytes) }

  /// Calls `body` for every chunk, on the run's threads; returns when all are done. Chunks must be independent.
  public func parallel(_ chunks: Int, _ body: (Int) -> Void) {
    if chunks > 0 { io.parallel(chunks, body) }
  }

  /// Throws when the run shall stop; to be called in long loops.
  public func checkCancelled() throws { try io.checkCancelled() }
}

// MARK: Around the operator

extension OperatorCall {
  /// A string output that is not filled must not hold what the memory held before.
  func clearStrings() {
    for (index, form) in forms.outputs.enumerated() {
      if let form, form.type == .string, form.byteCount > 0 { memset(io.output(index), 0, form.byteCount) }
    }
  }

  /// Refuses outputs that were not made, and elements that kernels must not meet.
  func checkOutputs() throws {
    for index in forms.outputs.indices where forms.outputs[index] != nil {
      guard let view = output(index) else {
        throw DLRTError(.operatorFailed, "compute did not allocate an output of open size", tensor: "output \(index)")
      }
      if let fault = view.type.fault(in: UnsafeRawBufferPointer(view.bytes)) {
        throw DLRTError(.operatorFailed, fault.message, tensor: "output \(index)", expected: fault.expected)
      }
    }
  }
}

extension OperatorCall.Form {
  func allows(_ sizes: [Int]) -> Bool {
    guard isOpen else { return sizes == shape }
    guard sizes.allSatisfy({ $0 >= 0 }) else { return false }
    guard let partial else { return true }
    return sizes.count == partial.rank && zip(sizes, partial.dims).allSatisfy { $1.value == nil || $1.value == $0 }
  }
}
