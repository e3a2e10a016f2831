import CKernelSupport
import DLRTKernels
import Glibc
import Testing

/// A random recurrent layer's step.
private struct StepCase {
  let batch, hidden, gates: Int
  let projected, weights, h, state, peepholes, bias: Guarded<Float>
  let packed: Guarded<Float>

  init(_ random: inout SeededGenerator, gates: Int, _ kernels: Kernels) {
    (batch, hidden) = (random.pick([1, 1, 2, 3, 4, 7]), random.pick([1, 3, 4, 15, 16, 17, 32, 40, 64, 96, 130]))
    self.gates = gates
    projected = Guarded(random: batch * gates * hidden, &random)
    weights = Guarded(random: gates * hidden * hidden, &random)
    h = Guarded(random: batch * hidden, &random)
    state = Guarded(random: batch * hidden, &random)
    peepholes = Guarded(random: 3 * hidden, &random)
    bias = Guarded(random: hidden, &random)
    packed = Guarded(Int(kernels.pointee.packed_recurrent_floats(Int64(gates), Int64(hidden), Int64(hidden)))) { _ in
      .nan
    }
    var pack = dlk_pack_recurrent_args(
      source: weights.pointer, gates: Int64(gates), hidden: Int64(hidden), k: Int64(hidden),
      gate_stride: Int64(hidden * hidden), unit_stride: Int64(hidden), k_stride: 1, packed: packed.base)
    kernels.pointee.pack_recurrent(&pack, 0, panels(kernels))
  }

  func panels(_ kernels: Kernels) -> Int64 {
    let width = Int64(kernels.pointee.vector_floats)
    return (Int64(hidden) + width - 1) / width
  }

  func arguments(_ out: Guarded<Float>) -> dlk_recurrent_args {
    var args = dlk_recurrent_args()
    (args.batch, args.hidden) = (Int64(batch), Int64(hidden))
    (args.gates, args.gates_row_stride) = (projected.pointer, Int64(gates * hidden))
    (args.weights, args.h, args.h_row_stride) = (packed.pointer, h.pointer, Int64(hidden))
    (args.out, args.out_row_stride) = (out.base, Int64(hidden))
    (args.c, args.c_row_stride) = (state.base, Int64(hidden))
    return args
  }

  /// h · R for one gate of one unit.
  func recurrent(_ item: Int, _ gate: Int, _ unit: Int) -> Double {
    (0..<hidden).reduce(0.0) {
      $0 + Double(h[item * hidden + $1]) * Double(weights[(gate * hidden + unit) * hidden + $1])
    }
  }

  func projected(_ item: Int, _ gate: Int, _ unit: Int) -> Double {
    Double(projected[(item * gates + gate) * hidden + unit])
  }
}

/// A step of part of the panels; at random in a whole, or begun before the second half of h is known.
private func take(
  _ step: (UnsafePointer<dlk_recurrent_args>, Int64, Int64) -> Void, _ args: dlk_recurrent_args, _ test: StepCase,
  _ panels: Range<Int64>, middle: Int64, _ random: inout SeededGenerator, _ kernels: Kernels
) {
  var args = args
  let vector = Int(kernels.pointee.vector_floats), pairs = Int(panels.upperBound - panels.lowerBound) / 2
  let sums = Guarded<Float>(max(1, pairs * 2 * test.gates * vector)) { _ in .nan }
  args.middle = middle
  if random.int(0...2) > 0 && (panels.upperBound <= middle || panels.lowerBound >= middle) {
    (args.begun, args.begins, args.sums) = (Int64(random.int(0...pairs)), 1, sums.base)
    let own = panels.upperBound <= middle ? 0..<Int(middle) * vector : Int(middle) * vector..<test.hidden
    let known = Guarded<Float>(test.batch * test.hidden) { own.contains($0 % test.hidden) ? test.h[$0] : .nan }
    args.h = known.pointer
    step(&args, panels.lowerBound, panels.upperBound)
    (args.begins, args.h) = (0, test.h.pointer)
  }
  step(&args, panels.lowerBound, panels.upperBound)
}

private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

@Suite struct RecurrentTests {
  @Test(arguments: KernelLibrary.available)
  func lstmStepMatchesNaive(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<120 {
      var random = SeededGenerator(seed)
      let test = StepCase(&random, gates: 4, kernels)
      let out = Guarded<Float>(test.batch * test.hidden) { _ in -77 }, old = test.state.array
      var args = test.arguments(out)
      let peeps = random.int(0...1) == 1
      if peeps { args.peepholes = test.peepholes.pointer }
      (args.fetches, args.descending) = (Int32(random.int(0...1)), Int32(random.int(0...1)))
      let middle = Int64(random.int(0...Int(test.panels(kernels))))
      take(kernels.pointee.lstm_step, args, test, 0..<middle, middle: middle, &random, kernels)
      take(kernels.pointee.lstm_step, args, test, middle..<test.panels(kernels), middle: middle, &random, kernels)
      for item in 0..<test.batch {
        for unit in 0..<test.hidden {
          var g = (0..<4).map { test.projected(item, $0, unit) + test.recurrent(item, $0, unit) }
          let c = Double(old[item * test.hidden + unit])
          func peephole(_ gate: Int) -> Double { peeps ? Double(test.peepholes[gate * test.hidden + unit]) : 0 }
          g[0] += peephole(0) * c
          g[2] += peephole(2) * c
          let new = sigmoid(g[2]) * c + sigmoid(g[0]) * tanh(g[3])
          let value = sigmoid(g[1] + peephole(1) * new) * tanh(new)
          let place = item * test.hidden + unit
          if !(abs(Double(out[place]) - value) < 1e-5 && abs(Double(test.state[place]) - new) < 1e-5) {
            Issue.record("seed \(seed), batch \(test.batch), hidden \(test.hidden): item \(item), unit \(unit)")
            return
          }
        }
      }
    }
  }

  @Test(arguments: KernelLibrary.available)
  func gruStepMatchesNaive(isa: ISA) {
    let kernels = KernelLibrary.table(for: isa)
    for seed in 0..<120 {
      var random = SeededGenerator(seed)
      let test = StepCase(&random, gates: 3, kernels)
      let out = Guarded<Float>(test.batch * test.hidden) { _ in -77 }
      var args = test.arguments(out)
      let biased = random.int(0...1) == 1
      if biased { args.recurrent_bias = test.bias.pointer }
      (args.fetches, args.descending) = (Int32(random.int(0...1)), Int32(random.int(0...1)))
      let middle = Int64(random.int(0...Int(test.panels(kernels))))
      take(kernels.pointee.gru_step, args, test, 0..<middle, middle: middle, &random, kernels)
      take(kernels.pointee.gru_step, args, test, middle..<test.panels(kernels), middle: middle, &random, kernels)
      for item in 0..<test.batch {
        for unit in 0..<test.hidden {
          let z = sigmoid(test.projected(item, 0, unit) + test.recurrent(item, 0, unit))
          let r = sigmoid(test.projected(item, 1, unit) + test.recurrent(item, 1, unit))
          let inner = test.recurrent(item, 2, unit) + (biased ? Double(test.bias[unit]) : 0)
          let n = tanh(test.projected(item, 2, unit) + r * inner)
          let place = item * test.hidden + unit
          let value = (1 - z) * n + z * Double(test.h[place])
          if !(abs(Double(out[place]) - value) < 1e-5) {
            Issue.record("seed \(seed), batch \(test.batch), hidden \(test.hidden): item \(item), unit \(unit)")
            return
          }
        }
      }
    }
  }
}
