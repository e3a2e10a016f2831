import CKernelSupport

// Comparisons of the C enumerations by value. The generic ones of the standard library would leave copies of
// themselves, compiled for this instruction set, where other modules could come to call them.

@inline(__always) func == (a: dlk_unary, b: dlk_unary) -> Bool { a.rawValue == b.rawValue }
@inline(__always) func != (a: dlk_unary, b: dlk_unary) -> Bool { a.rawValue != b.rawValue }
@inline(__always) func ~= (a: dlk_unary, b: dlk_unary) -> Bool { a.rawValue == b.rawValue }
@inline(__always) func ~= (a: dlk_binary, b: dlk_binary) -> Bool { a.rawValue == b.rawValue }
@inline(__always) func == (a: dlk_reduction, b: dlk_reduction) -> Bool { a.rawValue == b.rawValue }
@inline(__always) func ~= (a: dlk_reduction, b: dlk_reduction) -> Bool { a.rawValue == b.rawValue }
@inline(__always) func == (a: dlk_pooling, b: dlk_pooling) -> Bool { a.rawValue == b.rawValue }
@inline(__always) func ~= (a: dlk_pooling, b: dlk_pooling) -> Bool { a.rawValue == b.rawValue }
@inline(__always) func ~= (a: dlk_product_type, b: dlk_product_type) -> Bool { a.rawValue == b.rawValue }
