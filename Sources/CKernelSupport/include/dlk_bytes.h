#pragma once

#include "dlk_simd.h"

// As many bytes as a vector has floats, widened to int32, and the low bytes of int32. Partial forms touch the first
// `count` bytes only.

typedef uint8_t dlk_vu8 __attribute__((vector_size(DLK_VECTOR_BYTES / 4)));
typedef int8_t dlk_vi8 __attribute__((vector_size(DLK_VECTOR_BYTES / 4)));

#if DLK_VECTOR_BYTES == 64
DLK_INLINE dlk_vi dlk_load_u8_partial(const void *source, intptr_t count) {
  return (dlk_vi)_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(dlk_first(count), source));
}
DLK_INLINE dlk_vi dlk_load_i8_partial(const void *source, intptr_t count) {
  return (dlk_vi)_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(dlk_first(count), source));
}
DLK_INLINE void dlk_store_i8_partial(void *target, dlk_vi value, intptr_t count) {
  _mm_mask_storeu_epi8(target, dlk_first(count), _mm512_cvtepi32_epi8((__m512i)value));
}
#else
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
#endif

DLK_INLINE dlk_vi dlk_load_u8(const void *source) { return dlk_load_u8_partial(source, sizeof(dlk_vu8)); }
DLK_INLINE dlk_vi dlk_load_i8(const void *source) { return dlk_load_i8_partial(source, sizeof(dlk_vi8)); }
DLK_INLINE void dlk_store_i8(void *target, dlk_vi value) { dlk_store_i8_partial(target, value, sizeof(dlk_vu8)); }

// Bytes as they are: the first `count` of a vector, and of one of its halves.

#if DLK_VECTOR_BYTES == 64
DLK_INLINE dlk_vi dlk_load_bytes(const void *source, intptr_t count) {
  return (dlk_vi)_mm512_maskz_loadu_epi8(_bzhi_u64(~0ull, count), source);
}
DLK_INLINE void dlk_store_bytes(void *target, dlk_vi value, intptr_t count) {
  _mm512_mask_storeu_epi8(target, _bzhi_u64(~0ull, count), (__m512i)value);
}
DLK_INLINE void dlk_store_low_bytes(void *target, dlk_vi value, intptr_t count) {
  _mm256_mask_storeu_epi8(target, _bzhi_u32(~0u, count), _mm512_castsi512_si256((__m512i)value));
}
DLK_INLINE void dlk_store_high_bytes(void *target, dlk_vi value, intptr_t count) {
  _mm256_mask_storeu_epi8(target, _bzhi_u32(~0u, count), _mm512_extracti64x4_epi64((__m512i)value, 1));
}
#else
static __attribute__((noinline, unused)) dlk_vi dlk_load_bytes_slow(const void *source, intptr_t count) {
  dlk_vi value = {0};
  memcpy(&value, source, count);
  return value;
}
static __attribute__((noinline, unused)) void dlk_store_bytes_slow(void *target, dlk_vi value, intptr_t count) {
  memcpy(target, &value, count);
}
DLK_INLINE dlk_vi dlk_load_bytes(const void *source, intptr_t count) {
  return count == DLK_VECTOR_BYTES ? dlk_load_i32(source) : dlk_load_bytes_slow(source, count);
}
DLK_INLINE void dlk_store_bytes(void *target, dlk_vi value, intptr_t count) {
  if (count == DLK_VECTOR_BYTES) return dlk_store_i32(target, value);
  dlk_store_bytes_slow(target, value, count);
}
DLK_INLINE void dlk_store_low_bytes(void *target, dlk_vi value, intptr_t count) {
  if (count == DLK_VECTOR_BYTES / 2) {
    memcpy(target, &value, DLK_VECTOR_BYTES / 2);
  } else {
    dlk_store_bytes_slow(target, value, count);
  }
}
DLK_INLINE void dlk_store_high_bytes(void *target, dlk_vi value, intptr_t count) {
#if DLK_VECTOR_BYTES == 32
  dlk_store_low_bytes(target, __builtin_shufflevector(value, value, 4, 5, 6, 7, 4, 5, 6, 7), count);
#else
  dlk_store_low_bytes(target, __builtin_shufflevector(value, value, 2, 3, 2, 3), count);
#endif
}
#endif
