#pragma once

#include <stdint.h>

/// y[c][r] = x[r][c] for elements of 1, 2, 4 or 8 bytes at any alignment. x and y do not overlap.
typedef struct dlk_transpose_args {
  int64_t rows, columns;  ///< of x
  int64_t element_bytes;
  const void *x;
  int64_t x_row_stride;   ///< elements from x[r][c] to x[r + 1][c]
  void *y;
  int64_t y_row_stride;   ///< elements from y[c][r] to y[c + 1][r]
  int32_t fills;          ///< boolean: y has y_row_stride elements for each c; those beyond the rows may change
} dlk_transpose_args;

/// Copies an image into NHWC with a margin of `value` around it. x has any strides, in floats.
typedef struct dlk_copy_image_args {
  int64_t channels, height, width;  ///< of x
  const float *x;
  int64_t x_channel_stride, x_row_stride, x_pixel_stride;
  int64_t top, left, bottom, right;  ///< margins
  float value;
  float *y;                          ///< [top + height + bottom][left + width + right][channels]
  int64_t y_row_stride;              ///< floats; the pixels of a row are dense
} dlk_copy_image_args;
