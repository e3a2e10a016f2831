import CKernelSupport

func f16ToF32(_ x: UnsafeRawPointer, _ y: Target, _ count: Int) {
  var i = 0
  while i &+ lanes <= count {
    dlk_store(y + i, dlk_load_f16(x + 2 &* i))
    i = i &+ lanes
  }
  if i < count { dlk_store_partial(y + i, dlk_load_f16_partial(x + 2 &* i, count &- i), count &- i) }
}

func f32ToF16(_ x: Source, _ y: UnsafeMutableRawPointer, _ count: Int) {
  var i = 0
  while i &+ lanes <= count {
    dlk_store_f16(y + 2 &* i, dlk_load(x + i))
    i = i &+ lanes
  }
  if i < count { dlk_store_f16_partial(y + 2 &* i, dlk_load_partial(x + i, count &- i), count &- i) }
}

func bf16ToF32(_ x: UnsafeRawPointer, _ y: Target, _ count: Int) {
  var i = 0
  while i &+ lanes <= count {
    dlk_store(y + i, dlk_load_bf16(x + 2 &* i))
    i = i &+ lanes
  }
  if i < count { dlk_store_partial(y + i, dlk_load_bf16_partial(x + 2 &* i, count &- i), count &- i) }
}

func f32ToBf16(_ x: Source, _ y: UnsafeMutableRawPointer, _ count: Int) {
  var i = 0
  while i &+ lanes <= count {
    dlk_store_bf16(y + 2 &* i, dlk_load(x + i))
    i = i &+ lanes
  }
  if i < count { dlk_store_bf16_partial(y + 2 &* i, dlk_load_partial(x + i, count &- i), count &- i) }
}
