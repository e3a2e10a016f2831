import DLRTGraph

/// Work written once for all numbers, to be specialised for an element type that is known at run time.
///
/// A task usually picks a loop: `dispatch` then gives a function value, and everything around the loop stays
/// unspecialised, which keeps the library small.
package protocol NumericTask<Result> {
  associatedtype Result
  func run<T: NumericElement>(_ type: T.Type) throws -> Result
}

package protocol IntegerTask<Result> {
  associatedtype Result
  func run<T: NumericElement & FixedWidthInteger>(_ type: T.Type) throws -> Result
}

package protocol FloatTask<Result> {
  associatedtype Result
  func run<T: RealElement>(_ type: T.Type) throws -> Result
}

/// Work that moves or compares elements of which only the size matters.
package protocol PlainTask<Result> {
  associatedtype Result
  func run<T: BitwiseCopyable & Equatable & Sendable>(_ type: T.Type) throws -> Result
}

/// Sixteen bytes: a string reference or a complex number of two doubles.
package struct Bytes16: BitwiseCopyable, Equatable, Sendable {
  var low: UInt64
  var high: UInt64
}

extension DataType {
  /// Runs a task for float32, float64 or an integer type of 8 to 64 bits. Half floats are promoted before they get
  /// here; bool and the types below eight bits are taken as the byte that holds them.
  @inline(__always)
  package func dispatch<Task: NumericTask>(_ task: Task) throws -> Task.Result {
    switch self {
    case .float32: try task.run(Float.self)
    case .float64: try task.run(Double.self)
    case .int8, .int4, .int2: try task.run(Int8.self)
    case .int16: try task.run(Int16.self)
    case .int32: try task.run(Int32.self)
    case .int64: try task.run(Int64.self)
    case .uint8, .uint4, .uint2, .bool: try task.run(UInt8.self)
    case .uint16: try task.run(UInt16.self)
    case .uint32: try task.run(UInt32.self)
    case .uint64: try task.run(UInt64.self)
    default: throw unsupported
    }
  }

  /// Runs a task for float32, float64 or a byte.
  @inline(__always)
  package func dispatchFloatsAndBytes<Task: NumericTask>(_ task: Task) throws -> Task.Result {
    switch self {
    case .float32: try task.run(Float.self)
    case .float64: try task.run(Double.self)
    case .int8: try task.run(Int8.self)
    case .uint8: try task.run(UInt8.self)
    default: throw unsupported
    }
  }

  /// Runs a task for an integer type, or for bool as a byte.
  @inline(__always)
  package func dispatch<Task: IntegerTask>(_ task: Task) throws -> Task.Result {
    switch self {
    case .int8, .int4, .int2: try task.run(Int8.self)
    case .int16: try task.run(Int16.self)
    case .int32: try task.run(Int32.self)
    case .int64: try task.run(Int64.self)
    case .uint8, .uint4, .uint2, .bool: try task.run(UInt8.self)
    case .uint16: try task.run(UInt16.self)
    case .uint32: try task.run(UInt32.self)
    case .uint64: try task.run(UInt64.self)
    default: throw unsupported
    }
  }

  /// Runs a task for the unsigned integer of this type's size, of at most eight bytes.
  @inline(__always)
  package func dispatchBits<Task: IntegerTask>(_ task: Task) throws -> Task.Result {
    switch size {
    case 1: try task.run(UInt8.self)
    case 2: try task.run(UInt16.self)
    case 4: try task.run(UInt32.self)
    case 8: try task.run(UInt64.self)
    default: throw unsupported
    }
  }

  /// Runs a task for float32 or float64.
  @inline(__always)
  package func dispatch<Task: FloatTask>(_ task: Task) throws -> Task.Result {
    switch self {
    case .float32: try task.run(Float.self)
    case .float64: try task.run(Double.self)
    default: throw unsupported
    }
  }

  /// Runs a task for a type of this one's size.
  @inline(__always)
  package func dispatch<Task: PlainTask>(_ task: Task) throws -> Task.Result {
    switch size {
    case 1: try task.run(UInt8.self)
    case 2: try task.run(UInt16.self)
    case 4: try task.run(UInt32.self)
    case 8: try task.run(UInt64.self)
    default: try task.run(Bytes16.self)
    }
  }

  package var unsupported: DLRTError {
    DLRTError(.unsupportedModel, "no arithmetic for this element type", got: name)
  }
}
