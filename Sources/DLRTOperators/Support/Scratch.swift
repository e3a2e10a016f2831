/// Hands out aligned parts of a step's scratch memory.
package struct Scratch {
  package private(set) var size = 0

  package init() {}

  package mutating func reserve(_ bytes: Int) -> Int {
    let offset = size
    size = (size &+ bytes &+ 63) & ~63
    return offset
  }
}
