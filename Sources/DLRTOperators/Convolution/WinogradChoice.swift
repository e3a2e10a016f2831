import DLRTKernels

/// The rule of cost that says where Winograd's method pays (Lavin and Gray 2015, "Fast algorithms for convolutional
/// neural networks").
///
/// Costs are in multiplications and additions of the direct way. They are those of one image: the weights' form, and the
/// last bits of a result, shall not depend on how many are in a batch.
enum WinogradChoice {
  /// What one tile costs beside the products, for each channel of the input or the output: loads, stores and the
  /// transforms' own arithmetic. Groups that the direct way takes together are done one by one.
  private static func transformCost(_ tile: Int, joinsGroups: Bool) -> Double {
    (tile == 6 ? 1950 : tile == 4 ? 900 : 400) * (joinsGroups ? 1.5 : 1)
  }

  /// A byte of weights on its way from beyond the second-level cache. Few are a small network's, which is likely to stay
  /// in the next one as a whole.
  private static func byteCost(_ bytes: Double, waits: Bool) -> Double { waits ? (bytes > 4e6 ? 14 : 8) : 5 }

  /// The tile's outputs along each side, or nil where the direct way costs less.
  ///
  /// - Parameters:
  ///   - joinsGroups: whether the direct way takes groups together.
  ///   - isa: with AVX-512, tiles of six have not been measured.
  ///   - waits: whether memory is slow beside arithmetic.
  static func tile(
    for problem: ConvolutionProblem, joinsGroups: Bool, isa: ISA, waits: Bool = KernelLibrary.waitsForMemory
  ) -> Int? {
    let axes = problem.geometry.axes
    let plane = axes.suffix(2)
    guard (2...3).contains(axes.count), plane.allSatisfy({ $0.kernel == 3 && $0.stride == 1 && $0.dilation == 1 })
    else { return nil }
    let depth = axes.count == 3 ? axes[0] : .single
    let pairs = Double(problem.inputChannels) * Double(problem.outputChannels) * Double(depth.kernel)
    // Vectors are whole, whatever part of them a channel fills.
    let vectors =
      Double(((problem.inputChannels + 15) & ~15) * depth.kernel) + Double((problem.outputChannels + 15) & ~15)
    let byteCost = byteCost(144 * pairs * Double(problem.groups), waits: waits)
    var best: Int?
    var least = max(18 * Double(problem.geometry.outputSize) * pairs, 36 * pairs * byteCost)
    // Seven times the memory of plain weights counts little beside a large image.
    let imageBytes = 4 * Double(problem.geometry.outputSize) * Double(problem.outputChannels)
    let allowsSix = isa < .avx512 && 256 * pairs <= imageBytes / 4
    for tile in allowsSix ? [2, 4, 6] : [2, 4] {
      let tiles = plane.reduce(Double(depth.output)) { $0 * Double(($1.output + tile - 1) / tile) }
      let points = Double((tile + 2) * (tile + 2))
      let products = max(2 * points * tiles * pairs, 4 * points * pairs * byteCost)
      let cost = products + transformCost(tile, joinsGroups: joinsGroups) * tiles * vectors
      if cost < least { (best, least) = (tile, cost) }
    }
    return best
  }
}
