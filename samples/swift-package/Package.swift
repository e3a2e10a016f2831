// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "read-digit",
  dependencies: [
    // A package outside of this repository says instead: .package(url: "https://…/dlrt.git", from: "0.1.0")
    .package(name: "dlrt", path: "../..")
  ],
  targets: [
    .executableTarget(name: "read-digit", dependencies: [.product(name: "DLRT", package: "dlrt")])
  ]
)
