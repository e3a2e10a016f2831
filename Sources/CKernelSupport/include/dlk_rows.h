#pragma once

#include <stdint.h>

/// y[r] = softmax(x[r]) or its logarithm, over `columns` adjacent floats. y may be x.
typedef struct dlk_softmax_args {
  int64_t rows, columns;
  const float *x;
  int64_t x_row_stride;  ///< floats
  float *y;
  int64_t y_row_stride;
  int32_t logarithm;     ///< boolean
} dlk_softmax_args;

/// y[r] = (x[r] − mean) / √(variance + epsilon) · scale + bias, with s = x + skip in x's place where `skip` is given.
/// The RMS form subtracts no mean and divides by √(mean square + epsilon). y may be x or skip.
typedef struct dlk_normalize_args {
  int64_t rows, columns;
  const float *x;
  int64_t x_row_stride;     ///< floats
  const float *skip;        ///< [rows][columns], or null
  int64_t skip_row_stride;
  const float *scale;       ///< [columns], or null for 1
  const float *bias;        ///< [columns], or null for 0
  float epsilon;
  int32_t rms;              ///< boolean
  float *y;
  int64_t y_row_stride;
  float *sum;               ///< x + skip, [rows][columns], or null
  int64_t sum_row_stride;
  float *mean;              ///< [rows], or null
  float *inverse_deviation; ///< [rows], or null
} dlk_normalize_args;

typedef enum dlk_reduction : int32_t {
  DLK_REDUCE_SUM = 0,
  DLK_REDUCE_MEAN,
  DLK_REDUCE_MAX,           ///< NaN when any is
  DLK_REDUCE_MIN,           ///< NaN when any is
  DLK_REDUCE_SUM_SQUARE,
  DLK_REDUCE_SUM_ABS,
  DLK_REDUCE_COUNT
} dlk_reduction;

/// `reduce_rows`: y[r] over the columns of each row. `reduce_columns`: y[c] over the rows of each column.
/// Of nothing, the sum is 0, the mean NaN, the maximum −∞ and the minimum +∞.
typedef struct dlk_reduce_args {
  dlk_reduction function;
  int64_t rows, columns;
  const float *x;
  int64_t x_row_stride;  ///< floats
  float *y;
} dlk_reduce_args;

/// Rows of adjacent channels, as pixels of an image are.
typedef struct dlk_channel_args {
  int64_t rows, columns;
  const float *x;
  int64_t x_row_stride;   ///< floats
  /// `channel_moments`: of x[r][c] − x[0][c] over all rows, the sums and the sums of squares, [columns] each.
  float *sums, *squares;
  /// `channel_affine`: y[r][c] = (x[r][c] − mean[c]) · factor[c] + bias[c]; y may be x.
  const float *mean, *factor, *bias;
  float *y;
  int64_t y_row_stride;
} dlk_channel_args;
