import CKernelSupport
import DLRTGraph

/// Brings images of bytes into the layout that the kernels for bytes read: channels last, filled up to words of four.
/// Those of few channels get their padding too, so that each row under a window is a single run of memory.
struct ByteImageCopy: Sendable {
  private let problem: ConvolutionProblem
  private let kernels: KernelSet
  private let isChannelsLast: Bool
  private let hasMargins: Bool
  /// Channels that stay together, and how many such runs a pixel has.
  private let channels: Int
  private let runs: Int
  private let words: Int
  private let down: WindowAxis
  private let across: WindowAxis
  private let height: Int
  private let width: Int

  /// Nil where the image can be read as it is.
  init?(_ problem: ConvolutionProblem, _ kernels: KernelSet, isChannelsLast: Bool, words: Int) {
    let axes = problem.geometry.axes
    let isDepthwise =
      words &* 4 >= problem.groups && problem.groups > 1 && problem.inputChannels == 1
      && problem.outputChannels == 1
    channels = isDepthwise ? problem.groups : problem.inputChannels
    runs = isDepthwise ? 1 : problem.groups
    hasMargins = problem.groups == 1 && words <= 2 && axes.count <= 2 && !problem.geometry.isPointwise
    if isChannelsLast, channels == words &* 4, !hasMargins { return nil }
    (self.problem, self.kernels, self.isChannelsLast, self.words) = (problem, kernels, isChannelsLast, words)
    if hasMargins {
      down = axes.count > 1 ? axes[0] : .single
      across = axes[axes.count - 1]
      height = down.paddedSize
      width = across.paddedSize
    } else {
      // All pixels make one row.
      (down, across) = (.single, .single)
      (height, width) = (1, problem.geometry.inputSize)
    }
  }

  private var pixelBytes: Int { runs &* words &* 4 }
  /// Of one image.
  var bytes: Int { (height &* width &* pixelBytes &+ 63) & ~63 }

  var pixels: dlk_pixels {
    dlk_pixels(hasMargins ? [height, width] : problem.geometry.input, pixelStride: runs &* words)
  }

  /// The window over the copy.
  var window: dlk_window {
    hasMargins
      ? ConvolutionGeometry([down.inside(height), across.inside(width)]).kernelWindow : problem.geometry.kernelWindow
  }

  func run(_ io: borrowing StepIO, _ x: UnsafeRawPointer, _ zero: UInt8, _ target: UnsafeMutableRawPointer) {
    let size = problem.geometry.inputSize
    let line = hasMargins ? across.input : size
    let all = runs &* channels
    // Without margins, parts of the only row.
    let parts = hasMargins ? Chunks(height, parts: height) : Chunks(size, cost: Double(all), multiple: 32)
    io.parallel(Chunks(problem.batch &* parts.count, cost: Double(parts.size * (hasMargins ? line : 1) * all))) {
      range in
      for index in range {
        let image = index / parts.count
        let part = parts[index % parts.count]
        let from = x + image &* size &* all
        let to = target + image &* bytes
        if hasMargins {
          let row = to + part.lowerBound &* width &* pixelBytes
          row.initializeMemory(as: UInt8.self, repeating: zero, count: width &* pixelBytes)
          let y = part.lowerBound &- down.padBegin
          guard y >= 0, y < down.input else { continue }
          move(from, y &* line, line, row + across.padBegin &* pixelBytes)
        } else {
          let row = to + part.lowerBound &* pixelBytes
          if channels < words &* 4 {
            row.initializeMemory(as: UInt8.self, repeating: zero, count: part.count &* pixelBytes)
          }
          move(from, part.lowerBound, part.count, row)
        }
      }
    }
  }

  /// Moves `count` pixels from the image's pixel `first` on.
  private func move(_ image: UnsafeRawPointer, _ first: Int, _ count: Int, _ target: UnsafeMutableRawPointer) {
    let size = problem.geometry.inputSize
    if isChannelsLast {
      let from = image + first &* runs &* channels
      for index in 0..<count &* runs {
        (target + index &* words &* 4).copyMemory(from: from + index &* channels, byteCount: channels)
      }
      return
    }
    for run in 0..<runs {
      var args = dlk_transpose_args(
        rows: Int64(channels), columns: Int64(count), element_bytes: 1, x: image + (run &* channels &* size &+ first),
        x_row_stride: Int64(size), y: target + run &* words &* 4, y_row_stride: Int64(pixelBytes),
        fills: runs == 1 ? 1 : 0)
      kernels.table.pointee.transpose(&args, 0, args.rows, 0, args.columns)
    }
  }
}

extension WindowAxis {
  /// From the first window's begin to the last one's end; what the input has beyond is copied too.
  var paddedSize: Int { max(padBegin &+ input, (output &- 1) &* stride &+ extent) }

  /// Refuses a padded copy that no machine holds: its size is computed without care for overflow.
  static func checkCopy(_ axes: [WindowAxis], images: Int, pixelBytes: Int) throws(DLRTError) {
    var total = max(images, 1)
    for factor in axes.map(\.paddedSize) + [pixelBytes] {
      let (product, overflow) = total.multipliedReportingOverflow(by: max(factor, 1))
      guard !overflow, product < 1 << 47 else {
        throw DLRTError(.limitExceeded, "the padded image is too large", got: "\(axes.map(\.paddedSize)) pixels")
      }
      total = product
    }
  }

  /// The same windows over an input of `size` that holds its padding.
  func inside(_ size: Int) -> WindowAxis {
    WindowAxis(
      input: size, output: output, kernel: kernel, stride: stride, dilation: dilation, padBegin: 0, padEnd: 0)
  }
}
