import DLRTGraph
import DLRTOperators

/// One rewriting of a program into a better one with the same results.
package protocol Pass: Sendable {
  var name: String { get }
  /// Whether one change may make room for the next, so that the pass looks again at once.
  var repeats: Bool { get }
  /// What to change; empty where there is nothing to do.
  func patch(for program: Program, environment: PlanEnvironment) throws -> GraphPatch
}

/// Enough for what chains of nodes that networks have take, each turn looking at the whole graph.
private let mostTurns = 64

extension Pass {
  package var repeats: Bool { false }

  /// Whether it changed anything. By then nobody else holds the program, which therefore changes where it is.
  fileprivate func run(on program: inout Program, environment: PlanEnvironment) throws -> Bool {
    for turn in 0..<(repeats ? mostTurns : 1) {
      let patch = try patch(for: program, environment: environment)
      if patch.isEmpty { return turn > 0 }
      try program.apply(patch)
    }
    return true
  }
}

/// Runs passes over a program, one after the other and then again from the first, until none of them changes anything.
package struct PassManager: Sendable {
  package let passes: [any Pass]
  /// Checks the graph after each pass; tests set it.
  package let verifies: Bool

  package init(_ passes: [any Pass], verifies: Bool = false) {
    self.passes = passes
    self.verifies = verifies
  }

  /// Enough for every chain of passes that enable each other; a pair that undo each other stops here.
  private static let mostRounds = 8

  package func run(on program: inout Program, environment: PlanEnvironment) throws {
    // How many passes in a row found nothing to do.
    var idle = 0
    for _ in 0..<Self.mostRounds {
      for pass in passes {
        if try pass.run(on: &program, environment: environment) {
          idle = 0
          if verifies { try GraphVerifier.verify(program.graph) }
        } else {
          idle += 1
        }
        if idle == passes.count { return }
      }
    }
  }
}

extension PassManager {
  /// What every program goes through.
  package static let standard = PassManager([
    RecognizeQuantization(),
    FoldConstants(),
    EliminateNoOps(),
    MergeDuplicates(),
    ReadThroughExpands(),
    RecognizeActivations(),
    RecognizeNormalizations(),
    RecognizeGroupNormalization(),
    LowerEinsum(),
    SimplifyTransposes(),
    RecognizeAttention(),
    FuseMatMul(),
    SinkThroughConcat(),
    MergeConvolutions(),
    FoldChannelAffine(),
    FoldPadding(),
    TrimWindows(),
    ChannelsLast(),
    FuseConvolution(),
    FuseChannelScale(),
    FusePooling(),
    FuseDepthwiseBlock(),
    FuseElementwise(),
  ])

  /// What `--no-optimize` leaves: nothing, so that results can be compared.
  package static let none = PassManager([])
}
