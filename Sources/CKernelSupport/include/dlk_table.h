#pragma once

#include "dlk_attention.h"
#include "dlk_byte_window.h"
#include "dlk_cpu.h"
#include "dlk_gemm.h"
#include "dlk_layout.h"
#include "dlk_math.h"
#include "dlk_product.h"
#include "dlk_quantize.h"
#include "dlk_recurrent.h"
#include "dlk_rows.h"
#include "dlk_window.h"
#include "dlk_winograd.h"

/// The entries of one instruction set level. A table lives as long as the process and never changes.
///
/// Entries read and write exactly the elements that their arguments describe, accept pointers of any alignment, sizes
/// of zero, and are safe to call from many threads at once. Ranges are half-open; splitting a range over calls never
/// changes a result.
typedef struct dlk_kernel_table {
  /// The level's name in profiles and in `DLRT_ISA`: baseline, avx2, avx512, avx512vnni.
  const char *_Nonnull isa;
  /// Floats in one vector register.
  int32_t vector_floats;
  /// Columns of a whole panel of packed B.
  int32_t gemm_panel;
  /// Rows of the largest tile over a whole panel: a split by rows is best at multiples of it.
  int32_t gemm_rows;

  /// Floats that packed B takes.
  int64_t (*_Nonnull packed_b_floats)(int64_t k, int64_t n);
  /// Whether `pack_b` with `interleaved` has rows 2k and 2k + 1 of each tap side by side in the last panel: for each
  /// eight columns a vector, of two floats for each of them; which of sixteen columns come first is the kernels' own.
  int32_t (*_Nonnull interleaves_panel)(int64_t k_outer, int64_t k_inner, int64_t n);
  void (*_Nonnull pack_b)(const dlk_pack_b_args *_Nonnull args, int64_t panel_begin, int64_t panel_end);
  /// Floats that B takes for products in pairs.
  int64_t (*_Nonnull paired_b_floats)(int64_t k, int64_t n);
  /// Finds, for rows of a B that `pack_b` has packed whole, powers of two by which `pair_b` divides them and `gemm`
  /// multiplies elements of A: units of their own. Rows begin at a multiple of 16. Null where a level has no pairs.
  void (*_Nullable balance_b)(int64_t k, int64_t n, float *_Nonnull packed, int64_t row_begin, int64_t row_end);
  /// Makes panels of a B ready for products in pairs, once all of its rows are balanced.
  void (*_Nullable pair_b)(int64_t k, int64_t n, float *_Nonnull packed, int64_t panel_begin, int64_t panel_end);
  /// Floats that a product in pairs of at most m rows needs beside its operands.
  int64_t (*_Nonnull paired_workspace_floats)(int64_t m, int64_t k);
  void (*_Nonnull gemm)(const dlk_gemm_args *_Nonnull args, int64_t row_begin, int64_t row_end, int64_t panel_begin,
                        int64_t panel_end);
  /// For products too small to be worth packing B, or B used once: best with `b_column_stride` 1, good with
  /// `b_row_stride` 1, correct with any. Columns are split in units of a panel, as in `gemm`.
  void (*_Nonnull gemm_direct)(const dlk_gemm_args *_Nonnull args, int64_t row_begin, int64_t row_end,
                               int64_t panel_begin, int64_t panel_end);

  /// Products of other elements than float32.
  void (*_Nonnull product)(const dlk_product_args *_Nonnull args);

  /// Pixels are counted over the whole output (d, h, w); splits by pixels are best at multiples of `gemm_rows`.
  void (*_Nonnull conv)(const dlk_conv_args *_Nonnull args, int64_t pixel_begin, int64_t pixel_end,
                        int64_t panel_begin, int64_t panel_end);
  int64_t (*_Nonnull packed_winograd_floats)(int64_t tile, int64_t channels, int64_t n);
  int64_t (*_Nonnull winograd_workspace_floats)(int64_t tile, int64_t block, int64_t channels, int64_t n);
  void (*_Nonnull pack_winograd)(const dlk_pack_winograd_args *_Nonnull args, int64_t panel_begin, int64_t panel_end);
  /// A split by tiles transforms the input once, one by panels once for each part.
  void (*_Nonnull winograd)(const dlk_winograd_args *_Nonnull args, int64_t tile_begin, int64_t tile_end,
                            int64_t panel_begin, int64_t panel_end);
  /// Rows are output rows, counted over the planes (d, h).
  void (*_Nonnull depthwise)(const dlk_depthwise_args *_Nonnull args, int64_t row_begin, int64_t row_end);
  /// As `conv`, in panels of two vectors.
  void (*_Nonnull byte_conv)(const dlk_byte_window_args *_Nonnull args, int64_t pixel_begin, int64_t pixel_end,
                             int64_t panel_begin, int64_t panel_end);
  void (*_Nonnull byte_depthwise)(const dlk_byte_window_args *_Nonnull args, int64_t pixel_begin, int64_t pixel_end);
  void (*_Nonnull pool)(const dlk_pool_args *_Nonnull args, int64_t row_begin, int64_t row_end);

  int64_t (*_Nonnull packed_recurrent_floats)(int64_t gates, int64_t hidden, int64_t k);
  void (*_Nonnull pack_recurrent)(const dlk_pack_recurrent_args *_Nonnull args, int64_t panel_begin,
                                  int64_t panel_end);
  void (*_Nonnull lstm_step)(const dlk_recurrent_args *_Nonnull args, int64_t panel_begin, int64_t panel_end);
  void (*_Nonnull gru_step)(const dlk_recurrent_args *_Nonnull args, int64_t panel_begin, int64_t panel_end);

  int64_t (*_Nonnull attention_workspace_floats)(int64_t keys);
  /// Rows are queries.
  void (*_Nonnull attention)(const dlk_attention_args *_Nonnull args, int64_t row_begin, int64_t row_end);

  /// Ranges of x's rows and columns.
  void (*_Nonnull transpose)(const dlk_transpose_args *_Nonnull args, int64_t row_begin, int64_t row_end,
                             int64_t column_begin, int64_t column_end);
  /// Rows are y's, margins included.
  void (*_Nonnull copy_image)(const dlk_copy_image_args *_Nonnull args, int64_t row_begin, int64_t row_end);

  /// y[i] = f(x[i]); y may be x.
  void (*_Nonnull unary)(dlk_unary function, float a, float b, const float *_Nonnull x, float *_Nonnull y,
                         int64_t count);
  void (*_Nonnull unary_rows)(const dlk_unary_args *_Nonnull args);
  void (*_Nonnull binary)(const dlk_binary_args *_Nonnull args);
  void (*_Nonnull quantize)(const dlk_quantize_args *_Nonnull args);
  void (*_Nonnull dequantize)(const dlk_dequantize_args *_Nonnull args);
  void (*_Nonnull byte_binary)(const dlk_byte_binary_args *_Nonnull args);

  void (*_Nonnull softmax)(const dlk_softmax_args *_Nonnull args, int64_t row_begin, int64_t row_end);
  void (*_Nonnull normalize)(const dlk_normalize_args *_Nonnull args, int64_t row_begin, int64_t row_end);
  /// Nothing is written if there are no rows.
  void (*_Nonnull channel_moments)(const dlk_channel_args *_Nonnull args);
  void (*_Nonnull channel_affine)(const dlk_channel_args *_Nonnull args);
  void (*_Nonnull reduce_rows)(const dlk_reduce_args *_Nonnull args, int64_t row_begin, int64_t row_end);
  void (*_Nonnull reduce_columns)(const dlk_reduce_args *_Nonnull args, int64_t column_begin, int64_t column_end);

  /// Array conversions, rounding to nearest even; overflow gives infinity, NaN stays NaN. No overlap.
  void (*_Nonnull f16_to_f32)(const void *_Nonnull x, float *_Nonnull y, int64_t count);
  void (*_Nonnull f32_to_f16)(const float *_Nonnull x, void *_Nonnull y, int64_t count);
  void (*_Nonnull bf16_to_f32)(const void *_Nonnull x, float *_Nonnull y, int64_t count);
  void (*_Nonnull f32_to_bf16)(const float *_Nonnull x, void *_Nonnull y, int64_t count);
} dlk_kernel_table;
