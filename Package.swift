// swift-tools-version: 6.2
import PackageDescription

/// One kernel text, compiled once per instruction set: each target's `shared` folder links to `Sources/KernelSource`.
/// `only` names the files of it that a set of few new instructions is for.
/// `-Ounchecked` and whole-module compilation hold in debug builds too, so that tests run kernels at full speed; the
/// unrolling limit is what keeps the sums of the largest tiles in registers.
func kernels(_ name: String, define: String, _ machine: [String], only: [String] = []) -> Target {
  .target(
    name: name,
    dependencies: ["CKernelSupport"],
    sources: only.isEmpty ? nil : ["Entries.swift"] + only.map { "shared/\($0).swift" },
    swiftSettings: [
      .define(define),
      .unsafeFlags(
        ["-Ounchecked", "-Xfrontend", "-function-sections", "-Xllvm", "-unroll-threshold=4000"]
          + machine.flatMap { ["-Xcc", $0] }),
      .unsafeFlags(["-wmo", "-num-threads", "1", "-disable-batch-mode"], .when(configuration: .debug)),
    ],
    linkerSettings: [.linkedLibrary("m")])
}

/// A room of the engine.
func room(_ name: String, _ dependencies: [Target.Dependency] = [], _ settings: [SwiftSetting]? = nil) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings ?? lean)
}

/// What keeps libdlrt.so small. The code outside of kernels is many types' and runs once a step, so size comes first;
/// functions in sections of their own let the linker (scripts/link-library.sh) drop and merge; and without the implicit
/// import of string processing no stray `contains("text")` brings in 1.3 MB of regular expressions.
let lean: [SwiftSetting] = [
  .unsafeFlags(["-Osize", "-Xfrontend", "-function-sections"], .when(configuration: .release)),
  .unsafeFlags(["-Xfrontend", "-disable-implicit-string-processing-module-import"]),
]

/// Without descriptions of fields and of what closures hold, which are for debuggers, and for printing types that say
/// nothing of themselves: none are printed here.
let undescribed: [SwiftSetting] = lean + [.unsafeFlags(["-Xfrontend", "-disable-reflection-metadata"])]

/// What keeps the command's own pages few: relative relocations packed (they are read at each start), equal functions
/// merged, and no table of names, since plugins get what they call by address.
let lightLink = [
  "-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs", "-Xlinker", "--icf=all",
  "-Xlinker", "--no-export-dynamic",
]

let wide = ["-march=x86-64-v4", "-mprefer-vector-width=512"]

let package = Package(
  name: "dlrt",
  products: [
    .library(name: "DLRT", targets: ["DLRT"]),
    .library(name: "DLRTC", type: .dynamic, targets: ["DLRTC"]),
    .executable(name: "dlrt", targets: ["dlrt"]),
  ],
  targets: [
    // The wire format: the only target that sees protobuf.
    .target(
      name: "COnnx",
      linkerSettings: [.linkedLibrary("onnx_proto"), .linkedLibrary("protobuf")]),

    // Kernels, one module per instruction set.
    .target(name: "CKernelSupport"),
    kernels("KernelsBaseline", define: "DL_BASELINE", []),
    kernels("KernelsAVX2", define: "DL_AVX2", ["-march=x86-64-v3"]),
    kernels("KernelsAVX512", define: "DL_AVX512", wide),
    kernels(
      "KernelsAVX512VNNI", define: "DL_AVX512", wide + ["-mavx512vnni"],
      only: ["ByteConvolution", "ByteDepthwise", "Enumerations", "Product", "RowSource", "Vector", "WindowRows"]),
    .target(
      name: "DLRTKernels",
      dependencies: ["CKernelSupport", "KernelsBaseline", "KernelsAVX2", "KernelsAVX512", "KernelsAVX512VNNI"]),

    // The engine, lowest room first.
    room("DLRTGraph"),
    room("DLRTParallel", ["CKernelSupport"]),
    // Loads the system's image libraries when they are needed, so that nothing depends on them.
    .target(name: "CImageCodecs"),
    room("DLRTOperators", ["CImageCodecs", "DLRTGraph", "DLRTKernels", "DLRTParallel"], undescribed),
    room("DLRTOnnx", ["COnnx", "DLRTGraph", "DLRTOperators"]),
    room("DLRTCompiler", ["CKernelSupport", "DLRTGraph", "DLRTOperators", "DLRTParallel"]),
    room("DLRT", ["DLRTGraph", "DLRTKernels", "DLRTOperators", "DLRTOnnx", "DLRTCompiler", "DLRTParallel"]),

    // Faces.
    .systemLibrary(name: "CDLRT", path: "include"),
    room("DLRTPlugin", ["CDLRT", "DLRT", "DLRTGraph", "DLRTOperators", "DLRTParallel"]),
    .target(name: "DLRTC", dependencies: ["CDLRT", "DLRT", "DLRTPlugin"], exclude: ["dlrt.map"], swiftSettings: lean),
    .target(
      name: "CFileFormats",
      linkerSettings: [
        .linkedLibrary("png"), .linkedLibrary("turbojpeg"), .linkedLibrary("z"), .linkedLibrary("jansson"),
      ]),
    .target(name: "DLRTFiles", dependencies: ["DLRT", "DLRTGraph", "DLRTOperators", "DLRTOnnx", "CFileFormats"]),
    .executableTarget(
      name: "dlrt",
      dependencies: ["DLRT", "DLRTFiles", "DLRTGraph", "DLRTKernels", "DLRTOnnx", "DLRTOperators", "DLRTPlugin"],
      linkerSettings: [.unsafeFlags(lightLink, .when(configuration: .release))]),

    .executableTarget(
      name: "kernel-bench", dependencies: ["DLRTKernels", "CKernelSupport"], path: "Benchmarks/kernel-bench"),

    // Tests mirror Sources.
    .target(
      name: "DLRTTestSupport", dependencies: ["DLRT", "DLRTFiles", "DLRTGraph", "DLRTOnnx", "DLRTOperators"],
      path: "Tests/DLRTTestSupport"),
    .testTarget(name: "CFileFormatsTests", dependencies: ["CFileFormats"]),
    .testTarget(name: "DLRTKernelsTests", dependencies: ["DLRTKernels", "CKernelSupport"]),
    .testTarget(name: "DLRTGraphTests", dependencies: ["DLRTGraph"]),
    .testTarget(name: "DLRTOnnxTests", dependencies: ["DLRTOnnx", "DLRTTestSupport"]),
    .testTarget(name: "DLRTOperatorsTests", dependencies: ["DLRTOperators", "DLRTTestSupport"]),
    .testTarget(name: "DLRTCompilerTests", dependencies: ["DLRTCompiler", "DLRTFiles", "DLRTTestSupport"]),
    .target(name: "CAllocationProbe", path: "Tests/CAllocationProbe"),
    .executableTarget(
      name: "allocation-check", dependencies: ["CAllocationProbe", "DLRT", "DLRTTestSupport"],
      path: "Tests/allocation-check"),
    .testTarget(
      name: "DLRTTests",
      dependencies: ["CAllocationProbe", "CKernelSupport", "DLRT", "DLRTParallel", "DLRTTestSupport"]),
    .testTarget(name: "DLRTFilesTests", dependencies: ["CFileFormats", "DLRTFiles", "DLRTTestSupport"]),
    .testTarget(name: "dlrtTests", dependencies: ["dlrt", "DLRT", "DLRTFiles", "DLRTTestSupport"]),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
