#pragma once

#include "dlk_simd.h"

// As many bytes as a vector has floats, widened to int32, and the low bytes of int32. Partial forms touch the first
// `count` bytes only.

typedef uint8_t dlk_vu8 __attribute__((vector_size(DLK_VECTOR_BYTES / 4)));
typedef int8_t dlk_vi8 __attribute__((vector_size(DLK_VECTOR_BYTES / 4)));

DLK_INLINE dlk_vi dlk_load_u8_partial(const void *source, intptr_t count) {
  dlk_vu8 bytes = {0};
  memcpy(&bytes, source, count);
  return __builtin_convertvector(bytes, dlk_vi);
}
DLK_INLINE dlk_vi dlk_load_i8_partial(const void *source, intptr_t count) {
  dlk_vi8 bytes = {0};
  memcpy(&bytes, source, count);
  return __builtin_convertvector(bytes, dlk_vi);
}
DLK_INLINE void dlk_store_i8_partial(void *target, dlk_vi value, intptr_t count) {
  dlk_vu8 bytes = __builtin_convertvector(value, dlk_vu8);
  memcpy(target, &bytes, count);
}

DLK_INLINE dlk_vi dlk_load_u8(const void *source) { return dlk_load_u8_partial(source, sizeof(dlk_vu8)); }
DLK_INLINE dlk_vi dlk_load_i8(const void *source) { return dlk_load_i8_partial(source, sizeof(dlk_vi8)); }
DLK_INLINE void dlk_store_i8(void *target, dlk_vi value) { dlk_store_i8_partial(target, value, sizeof(dlk_vu8)); }
