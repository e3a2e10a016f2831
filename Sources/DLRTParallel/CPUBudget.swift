import CKernelSupport
import Glibc

/// How many threads make sense for this process: the CPUs it may run on, bounded by its control group's quota.
package enum CPUBudget {
  package static let threads: Int = max(1, min(affinity(), quota() ?? Int.max))

  private static func affinity() -> Int {
    let count = Int(dlk_affinity_count())
    return count > 0 ? count : max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
  }

  /// CPUs that the cgroup's `cpu.max` (v2) or `cpu.cfs_quota_us` (v1) grants, rounded up.
  private static func quota() -> Int? {
    var result: Int?
    func note(_ quota: Int, _ period: Int) {
      guard quota > 0, period > 0 else { return }
      let (sum, overflow) = quota.addingReportingOverflow(period - 1)
      if !overflow { result = min(result ?? Int.max, max(1, sum / period)) }
    }
    if let path = groupPath() {
      // Every ancestor's limit holds too.
      var parts = path.split(separator: "/")
      while true {
        let folder = "/sys/fs/cgroup/" + parts.joined(separator: "/")
        if let words = readLine(of: folder + "/cpu.max")?.split(separator: " "), words.count == 2,
          let quota = Int(words[0]), let period = Int(words[1])
        {
          note(quota, period)
        }
        if parts.isEmpty { break }
        parts.removeLast()
      }
    }
    let v1 = "/sys/fs/cgroup/cpu/"
    if let quota = readLine(of: v1 + "cpu.cfs_quota_us").flatMap({ Int($0) }),
      let period = readLine(of: v1 + "cpu.cfs_period_us").flatMap({ Int($0) })
    {
      note(quota, period)
    }
    return result
  }

  private static func groupPath() -> String? {
    guard let line = readLine(of: "/proc/self/cgroup"), line.hasPrefix("0::") else { return nil }
    return String(line.dropFirst(3))
  }

  private static func readLine(of path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = read(descriptor, &buffer, buffer.count)
    guard count > 0 else { return nil }
    return String(decoding: buffer[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }
}
