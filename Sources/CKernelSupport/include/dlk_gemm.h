#pragma once

#include "dlk_math.h"

/// What becomes of a matrix product P before it is stored:
///
///     C = f(scale · P + bias + addend_scale · addend)                      if !addend_last
///     C = f(scale · P + bias) + addend_scale · addend                      if addend_last
///
/// Free of cost are `scale == 1`, `addend_scale == 1`, `!addend_last` and f one of identity, relu and clip.
typedef struct dlk_epilogue {
  float scale;
  const float *bias;          ///< one per column, or null
  const float *addend;        ///< same shape as C, or null; may be C itself
  int64_t addend_row_stride;  ///< floats
  float addend_scale;
  dlk_unary activation;       ///< f
  float a, b;                 ///< parameters of f
  int32_t addend_last;        ///< boolean
} dlk_epilogue;

/// The most rows of B in a product in pairs; what is deeper is made in blocks.
#define DLK_PAIRED_DEPTH 1024

/// C[m][n] = epilogue(A[m][k] · B[k][n]).
///
/// Without `paired`, every element is summed over k in ascending order whatever the ranges of the call, so results
/// depend neither on how callers split the work nor on m. Only `gemm_direct` with adjacent k sums the lanes of vectors
/// apart: its results do not depend on the split either, but are not those of `gemm` to the last bit.
typedef struct dlk_gemm_args {
  int64_t m, n, k;
  const float *a;
  int64_t a_row_stride;     ///< floats; a row's elements are adjacent
  const float *b;           ///< `gemm`: as `pack_b` left it; `gemm_direct`: the plain matrix
  int64_t b_row_stride;     ///< `gemm_direct` only: floats between B[k][n] and B[k + 1][n]
  int64_t b_column_stride;  ///< `gemm_direct` only: floats between B[k][n] and B[k][n + 1]
  float *c;
  int64_t c_row_stride;     ///< floats
  int64_t c_run;            ///< `gemm` only: rows of C after which they go on elsewhere; 0: all are as far apart
  int64_t c_run_stride;     ///< floats from one run of rows to the next
  dlk_epilogue epilogue;
  const void *next;         ///< `gemm`: what its caller reads next, to be fetched meanwhile, or null; never read
  /// Boolean, `gemm` only: b is as `pair_b` left it. Rows or panels with an infinity, NaN or numbers beyond 2^63 are
  /// multiplied without pairs. With `addend_last` or `c_run`, k is at most `DLK_PAIRED_DEPTH`. Results depend neither
  /// on the split nor on m.
  int32_t paired;
  int32_t interleaved;      ///< boolean, `gemm` without `paired` only: b was packed with `interleaved`
  float *workspace;         ///< `paired` only: `paired_workspace_floats(m, k)` floats of this call's own
} dlk_gemm_args;

/// B[k][n] with k = outer · k_inner + inner, read from anywhere (any strides, any alignment), multiplied by `scale`
/// and written as panels `[⌈n / panel⌉][k][panel]`, where `panel` is the table's `gemm_panel`; the last panel is only
/// as many whole vectors wide as it needs, filled up with zeros. Convolution weights are packed with outer = tap,
/// inner = channel.
typedef struct dlk_pack_b_args {
  const void *source;     ///< floats
  int64_t k_outer, k_inner, n;
  int64_t k_outer_stride, k_inner_stride, n_stride;  ///< elements
  float scale;
  float *packed;  ///< `packed_b_floats(k_outer · k_inner, n)` floats
  int64_t row_begin, row_end;  ///< the rows of B that are packed, with `k_outer` 1; both 0: all
  /// Boolean: leave panels for `pair_b`, in `paired_b_floats(k_inner, n)` floats; `k_outer` is 1.
  int32_t paired;
  /// Boolean, without `paired` only: the last panel may have its rows interleaved, as `interleaves_panel` says; parts
  /// of the rows are of even numbers of them.
  int32_t interleaved;
} dlk_pack_b_args;
