import DLRTGraph

/// com.microsoft MurmurHash3 (1): the 32-bit hash (Austin Appleby, MurmurHash3_x86_32) of each element's bytes, as uint32 or,
/// where `positive` is 0, int32.
package struct MurmurHash3: Operator {
  package static let schema = OperatorSchema.microsoft(
    "MurmurHash3", [("X", "T1")], [("Y", "T2")],
    [
      "T1": TypeSet(.int32, .uint32, .int64, .uint64, .float32, .float64, .string),
      "T2": TypeSet(.int32, .uint32),
    ])

  private let seed: UInt32
  private let type: DataType

  package init(_ attributes: inout AttributeReader) throws {
    seed = UInt32(truncatingIfNeeded: try attributes.int("seed", default: 0))
    type = try attributes.flag("positive", default: true) ? .uint32 : .int32
  }

  package func infer(_ inference: inout Inference) throws {
    inference.setType(0, type)
    inference.set(0, type, try inference.shape(0))
  }

  package func plan(_ planning: inout Planning) throws -> Step {
    let count = planning.input(0).count
    let (size, isText, seed) = (planning.type(0).size, planning.type(0) == .string, seed)
    return Step(kernel: "hash") { io in
      let y = io.output(0, as: UInt32.self)
      for index in 0..<count {
        if isText {
          let bytes = io.input(0, as: StringRef.self)[index].bytes
          y[index] = Self.hash(bytes.baseAddress.map { UnsafeRawPointer($0) }, bytes.count, seed)
        } else {
          y[index] = Self.hash(io.input(0) + index &* size, size, seed)
        }
      }
    }
  }

  private static func hash(_ bytes: UnsafeRawPointer?, _ count: Int, _ seed: UInt32) -> UInt32 {
    var hash = seed
    if let bytes {
      for block in 0..<count / 4 {
        hash ^= scrambled(bytes.loadUnaligned(fromByteOffset: block &* 4, as: UInt32.self))
        hash = rotated(hash, 13) &* 5 &+ 0xe654_6b64
      }
      var tail: UInt32 = 0
      for index in (count & ~3..<count).reversed() {
        tail = tail << 8 | UInt32(bytes.load(fromByteOffset: index, as: UInt8.self))
      }
      hash ^= scrambled(tail)
    }
    hash ^= UInt32(truncatingIfNeeded: count)
    hash = (hash ^ hash >> 16) &* 0x85eb_ca6b
    hash = (hash ^ hash >> 13) &* 0xc2b2_ae35
    return hash ^ hash >> 16
  }

  private static func rotated(_ value: UInt32, _ bits: UInt32) -> UInt32 { value << bits | value >> (32 - bits) }

  private static func scrambled(_ value: UInt32) -> UInt32 { rotated(value &* 0xcc9e_2d51, 15) &* 0x1b87_3593 }
}
