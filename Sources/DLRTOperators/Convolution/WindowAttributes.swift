import DLRTGraph

/// How padding is chosen: ONNX's `auto_pad`.
package enum AutoPad: String, CaseIterable, Sendable {
  case explicit = "NOTSET"
  case sameUpper = "SAME_UPPER"
  case sameLower = "SAME_LOWER"
  case valid = "VALID"
}

/// The attributes that convolutions and pools share: kernel_shape, strides, dilations, pads, auto_pad.
package struct WindowAttributes: Sendable {
  package let kernelShape: [Int]?
  package let autoPad: AutoPad
  private let strides: [Int]?
  private let dilations: [Int]?
  /// All begins, then all ends.
  package let pads: [Int]?

  /// Larger windows than this are refused, so that products of two sizes cannot overflow.
  package static let largest = 1 << 24

  /// - Parameter prefix: of the attributes' names, where an operator has two windows.
  package init(_ attributes: inout AttributeReader, prefix: String = "") throws(DLRTError) {
    kernelShape = try Self.sizes(prefix + "kernel_shape", least: 1, &attributes)
    strides = try Self.sizes(prefix + "strides", least: 1, &attributes)
    dilations = try Self.sizes(prefix + "dilations", least: 1, &attributes)
    pads = try Self.sizes(prefix + "pads", least: 0, &attributes)
    autoPad = try attributes.choice(prefix + "auto_pad", default: .explicit)
  }

  /// Strides of 1 and no padding, for a window of any size.
  static let plain = WindowAttributes()

  private init() {
    (kernelShape, strides, dilations, pads) = (nil, nil, nil, nil)
    autoPad = .explicit
  }

  /// Reads a list of sizes; an empty list counts as absent, as exporters write it.
  package static func sizes(
    _ name: String, least: Int, _ attributes: inout AttributeReader
  ) throws(DLRTError) -> [Int]? {
    guard let values = try attributes.optionalInts(name), !values.isEmpty else { return nil }
    for value in values where value < least || value > largest {
      throw DLRTError(
        .invalidModel, "attribute is out of range", tensor: name, expected: "\(least)...\(largest)", got: "\(values)")
    }
    return values
  }

  /// Checks that every list is as long as there are spatial axes.
  package func check(axes: Int) throws(DLRTError) {
    let lists = [
      ("kernel_shape", kernelShape, axes), ("strides", strides, axes), ("dilations", dilations, axes),
      ("pads", pads, 2 * axes),
    ]
    for (name, list, count) in lists {
      if let list, list.count != count {
        throw DLRTError(
          .invalidModel, "attribute does not fit the input's rank", tensor: name, expected: "\(count) values",
          got: "\(list)")
      }
    }
  }

  package func stride(_ axis: Int) -> Int { strides?[axis] ?? 1 }
  package func dilation(_ axis: Int) -> Int { dilations?[axis] ?? 1 }
  package func pads(_ axis: Int) -> (begin: Int, end: Int) {
    guard let pads else { return (0, 0) }
    return (pads[axis], pads[axis + pads.count / 2])
  }
}

extension WindowAttributes {
  /// The output sizes of a forward window, with symbols where the input has them.
  package func output(_ input: [Dim], kernel: [Dim], ceil: Bool = false) throws(DLRTError) -> [Dim] {
    try check(axes: input.count)
    var result: [Dim] = []
    for axis in input.indices {
      if let size = input[axis].value, let window = kernel[axis].value {
        result.append(.known(try self.axis(axis, input: size, kernel: window, ceil: ceil).output))
      } else {
        result.append(symbolic(axis, input[axis], kernel[axis], ceil: ceil))
      }
    }
    return result
  }

  private func symbolic(_ axis: Int, _ input: Dim, _ kernel: Dim, ceil: Bool) -> Dim {
    let stride = Dim.known(stride(axis))
    if autoPad == .sameUpper || autoPad == .sameLower {
      return stride == 1 ? input : (input + (stride - 1)) / stride
    }
    let pads = autoPad == .valid ? (begin: 0, end: 0) : pads(axis)
    let slack = Dim.known(pads.begin + pads.end) - (kernel - 1) * .known(dilation(axis))
    if stride == 1 { return input + slack }
    // With ceil_mode a window that would begin in the end padding is dropped, which symbols cannot say.
    return ceil ? .unknown : (input + slack - 1) / stride + 1
  }

  /// A forward window in numbers.
  package func geometry(_ input: [Int], kernel: [Int], ceil: Bool = false) throws(DLRTError) -> ConvolutionGeometry {
    try check(axes: input.count)
    var axes: [WindowAxis] = []
    for index in input.indices {
      axes.append(try axis(index, input: input[index], kernel: kernel[index], ceil: ceil))
    }
    return ConvolutionGeometry(axes)
  }

  private func axis(_ axis: Int, input: Int, kernel: Int, ceil: Bool) throws(DLRTError) -> WindowAxis {
    try Self.checkSizes(input: input, kernel: kernel)
    let stride = stride(axis)
    let dilation = dilation(axis)
    let extent = (kernel - 1) * dilation + 1
    var (begin, end) = pads(axis)
    var output = 0
    switch autoPad {
    case .sameUpper, .sameLower:
      output = (input + stride - 1) / stride
      let total = max(0, (output - 1) * stride + extent - input)
      begin = autoPad == .sameUpper ? total / 2 : total - total / 2
      end = total - begin
    case .explicit, .valid:
      if autoPad == .valid { (begin, end) = (0, 0) }
      // With ceil_mode the last window may reach beyond the padding, the first one too.
      let isCeil = ceil && autoPad == .explicit
      let room = input + begin + end - extent + (isCeil ? stride - 1 : 0)
      guard room >= 0 || input == 0 else {
        throw DLRTError(
          .invalidModel, "the window is larger than the padded input", expected: "at most \(room + extent)",
          got: "\(extent)")
      }
      output = input == 0 ? 0 : room / stride + 1
      // A window that would begin in the end padding is dropped.
      if isCeil, output > 0, (output - 1) * stride >= input + begin { output -= 1 }
    }
    return WindowAxis(
      input: input, output: output, kernel: kernel, stride: stride, dilation: dilation, padBegin: begin, padEnd: end)
  }

  package static func checkSizes(input: Int, kernel: Int) throws(DLRTError) {
    guard kernel >= 1, kernel <= largest else {
      throw DLRTError(.invalidModel, "kernel size is out of range", expected: "1...\(largest)", got: "\(kernel)")
    }
    guard input <= 1 << 48 else {
      throw DLRTError(.limitExceeded, "spatial size is too large", got: "\(input)")
    }
  }
}
