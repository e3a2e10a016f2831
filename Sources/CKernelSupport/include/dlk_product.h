#pragma once

#include <stdint.h>

/// Elements of a product. All sums wrap around.
typedef enum dlk_product_type : int32_t {
  DLK_PRODUCT_FLOAT64 = 0,
  DLK_PRODUCT_INT32,
  DLK_PRODUCT_INT16_PAIRS,  ///< A's and B's elements are two int16, multiplied each with its like and added up as int32
  DLK_PRODUCT_COUNT
} dlk_product_type;

/// `c[m][n] = a[m][k] · b[k][n]`, or added to C's former elements. B's and C's columns are adjacent. Strides count
/// elements, of which a pair is one. Rows of B can be read up to a multiple of 128 bytes, whatever stands there. Each
/// sum runs over k in ascending order.
typedef struct dlk_product_args {
  dlk_product_type type;
  int32_t adds;  ///< boolean
  int64_t m, n, k;
  const void *_Nonnull a;
  int64_t a_row_stride, a_column_stride;
  const void *_Nonnull b;
  int64_t b_row_stride;
  void *_Nonnull c;
  int64_t c_row_stride;
} dlk_product_args;
