import DLRTGraph
import DLRTOperators

/// One rewriting of a program into a better one with the same results.
package protocol Pass: Sendable {
  var name: String { get }
  /// Changes the program through patches; returns whether it changed anything.
  func run(on program: inout Program, environment: PlanEnvironment) throws -> Bool
}

/// Runs passes over a program until nothing changes.
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
    for _ in 0..<Self.mostRounds {
      var changed = false
      for pass in passes {
        if try pass.run(on: &program, environment: environment) {
          changed = true
          if verifies { try GraphVerifier.verify(program.graph) }
        }
      }
      if !changed { return }
    }
  }
}

extension PassManager {
  /// What every program goes through.
  package static let standard = PassManager([
    FoldConstants(),
    EliminateNoOps(),
    MergeDuplicates(),
    RecognizeActivations(),
    RecognizeNormalizations(),
    RecognizeAttention(),
    FuseMatMul(),
    FoldChannelAffine(),
    ChannelsLast(),
    FuseConvolution(),
    FuseDepthwiseBlock(),
    FuseElementwise(),
  ])

  /// What `--no-optimize` leaves: nothing, so that results can be compared.
  package static let none = PassManager([])
}
