import DLRTGraph

/// A set of element types, as an operator's type constraint names it.
package struct TypeSet: OptionSet, Sendable, Hashable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  package init(_ types: DataType...) { rawValue = types.reduce(0) { $0 | (1 << UInt32($1.rawValue)) } }

  /// The standard library's own takes any sequence, and finds out about it each time.
  package init(arrayLiteral sets: TypeSet...) { rawValue = sets.reduce(0) { $0 | $1.rawValue } }

  package func contains(_ type: DataType) -> Bool { rawValue & (1 << UInt32(type.rawValue)) != 0 }

  package var types: [DataType] { DataType.allCases.filter { contains($0) } }

  package static let float32 = TypeSet(.float32)
  package static let int64 = TypeSet(.int64)
  package static let int32 = TypeSet(.int32)
  package static let bool = TypeSet(.bool)
  package static let string = TypeSet(.string)
  package static let uint8 = TypeSet(.uint8)
  package static let indices: TypeSet = [TypeSet(.int32), TypeSet(.int64)]
  /// float16, float, double.
  package static let ieeeFloats = TypeSet(.float16, .float32, .float64)
  /// float16, bfloat16, float, double.
  package static let floats: TypeSet = [.ieeeFloats, TypeSet(.bfloat16)]
  package static let halfFloats = TypeSet(.float16, .bfloat16)
  package static let float8s = TypeSet(.float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz)
  package static let signedIntegers = TypeSet(.int8, .int16, .int32, .int64)
  package static let unsignedIntegers = TypeSet(.uint8, .uint16, .uint32, .uint64)
  package static let integers: TypeSet = [.signedIntegers, .unsignedIntegers]
  package static let subByteIntegers = TypeSet(.int4, .uint4, .int2, .uint2)
  package static let complex = TypeSet(.complex64, .complex128)
  /// All floats and integers of at least eight bits that have arithmetic in ONNX.
  package static let numeric: TypeSet = [.floats, .integers]
  package static let all = TypeSet(rawValue: DataType.allCases.reduce(0) { $0 | (1 << UInt32($1.rawValue)) })
}

extension TypeSet: CustomStringConvertible {
  package var description: String { types.map(\.name).joined(separator: ", ") }
}
