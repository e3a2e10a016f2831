import CKernelSupport
import DLRTGraph

// Y's greatest of each 2 × 2 pixels, made with Y: the tiles of Winograd's method hold such squares as a whole.

extension ConvNHWC {
  /// Whether the step for X[N, C, H, W] with constant weights of these sizes is one that makes `pooled` on the way.
  package func makesPooled(_ x: [Int], _ weights: [Int], _ environment: PlanEnvironment) -> Bool {
    guard !isInputChannelsFirst, x.count == 4, x[1] > Self.fewChannels,
      let problem = try? attributes.problem(x: x, w: weights), Self.mayPool(problem)
    else { return false }
    return WinogradChoice.tile(for: problem, joinsGroups: false, isa: environment.kernels.isa) != nil
  }

  /// Whether it can be made at all, be it the fastest way or not.
  static func mayPool(_ problem: ConvolutionProblem) -> Bool {
    let axes = problem.geometry.axes
    return problem.groups == 1 && axes.count == 2
      && axes.allSatisfy { $0.kernel == 3 && $0.stride == 1 && $0.dilation == 1 }
  }

  /// `pooled` for Y[N, H′, W′, M].
  func pooledShape(_ y: Shape) throws(DLRTError) -> Shape {
    guard y.rank == 4 else {
      throw DLRTError(.invalidModel, "pixels of planes alone are pooled", expected: "rank 4", got: "\(y)")
    }
    for axis in 1...2 where y[axis].value ?? 2 < 2 {
      throw DLRTError(
        .invalidModel, "the window is larger than the image", expected: "at least 2 × 2 pixels", got: "\(y)")
    }
    return Shape([y[0], y[1] / .known(2), y[2] / .known(2), y[3]])
  }
}

extension PoolNHWC {
  /// Whether the pool is ConvNHWC's `pooled` whatever the image's size: the greatest of squares of two pixels a side that
  /// neither overlap nor are padded, without what an odd size leaves over.
  package var halves: Bool {
    let window = pool.window
    guard pooling == DLK_POOL_MAX, pool.kernel == [2, 2], !pool.ceil,
      window.autoPad == .explicit || window.autoPad == .valid
    else { return false }
    return (0..<2).allSatisfy {
      window.stride($0) == 2 && window.dilation($0) == 1 && (window.autoPad == .valid || window.pads($0) == (0, 0))
    }
  }
}
