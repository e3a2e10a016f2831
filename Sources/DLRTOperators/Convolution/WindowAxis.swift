import DLRTGraph

/// One spatial axis of a sliding window, in numbers: a convolution's, a pool's or, read backwards, a transposed
/// convolution's.
///
/// Output `o` reads the input elements `o · stride − padBegin + tap · dilation` that exist; the others are padding.
package struct WindowAxis: Sendable, Hashable {
  package let input: Int
  package let output: Int
  package let kernel: Int
  package let stride: Int
  package let dilation: Int
  package let padBegin: Int
  package let padEnd: Int

  package init(input: Int, output: Int, kernel: Int, stride: Int, dilation: Int, padBegin: Int, padEnd: Int) {
    self.input = input
    self.output = output
    self.kernel = kernel
    self.stride = stride
    self.dilation = dilation
    self.padBegin = padBegin
    self.padEnd = padEnd
  }

  /// Input elements from a window's first tap to its last.
  package var extent: Int { (kernel &- 1) &* dilation &+ 1 }

  /// Where the window of an output begins; negative within the padding.
  @inline(__always)
  package func start(_ output: Int) -> Int { output &* stride &- padBegin }

  /// The taps of an output's window that meet input elements.
  @inline(__always)
  package func taps(_ output: Int) -> Range<Int> {
    let start = start(output)
    let first = start >= 0 ? 0 : (dilation &- 1 &- start) / dilation
    let end = start >= input ? 0 : min(kernel, (input &- 1 &- start) / dilation &+ 1)
    return first..<max(first, end)
  }

  /// The outputs for which a tap meets an input element.
  package func outputs(tap: Int) -> Range<Int> {
    let offset = tap &* dilation &- padBegin
    let first = offset >= 0 ? 0 : (stride &- 1 &- offset) / stride
    let end = offset >= input ? 0 : min(output, (input &- 1 &- offset) / stride &+ 1)
    return first..<max(first, end)
  }

  /// How many elements of an output's window lie in the input or, if asked, in the declared padding around it.
  package func count(_ output: Int, includingPadding: Bool) -> Int {
    guard includingPadding else { return taps(output).count }
    let room = input &+ padEnd &- start(output)
    return room <= 0 ? 0 : min(kernel, (room &- 1) / dilation &+ 1)
  }

  /// True when each output is its input element times something.
  package var isPointwise: Bool {
    kernel == 1 && stride == 1 && padBegin == 0 && input == output
  }
}

/// A sliding window over all spatial axes, outermost first.
package struct ConvolutionGeometry: Sendable, Hashable {
  package let axes: [WindowAxis]

  package init(_ axes: [WindowAxis]) { self.axes = axes }

  package var input: [Int] { axes.map(\.input) }
  package var output: [Int] { axes.map(\.output) }
  package var kernel: [Int] { axes.map(\.kernel) }
  package var inputSize: Int { axes.reduce(1) { $0 &* $1.input } }
  package var outputSize: Int { axes.reduce(1) { $0 &* $1.output } }
  /// Taps of the window.
  package var kernelSize: Int { axes.reduce(1) { $0 &* $1.kernel } }
  package var isPointwise: Bool { axes.allSatisfy(\.isPointwise) }
}
