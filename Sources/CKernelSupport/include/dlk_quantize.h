#pragma once

#include <stdint.h>

/// y[i] = saturate(round(x[i] / scale) + zero): bytes from floats, halves to even, NaN to the least byte. No overlap.
typedef struct dlk_quantize_args {
  int64_t count;
  const float *x;
  const float *scale;
  const void *_Nullable zero;  ///< bytes of y's type, or null for 0
  int64_t scale_stride;        ///< of scale and zero: 0 for one of all, 1 for one of each element
  int32_t is_signed;           ///< boolean: int8 or uint8
  void *y;
} dlk_quantize_args;

/// y[i] = (x[i] − zero) · scale: floats from bytes. No overlap.
typedef struct dlk_dequantize_args {
  int64_t count;
  const void *x;
  const float *scale;
  const void *_Nullable zero;
  int64_t scale_stride;
  int32_t is_signed;
  float *y;
} dlk_dequantize_args;

/// Bytes from two operands of bytes: y[i] = saturate(round(v[i])), halves to even, NaN to the least byte, where v is
/// a · a_factor + (b · b_factor + shift), each sum rounded once where the level has FMA, or for a product
/// (a − a_zero) · (b − b_zero) · a_factor + shift. All have one type. No overlap.
typedef struct dlk_byte_binary_args {
  int64_t count;
  const void *a, *b;
  int32_t multiplies;  ///< boolean
  int32_t is_signed;   ///< boolean: int8 or uint8
  float a_zero, b_zero;
  float a_factor, b_factor, shift;
  void *y;
} dlk_byte_binary_args;
