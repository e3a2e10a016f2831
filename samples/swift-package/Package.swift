// swift-tools-version: 6.2
import PackageDescription

/// The repository that this package lies in; or, as a package anywhere else has it, a version from a repository's tags.
let dlrt: Package.Dependency =
  if let repository = Context.environment["DLRT_REPOSITORY"] {
    .package(url: repository, from: "0.1.0")
  } else {
    .package(name: "dlrt", path: "../..")
  }

let package = Package(
  name: "read-digit",
  dependencies: [dlrt],
  targets: [
    .executableTarget(name: "read-digit", dependencies: [.product(name: "DLRT", package: "dlrt")])
  ]
)
