#pragma once

#include "dlk_gemm.h"

/// A window that slides over an image of up to three dimensions; unused leading dimensions are 1 (and their padding 0).
/// The window of output o begins at input o · stride − pad.
typedef struct dlk_window {
  int64_t in_d, in_h, in_w;
  int64_t out_d, out_h, out_w;
  int64_t kernel_d, kernel_h, kernel_w;
  int64_t stride_d, stride_h, stride_w;
  int64_t dilation_d, dilation_h, dilation_w;
  int64_t pad_d, pad_h, pad_w;              ///< before the first element
  int64_t pad_end_d, pad_end_h, pad_end_w;  ///< after the last one; only an average that counts padding looks at it
} dlk_window;

/// Where the pixels of one image lie, in floats; the channels of a pixel are adjacent.
typedef struct dlk_pixels {
  int64_t pixel_stride, row_stride, plane_stride;
} dlk_pixels;

/// One image of a convolution, one group or several:
/// y[pixel][n] = epilogue(Σ_tap Σ_c x[pixel under tap][c] · w[tap][c][n]).
///
/// The weights are packed by `pack_b` with outer = tap (in the order d, h, w) and inner = channel. Groups of no
/// more outputs than a panel has columns may be taken together, each as one panel; others are one call per group with
/// `x`, `y` and the epilogue's pointers moved to the group's channels. Where
/// neither padding nor dilation interrupts a row of the window and the pixels are dense (`pixel_stride == channels`),
/// a whole row of the window is one run of memory: images of few channels gain much by being copied into a padded
/// buffer first (`copy_image`).
typedef struct dlk_conv_args {
  dlk_window window;
  int64_t channels, n;   ///< of one group
  int64_t groups;        ///< 0 or 1: a single one; more: the panels are groups, whose packed weights follow each other
  const float *x;
  dlk_pixels x_pixels;
  const float *weights;
  const float *padding;  ///< what lies outside the image: `kernel_w · channels` floats of all groups, usually zeros
  float *y;
  dlk_pixels y_pixels;
  dlk_epilogue epilogue; ///< the addend's row is the output pixel counted over the whole image
  const void *next;      ///< what the caller reads next, to be fetched meanwhile, or null; never read
  int32_t interleaved;   ///< boolean: the weights were packed with `interleaved`
} dlk_conv_args;

/// Depthwise windows of more taps than these, over one plane and one input a group, go down strips of the image, of
/// `DLK_STRIP_CHANNELS` each, if what they copy fits the kernel's room. A call copies what its first windows see again.
#define DLK_STRIP_TAPS 25
#define DLK_STRIP_CHANNELS 16

/// A convolution of each channel by itself, or of small groups of channels by themselves:
/// y[pixel][c] = f(Σ_tap Σ_k x[pixel under tap][first input of c's group + k] · w[tap][k][c] + bias[c]).
typedef struct dlk_depthwise_args {
  dlk_window window;
  int64_t channels;      ///< of y
  int64_t group;         ///< channels of y in a group, a divisor of `vector_floats` and of `channels`: 1 is depthwise
  int64_t inputs;        ///< channels of x in a group, at most `group`
  const float *x;
  dlk_pixels x_pixels;
  int64_t x_ring;        ///< 0, or rows of a ring as high as the window or the image: row r of x lies at r mod x_ring
  const float *weights;  ///< [tap][inputs][weight_stride]
  int64_t weight_stride; ///< at least `channels`
  const float *bias;     ///< [channels], or null
  dlk_unary activation;  ///< f, with its parameters; relu and clip are free
  float a, b;
  float *y;
  dlk_pixels y_pixels;
} dlk_depthwise_args;

typedef enum dlk_pooling : int32_t {
  DLK_POOL_MAX = 0,         ///< −∞ where the window holds no pixel
  DLK_POOL_AVERAGE,         ///< over the pixels inside the image
  DLK_POOL_AVERAGE_PADDED,  ///< over the pixels inside the image and its padding
} dlk_pooling;

typedef struct dlk_pool_args {
  dlk_pooling function;
  dlk_window window;
  int64_t channels;
  const float *x;
  dlk_pixels x_pixels;
  float *y;
  dlk_pixels y_pixels;
  int64_t x_ring;  ///< as of a depthwise convolution
} dlk_pool_args;
