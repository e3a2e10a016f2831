/// An input or the output of a walk in blocks: where it is, and the bytes of its elements.
package struct BlockOperand {
  let pointer: UnsafeRawPointer
  let size: Int

  package init(_ pointer: UnsafeRawPointer, size: Int) {
    self.pointer = pointer
    self.size = size
  }
}

extension Broadcast {
  /// The most elements of a block: three inputs of 8 bytes stay in the first cache.
  private static let block = 512

  /// Walks a part of the output in blocks in which every input is adjacent memory apart from the output's.
  ///
  /// Repeated elements are spread out and inputs that share the output's memory are copied, block by block, so that
  /// an operator needs one loop, and the compiler can vectorise it.
  /// - Parameter body: takes the addresses of the inputs' elements, that of the output's, and their number.
  package func forEachBlock<let inputCount: Int>(
    in range: Range<Int>, _ inputs: InlineArray<inputCount, BlockOperand>, _ out: UnsafeMutableRawPointer,
    outputSize: Int, _ body: (InlineArray<inputCount, UnsafeRawPointer>, UnsafeMutableRawPointer, Int) -> Void
  ) {
    let block = Self.block
    let repeats = (0..<inputCount).contains { innerStrides[$0] == 0 && inner > 1 }
    let shares = (0..<inputCount).contains { inputs[$0].pointer == UnsafeRawPointer(out) }
    let widest = (0..<inputCount).reduce(0) { max($0, inputs[$1].size) }
    withUnsafeTemporaryAllocation(byteCount: repeats || shares ? inputCount * block * widest : 1, alignment: 64) {
      memory in
      guard let scratch = memory.baseAddress else { return }
      // What each input's part of the scratch memory holds: the element it repeats, and how often.
      var spread = InlineArray<inputCount, (element: UnsafeRawPointer?, count: Int)>(repeating: (nil, 0))
      forEachRun(in: range) { position, length, offsets in
        let step = repeats || shares ? block : length
        for start in stride(from: 0, to: length, by: max(step, 1)) {
          let count = min(step, length &- start)
          let pointers = InlineArray<inputCount, UnsafeRawPointer> { index in
            let size = inputs[index].size
            let place = inputs[index].pointer + (offsets[index] &+ start &* innerStrides[index]) &* size
            let own = scratch + index &* block &* widest
            if innerStrides[index] == 0 && count > 1 {
              if spread[index].element != place || spread[index].count < count {
                own.fill(with: place, size: size, count: count)
                spread[index] = (place, count)
              }
              return UnsafeRawPointer(own)
            }
            guard inputs[index].pointer == UnsafeRawPointer(out) else { return place }
            own.copyMemory(from: place, byteCount: count &* size)
            return UnsafeRawPointer(own)
          }
          body(pointers, out + (position &+ start) &* outputSize, count)
        }
      }
    }
  }
}

extension UnsafeMutableRawPointer {
  /// Writes one element of 1, 2, 4, 8 or 16 bytes `count` times.
  fileprivate func fill(with element: UnsafeRawPointer, size: Int, count: Int) {
    func write<T: BitwiseCopyable>(_ type: T.Type) {
      assumingMemoryBound(to: type).update(repeating: element.loadUnaligned(as: type), count: count)
    }
    switch size {
    case 1: write(UInt8.self)
    case 2: write(UInt16.self)
    case 4: write(UInt32.self)
    case 8: write(UInt64.self)
    default: write(Bytes16.self)
    }
  }
}
