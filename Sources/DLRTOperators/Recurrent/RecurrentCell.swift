import DLRTGraph

/// What RNN, GRU and LSTM differ in: how gates become the next state.
protocol RecurrentCell: Sendable {
  /// Gates whose products with the state the cell asks for together, in order.
  var parts: [Range<Int>] { get }
  /// Scratch rows of hidden size that a sequence needs.
  var scratchRows: Int { get }
  /// Whether a gate's recurrent bias is added by the cell and not together with the input's projection.
  func keepsRecurrentBias(gate: Int) -> Bool
  /// The kernel that does a whole step with the standard's default functions, if there is one.
  var kernel: RecurrentKernel.Cell? { get }
  /// - Parameter accumulate: adds rows · weights of a part to rows of results, whose distance comes last.
  func step<T: RealElement>(_ step: RecurrentStep<T>, _ accumulate: RecurrentStep<T>.Product)
}

/// One step of all sequences in one direction.
struct RecurrentStep<T: RealElement> {
  typealias Product = (
    _ part: Int, _ rows: UnsafePointer<T>, _ results: UnsafeMutablePointer<T>, _ distance: Int
  ) -> Void

  let batch: Int
  let hidden: Int
  let activations: [GateActivation]
  let clip: Float?
  let kernels: KernelSet
  /// The inputs' projections with biases, [batch][gates][hidden]; the cell works in them.
  let gates: UnsafeMutablePointer<T>
  let width: Int
  /// Biases of the recurrent products, [gates][hidden].
  let recurrentBias: UnsafePointer<T>?
  let peepholes: UnsafePointer<T>?
  /// States, [batch][hidden].
  let h: UnsafeMutablePointer<T>
  let c: UnsafeMutablePointer<T>
  /// [batch][scratchRows][hidden].
  let scratch: UnsafeMutablePointer<T>
  /// The length of each sequence, if they differ; shorter ones keep their state.
  let lengths: UnsafePointer<Int32>?
  let index: Int
  func isActive(_ sequence: Int) -> Bool { lengths.map { index < Int($0[sequence]) } ?? true }

  /// Applies a function to gates, which `clip` bounds first.
  @inline(__always)
  func activate(_ function: Int, _ gates: UnsafeMutablePointer<T>, _ count: Int) {
    activations[function].apply(gates, count, clip: clip, kernels)
  }
}
