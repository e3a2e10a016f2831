import Glibc

/// Seconds of a clock that never goes back.
enum Clock {
  static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}

/// What the system says of this process.
enum Process {
  /// The most memory that was resident at once, in bytes. `VmHWM`, since `ru_maxrss` is inherited over fork and exec.
  static var peakMemory: Double {
    guard let file = fopen("/proc/self/status", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      guard text.hasPrefix("VmHWM:") else { continue }
      let kilobytes = text.split(whereSeparator: { " \t".contains($0) }).dropFirst().first.flatMap { Double($0) }
      return (kilobytes ?? 0) * 1024
    }
    return 0
  }
}
