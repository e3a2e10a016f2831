#pragma once

#include "dlk_window.h"

/// One image and one group of a convolution of bytes, with exact sums that wrap around:
/// sum[pixel][n] = start[n] + Σ_part Σ_tap Σ_c x[pixel under tap][c] · w[part][tap][c][n], or each channel by itself.
///
/// Channels come by fours, as words; the pixels under x are counted in words. x is uint8; int8 is read with its first
/// bit turned around, as uint8 that is 128 more. Weights are int8; those that need nine bits are the sum of parts.
///
/// `byte_conv` takes `[panel][part][tap][word][column][4]`, in panels of two vectors of columns. `byte_depthwise` takes
/// blocks of four vectors of channels: `[block][part][four taps][vector][lane][4]`, where lane l of vector v is channel
/// 16 · (l / 4) + 4 · v + l mod 4 of the block; starts and scales are `[block][vector][lane]`. All are filled up with
/// zeros. With two `shifts` it takes `[block][part][line][four][shift][vector][lane][4]`: weight t of a line of the
/// window is the one of pixel t + shift, out of (kernel_w + 4) / 4 fours of pixels that two neighbouring outputs share.
/// With one it takes `[block][part][line][four][vector][lane][4]` if `fours` is not 0.
///
/// The result is the sum itself, or saturate(round(sum · scale[n]) + zero), halves to even.
typedef struct dlk_byte_window_args {
  dlk_window window;
  int64_t words;           ///< of a pixel's channels
  int64_t n;               ///< channels of y
  int64_t parts;           ///< 1 to 3
  int64_t shifts;          ///< of `byte_depthwise`: 1; or 2 where stride_w and dilation_w are 1 and `fours` is not 0
  int64_t fours;           ///< of `byte_depthwise`: of pixels in a line of the window, at most 64 in all lines; or 0
                           ///< where any four taps are brought together
  const void *x;
  dlk_pixels x_pixels;     ///< in words
  int32_t is_x_signed;     ///< boolean
  int32_t is_y_signed;     ///< boolean
  const void *weights;
  const void *padding;     ///< what lies outside the image: `kernel_w · words` words
  const int32_t *start;
  const float *_Nullable scale;  ///< null for y of int32
  int32_t zero;
  void *y;
  dlk_pixels y_pixels;     ///< in elements
} dlk_byte_window_args;
