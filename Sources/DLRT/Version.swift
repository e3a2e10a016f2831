import DLRTKernels

/// What this build of dlrt is.
public enum Version {
  public static let major = 0
  public static let minor = 1
  public static let patch = 0
  public static let text = "\(major).\(minor).\(patch)"

  /// The instruction-set level whose kernels run: `baseline`, `avx2`, `avx512` or `avx512vnni`.
  public static var instructionSet: String { KernelLibrary.active.name }
}
