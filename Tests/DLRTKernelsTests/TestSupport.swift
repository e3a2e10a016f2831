import CKernelSupport
import DLRTKernels
import Glibc
import Testing

typealias Kernels = UnsafePointer<dlk_kernel_table>

/// Calls `body` with every table that this machine can run.
func forEachTable(_ body: (Kernels, String) -> Void) {
  for isa in KernelLibrary.available { body(KernelLibrary.table(for: isa), isa.name) }
}

/// A small seeded generator; tests print its seed when they fail.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  init(_ seed: Int) { state = UInt64(truncatingIfNeeded: seed) &* 0x9e37_79b9_7f4a_7c15 &+ 1 }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func float() -> Float { Float.random(in: -1...1, using: &self) }
  mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
  mutating func pick<T>(_ choices: [T]) -> T { choices[int(0...choices.count - 1)] }
}

/// Memory with an unreadable page right behind its last element (or right before its first), so that a kernel that
/// strays is stopped on the spot.
final class Guarded<Element: BitwiseCopyable> {
  enum Fence { case before, behind }

  let base: UnsafeMutablePointer<Element>
  let count: Int
  private let mapping: UnsafeMutableRawPointer
  private let mappedBytes: Int

  init(_ count: Int, fence: Fence = .behind, offset: Int = 0, _ value: (Int) -> Element) {
    let page = 4096, bytes = count * MemoryLayout<Element>.stride + offset
    let room = max(page, (bytes + page - 1) / page * page)
    mappedBytes = room + 2 * page
    mapping = mmap(nil, mappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
    mprotect(mapping, page, PROT_NONE)
    mprotect(mapping + page + room, page, PROT_NONE)
    let start = fence == .before ? mapping + page + offset : mapping + page + room - bytes
    base = UnsafeMutableRawPointer(start).assumingMemoryBound(to: Element.self)
    self.count = count
    for i in 0..<count { store(value(i), i) }
  }

  deinit { munmap(mapping, mappedBytes) }

  func store(_ value: Element, _ i: Int) {
    UnsafeMutableRawPointer(base).storeBytes(
      of: value, toByteOffset: i * MemoryLayout<Element>.stride, as: Element.self)
  }

  subscript(i: Int) -> Element {
    UnsafeRawPointer(base).loadUnaligned(fromByteOffset: i * MemoryLayout<Element>.stride, as: Element.self)
  }

  var pointer: UnsafePointer<Element> { UnsafePointer(base) }
  var array: [Element] { (0..<count).map { self[$0] } }
}

extension Guarded where Element == Float {
  convenience init(random count: Int, _ generator: inout SeededGenerator, offset: Int = 0) {
    var copy = generator
    let fence: Fence = copy.int(0...1) == 0 ? .before : .behind
    self.init(count, fence: fence, offset: offset) { _ in copy.float() }
    generator = copy
  }

  convenience init(_ values: [Float]) { self.init(values.count) { values[$0] } }
}

/// The exact value of a unary function, computed in double precision.
func exact(_ function: dlk_unary, _ a: Float, _ b: Float, _ input: Float) -> Double {
  let x = Double(input), a = Double(a), b = Double(b)
  if x.isNaN { return function == DLK_UNARY_SHRINK || function == DLK_UNARY_THRESHOLDED_RELU ? 0 : x }
  func elu(_ x: Double) -> Double { x < 0 ? expm1(x) : x }
  func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }
  switch function {
  case DLK_UNARY_IDENTITY: return x
  case DLK_UNARY_AFFINE: return a * x + b
  case DLK_UNARY_ABS: return abs(x)
  case DLK_UNARY_NEGATE: return -x
  case DLK_UNARY_SIGN: return x == 0 ? x : (x > 0 ? 1 : -1)
  case DLK_UNARY_SQUARE: return x * x
  case DLK_UNARY_SQRT: return x.squareRoot()
  case DLK_UNARY_RECIPROCAL: return 1 / x
  case DLK_UNARY_RSQRT: return 1 / x.squareRoot()
  case DLK_UNARY_FLOOR: return x.rounded(.down)
  case DLK_UNARY_CEIL: return x.rounded(.up)
  case DLK_UNARY_ROUND: return x.rounded(.toNearestOrEven)
  case DLK_UNARY_EXP: return exp(x)
  case DLK_UNARY_LOG: return log(x)
  case DLK_UNARY_SIN: return sin(x)
  case DLK_UNARY_COS: return cos(x)
  case DLK_UNARY_TANH: return tanh(x)
  case DLK_UNARY_ERF: return erf(x)
  case DLK_UNARY_SIGMOID: return 1 / (1 + exp(-x))
  case DLK_UNARY_RELU: return max(x, 0)
  case DLK_UNARY_CLIP: return min(max(x, a), b)
  case DLK_UNARY_LEAKY_RELU: return x < 0 ? a * x : x
  case DLK_UNARY_THRESHOLDED_RELU: return x > a ? x : 0
  case DLK_UNARY_ELU: return x < 0 ? a * elu(x) : x
  case DLK_UNARY_SELU: return b * (x < 0 ? a * elu(x) : x)
  case DLK_UNARY_CELU: return x < 0 ? a * elu(x / a) : x
  case DLK_UNARY_SOFTPLUS: return softplus(x)
  case DLK_UNARY_SOFTSIGN: return x.isInfinite ? (x > 0 ? 1 : -1) : x / (1 + abs(x))
  case DLK_UNARY_MISH: return x == -.infinity ? 0 : x * tanh(softplus(x))
  case DLK_UNARY_HARD_SIGMOID: return min(max(a * x + b, 0), 1)
  case DLK_UNARY_HARD_SWISH: return x <= -3 ? 0 : x * min(max(x / 6 + 0.5, 0), 1)
  case DLK_UNARY_SILU: return x == -.infinity ? 0 : x / (1 + exp(-a * x))
  case DLK_UNARY_GELU_ERF: return x == -.infinity ? 0 : 0.5 * x * erfc(-x / 2.0.squareRoot())
  case DLK_UNARY_GELU_TANH:
    let u = (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)
    return x == -.infinity ? 0 : x / (1 + exp(-2 * u))
  case DLK_UNARY_TAN: return tan(x)
  case DLK_UNARY_ASIN: return asin(x)
  case DLK_UNARY_ACOS: return acos(x)
  case DLK_UNARY_ATAN: return atan(x)
  case DLK_UNARY_SINH: return sinh(x)
  case DLK_UNARY_COSH: return cosh(x)
  case DLK_UNARY_ASINH: return asinh(x)
  case DLK_UNARY_ACOSH: return acosh(x)
  case DLK_UNARY_ATANH: return atanh(x)
  case DLK_UNARY_SHRINK: return x < -a ? x + b : x > a ? x - b : 0
  default: return .nan
  }
}
