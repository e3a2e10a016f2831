#pragma once

#include <stdint.h>

/// Elementwise functions of one operand; `a` and `b` are the call's parameters. Accurate to a few units in the last
/// place, exact on infinities, NaN in gives NaN out.
typedef enum dlk_unary : int32_t {
  DLK_UNARY_IDENTITY = 0,
  DLK_UNARY_AFFINE,            ///< a·x + b
  DLK_UNARY_ABS,
  DLK_UNARY_NEGATE,
  DLK_UNARY_SIGN,              ///< −1, 0 or 1
  DLK_UNARY_SQUARE,
  DLK_UNARY_SQRT,
  DLK_UNARY_RECIPROCAL,
  DLK_UNARY_RSQRT,             ///< 1 / √x
  DLK_UNARY_FLOOR,
  DLK_UNARY_CEIL,
  DLK_UNARY_ROUND,             ///< halves to even
  DLK_UNARY_EXP,
  DLK_UNARY_LOG,
  DLK_UNARY_SIN,
  DLK_UNARY_COS,
  DLK_UNARY_TANH,
  DLK_UNARY_ERF,
  DLK_UNARY_SIGMOID,
  DLK_UNARY_RELU,
  DLK_UNARY_CLIP,              ///< min(b, max(a, x))
  DLK_UNARY_LEAKY_RELU,        ///< x < 0: a·x
  DLK_UNARY_THRESHOLDED_RELU,  ///< x ≤ a: 0
  DLK_UNARY_ELU,               ///< x < 0: a·(eˣ − 1)
  DLK_UNARY_SELU,              ///< b · ELU with a
  DLK_UNARY_CELU,              ///< x < 0: a·(e^(x/a) − 1)
  DLK_UNARY_SOFTPLUS,          ///< ln(1 + eˣ)
  DLK_UNARY_SOFTSIGN,          ///< x / (1 + |x|)
  DLK_UNARY_MISH,              ///< x · tanh(softplus(x))
  DLK_UNARY_HARD_SIGMOID,      ///< clip(a·x + b, 0, 1)
  DLK_UNARY_HARD_SWISH,        ///< x · clip(x/6 + ½, 0, 1)
  DLK_UNARY_SILU,              ///< x · sigmoid(a·x)
  DLK_UNARY_GELU_ERF,          ///< x/2 · (1 + erf(x/√2))
  DLK_UNARY_GELU_TANH,         ///< x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³)))
  DLK_UNARY_TAN,
  DLK_UNARY_ASIN,
  DLK_UNARY_ACOS,
  DLK_UNARY_ATAN,
  DLK_UNARY_SINH,
  DLK_UNARY_COSH,
  DLK_UNARY_ASINH,
  DLK_UNARY_ACOSH,
  DLK_UNARY_ATANH,
  DLK_UNARY_SHRINK,            ///< x < −a: x + b; x > a: x − b; else, and for NaN, 0
  DLK_UNARY_COUNT
} dlk_unary;

/// Elementwise functions of two operands.
typedef enum dlk_binary : int32_t {
  DLK_BINARY_ADD = 0,
  DLK_BINARY_SUB,
  DLK_BINARY_MUL,
  DLK_BINARY_DIV,
  DLK_BINARY_MIN,    ///< NaN when either is
  DLK_BINARY_MAX,    ///< NaN when either is
  DLK_BINARY_PRELU,  ///< x < 0: x·y
  DLK_BINARY_POW,    ///< within an ulp of x to the power of y, and C's on all special numbers
  DLK_BINARY_MOD,    ///< C's fmod, exactly
  DLK_BINARY_COUNT
} dlk_binary;

/// `y[r][c] = f(x[r][c])` over rows of adjacent floats; `y` may be `x`.
typedef struct dlk_unary_args {
  dlk_unary function;
  float a, b;
  int64_t rows, columns;
  const float *x;
  int64_t x_row_stride;     ///< floats
  float *y;
  int64_t y_row_stride;
} dlk_unary_args;

/// `out[r][c] = x[r][c] ⊕ y[r][c]`. `out` may be `x` or `y` itself, but may not overlap them otherwise.
typedef struct dlk_binary_args {
  dlk_binary function;
  int64_t rows, columns;
  const float *x;
  int64_t x_row_stride;     ///< floats; 0 repeats one row
  int64_t x_column_stride;  ///< 1, or 0 for one number per row
  const float *y;
  int64_t y_row_stride;
  int64_t y_column_stride;
  float *out;
  int64_t out_row_stride;
} dlk_binary_args;
