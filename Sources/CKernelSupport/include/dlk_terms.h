#pragma once

#include "dlk_simd.h"

/// Coefficients of polynomials of degree 5, lowest power first: minimax fits (least squares reweighted until the error
/// is level) rounded to single precision.
///
/// Where a level has 16 registers they are read from memory as they are needed: the compiler, which would keep them all
/// in registers, is not told what they are.
#if DLK_VECTOR_BYTES == 64
#define DLK_ALL(x) {x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}
#define DLK_KEEP_IN_MEMORY(terms)
#else
#if DLK_VECTOR_BYTES == 32
#define DLK_ALL(x) {x, x, x, x, x, x, x, x}
#else
#define DLK_ALL(x) {x, x, x, x}
#endif
#define DLK_KEEP_IN_MEMORY(terms) __asm__("" : "+r"(terms))
#endif

#define DLK_TERMS(name, ...)                                \
  DLK_INLINE const float *_Nonnull name(void) {             \
    static const dlk_vf table[] = {__VA_ARGS__};            \
    const dlk_vf *terms = table;                            \
    DLK_KEEP_IN_MEMORY(terms);                              \
    return (const float *)terms;                            \
  }

/// e⁻ʳ for |r| ≤ ln 2 / 2.
DLK_TERMS(dlk_logistic_terms,
          DLK_ALL(1.0f), DLK_ALL(-0.9999997019767761f), DLK_ALL(0.4999915063381195f),
          DLK_ALL(-0.1666763573884964f), DLK_ALL(0.04189793020486832f), DLK_ALL(-0.008290315046906471f))

/// erf x is x times the quotient of two polynomials of x² for |x| ≤ 3.92.
DLK_TERMS(dlk_erf_numerator,
          DLK_ALL(1.1283791065216064f), DLK_ALL(0.1904064416885376f), DLK_ALL(0.05274871736764908f),
          DLK_ALL(0.0037656158674508333f), DLK_ALL(0.0002848826698027551f), DLK_ALL(2.050087005045498e-06f))
DLK_TERMS(dlk_erf_denominator,
          DLK_ALL(1.0f), DLK_ALL(0.5020760893821716f), DLK_ALL(0.1141090989112854f),
          DLK_ALL(0.014969213865697384f), DLK_ALL(0.0011625352781265974f), DLK_ALL(3.809170812019147e-05f))

#undef DLK_TERMS
#undef DLK_KEEP_IN_MEMORY
#undef DLK_ALL
