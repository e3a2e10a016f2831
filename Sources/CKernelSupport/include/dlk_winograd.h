#pragma once

#include "dlk_window.h"

/// The most tiles to transform and multiply together: about the same memory of each size.
static inline int64_t dlk_winograd_block(int64_t tile) { return tile == 2 ? 108 : tile == 4 ? 48 : 30; }

/// A convolution by 3×3 windows, or by windows of several such planes, with stride 1 and no dilation within the plane,
/// computed in tiles of 6×6, 4×4 or 2×2 outputs by Winograd's method: 5.06, 4 or 2.25 times fewer multiplications than
/// `conv`, at a rounding error about seven times or twice as large, or equal.
///
/// Tiles are counted over images, then planes, then rows of ⌈out_h / tile⌉, then ⌈out_w / tile⌉ across.
typedef struct dlk_winograd_args {
  int64_t tile;  ///< outputs of a tile along each side: 2, 4 or, where vectors have fewer than 16 floats, 6
  int64_t images, in_h, in_w, out_h, out_w, pad_h, pad_w;
  /// Along the depth; of planar images all are 1 but the padding.
  int64_t kernel_d, in_d, out_d, stride_d, dilation_d, pad_d;
  int64_t channels, n;
  const float *x;
  dlk_pixels x_pixels;
  int64_t x_image_stride;
  const float *weights;   ///< as `pack_winograd` left them
  const float *padding;   ///< `channels` zeros
  float *y;               ///< null where only `pooled` is wanted
  dlk_pixels y_pixels;
  int64_t y_image_stride;
  /// Of planar images the greatest of each 2×2 outputs, NaN above all; an odd last row or column is left out. Or null.
  float *pooled;
  dlk_pixels pooled_pixels;
  int64_t pooled_image_stride;
  dlk_epilogue epilogue;  ///< the addend's row is the output pixel counted over all images
  /// Tiles that are transformed and multiplied together; `dlk_winograd_block(tile)` at most.
  int64_t block;
  /// `winograd_workspace_floats(tile, block, kernel_d · channels, n)` floats, not shared between concurrent calls.
  float *workspace;
} dlk_winograd_args;

/// Weights [n][channel][plane][3][3] at any alignment, transformed and written as
/// `[⌈n / gemm_panel⌉][point][plane][channel][gemm_panel]`, the last panel as in `pack_b`.
typedef struct dlk_pack_winograd_args {
  const void *source;     ///< floats
  int64_t tile;
  int64_t planes, channels, n;
  float *packed;  ///< `packed_winograd_floats(tile, planes · channels, n)` floats
} dlk_pack_winograd_args;
