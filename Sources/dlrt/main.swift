import Glibc

let outcome = Main.run(Array(CommandLine.arguments.dropFirst()))
exit(outcome.rawValue)
