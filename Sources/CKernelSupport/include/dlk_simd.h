#pragma once

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/// One-instruction helpers over the widest vectors that the importing module is compiled for. The module's own
/// `-march` decides, so each kernel module sees its own `dlk_vf`; nobody else should use this header's types in an
/// interface.
#if defined(__AVX512F__)
#define DLK_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define DLK_VECTOR_BYTES 32
#else
#define DLK_VECTOR_BYTES 16
#endif

#define DLK_INLINE static inline __attribute__((always_inline))

typedef float dlk_vf __attribute__((vector_size(DLK_VECTOR_BYTES)));
typedef int32_t dlk_vi __attribute__((vector_size(DLK_VECTOR_BYTES)));
typedef float dlk_vf_unaligned __attribute__((vector_size(DLK_VECTOR_BYTES), aligned(1), may_alias));
typedef uint32_t dlk_vu __attribute__((vector_size(DLK_VECTOR_BYTES)));
typedef int32_t dlk_vi_unaligned __attribute__((vector_size(DLK_VECTOR_BYTES), aligned(1), may_alias));

// Memory. Every access may be unaligned; a partial one touches the first `count` elements only (0 ≤ count ≤ a
// vector's).

DLK_INLINE dlk_vf dlk_load(const void *source) { return *(const dlk_vf_unaligned *)source; }
DLK_INLINE void dlk_store(void *target, dlk_vf value) { *(dlk_vf_unaligned *)target = value; }
DLK_INLINE dlk_vi dlk_load_i32(const void *source) { return *(const dlk_vi_unaligned *)source; }
DLK_INLINE void dlk_store_i32(void *target, dlk_vi value) { *(dlk_vi_unaligned *)target = value; }
DLK_INLINE float dlk_load_scalar(const void *source) {
  float value;
  memcpy(&value, source, sizeof value);
  return value;
}

#if defined(__AVX512F__)
DLK_INLINE __mmask16 dlk_first(intptr_t count) { return (__mmask16)((1u << count) - 1); }
DLK_INLINE dlk_vf dlk_load_partial(const void *source, intptr_t count) {
  return _mm512_maskz_loadu_ps(dlk_first(count), source);
}
DLK_INLINE void dlk_store_partial(void *target, dlk_vf value, intptr_t count) {
  _mm512_mask_storeu_ps(target, dlk_first(count), value);
}
#elif defined(__AVX2__)
DLK_INLINE __m256i dlk_first(intptr_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
DLK_INLINE dlk_vf dlk_load_partial(const void *source, intptr_t count) {
  return _mm256_maskload_ps(source, dlk_first(count));
}
/// In up to four pieces: AMD's processors take twenty cycles and more for a masked store.
DLK_INLINE void dlk_store_partial(void *target, dlk_vf value, intptr_t count) {
  if (count >= 8) return dlk_store(target, value);
  char *at = target;
  __m128 left = _mm256_castps256_ps128(value);
  if (count & 4) {
    _mm_storeu_ps((float *)at, left);
    left = _mm256_extractf128_ps(value, 1);
    at += 16;
  }
  if (count & 2) {
    _mm_storel_pi((__m64 *)at, left);
    left = _mm_movehl_ps(left, left);
    at += 8;
  }
  if (count & 1) _mm_store_ss((float *)at, left);
}
#else
DLK_INLINE dlk_vf dlk_load_partial(const void *source, intptr_t count) {
  const char *at = source;
  switch (count) {
    case 0: return (dlk_vf){0};
    case 1: return (dlk_vf){dlk_load_scalar(at), 0, 0, 0};
    case 2: return (dlk_vf){dlk_load_scalar(at), dlk_load_scalar(at + 4), 0, 0};
    case 3: return (dlk_vf){dlk_load_scalar(at), dlk_load_scalar(at + 4), dlk_load_scalar(at + 8), 0};
    default: return dlk_load(source);
  }
}
DLK_INLINE void dlk_store_partial(void *target, dlk_vf value, intptr_t count) {
  if (count == 4) return dlk_store(target, value);
  for (intptr_t i = 0; i < count; i++) memcpy((char *)target + 4 * i, (char *)&value + 4 * i, 4);
}
#endif

/// 128 zeros, which sums can start at.
DLK_INLINE const float *_Nonnull dlk_zeros(void) {
  static const float zeros[128] __attribute__((aligned(64))) = {0};
  return zeros;
}
/// 128 negative zeros: what is added to them keeps the sign of its own.
DLK_INLINE const float *_Nonnull dlk_negative_zeros(void) {
  static const float zeros[128] __attribute__((aligned(64))) = {[0 ... 127] = -0.0f};
  return zeros;
}

/// Subnormal numbers count as zero in what this thread computes from here on; returns the mode before. Some processors
/// take a hundred times as long for an operation on one.
DLK_INLINE uint32_t dlk_ignore_subnormals(void) {
  const uint32_t mode = _mm_getcsr();
  _mm_setcsr(mode | 0x8040);
  return mode;
}
DLK_INLINE void dlk_set_mode(uint32_t mode) { _mm_setcsr(mode); }

DLK_INLINE void dlk_prefetch(const void *address) { __builtin_prefetch(address, 0, 3); }
DLK_INLINE void dlk_prefetch_l2(const void *address) { __builtin_prefetch(address, 0, 2); }
/// For a line that will be written.
DLK_INLINE void dlk_prefetch_write(const void *address) { __builtin_prefetch(address, 1, 3); }

// Arithmetic.

/// Lane by lane `condition ? a : b`; a condition is all ones or all zeros, as comparisons give it.
DLK_INLINE dlk_vu dlk_select_bits(dlk_vi condition, dlk_vu a, dlk_vu b) {
  return ((dlk_vu)condition & a) | (~(dlk_vu)condition & b);
}
DLK_INLINE dlk_vf dlk_select(dlk_vi condition, dlk_vf a, dlk_vf b) {
  return (dlk_vf)dlk_select_bits(condition, (dlk_vu)a, (dlk_vu)b);
}
/// A condition that holds in the first `count` lanes.
DLK_INLINE dlk_vi dlk_first_lanes(intptr_t count) {
#if DLK_VECTOR_BYTES == 16
  return (dlk_vi){0, 1, 2, 3} < (int32_t)count;
#elif DLK_VECTOR_BYTES == 32
  return (dlk_vi){0, 1, 2, 3, 4, 5, 6, 7} < (int32_t)count;
#else
  return (dlk_vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} < (int32_t)count;
#endif
}
DLK_INLINE dlk_vi dlk_less(dlk_vf a, dlk_vf b) { return a < b; }
DLK_INLINE dlk_vi dlk_less_or_equal(dlk_vf a, dlk_vf b) { return a <= b; }
DLK_INLINE dlk_vi dlk_equal(dlk_vf a, dlk_vf b) { return a == b; }
DLK_INLINE dlk_vi dlk_not(dlk_vi a) { return ~a; }
/// A condition that holds where `a` has a bit of `bits`.
DLK_INLINE dlk_vi dlk_is_set(dlk_vi a, int32_t bits) { return (a & bits) != 0; }

/// `a + b` and `a * b`, which Swift's operators take apart in large loops.
DLK_INLINE dlk_vf dlk_add(dlk_vf a, dlk_vf b) { return a + b; }
DLK_INLINE dlk_vf dlk_multiply(dlk_vf a, dlk_vf b) { return a * b; }

/// `a * b + c`; rounded once where the level has FMA.
DLK_INLINE dlk_vf dlk_fma(dlk_vf a, dlk_vf b, dlk_vf c) {
#if defined(__FMA__)
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}

#if defined(__AVX512F__)
// Vectors of two rows, of which neighbouring lanes belong to one column.

/// Two neighbouring floats, again and again.
DLK_INLINE dlk_vf dlk_load_two(const float *source) {
  double both;
  __builtin_memcpy(&both, source, 8);
  return (dlk_vf)_mm512_set1_pd(both);
}
/// Of two rows, the columns whose sums `dlk_add_neighbours` expects in its first operand, and those in its second one.
DLK_INLINE dlk_vf dlk_interleave_first(dlk_vf a, dlk_vf b) { return (dlk_vf)_mm512_unpacklo_ps(a, b); }
DLK_INLINE dlk_vf dlk_interleave_second(dlk_vf a, dlk_vf b) { return (dlk_vf)_mm512_unpackhi_ps(a, b); }
/// The sums of each two lanes, of two of `a` and two of `b` in turn.
DLK_INLINE dlk_vf dlk_add_neighbours(dlk_vf a, dlk_vf b) {
  return __builtin_shufflevector(a, b, 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30) +
         __builtin_shufflevector(a, b, 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31);
}
/// The first two of each four lanes, twice.
DLK_INLINE dlk_vf dlk_every_other_two(dlk_vf a) {
  return __builtin_shufflevector(a, a, 0, 1, 4, 5, 8, 9, 12, 13, 0, 1, 4, 5, 8, 9, 12, 13);
}
#endif

/// Keeps the compiler from loading now what is written after this: so many operands do not fit into registers.
DLK_INLINE void dlk_load_no_earlier(void) { __asm__ volatile("" ::: "memory"); }

/// The same vector, in a register: a compiler that sees it put together from single floats would go on with those.
DLK_INLINE dlk_vf dlk_in_one_piece(dlk_vf a) {
#if DLK_VECTOR_BYTES == 64
  __asm__("" : "+v"(a));
#else
  __asm__("" : "+x"(a));
#endif
  return a;
}

/// `sum + a * b` where `sum` is: of two operands that are not needed any more, the compiler likes to overwrite the
/// other.
DLK_INLINE dlk_vf dlk_add_product(dlk_vf sum, dlk_vf a, dlk_vf b) {
#if defined(__AVX512F__)
  __asm__("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
#else
  return dlk_fma(a, b, sum);
#endif
}

/// `c - a * b`.
DLK_INLINE dlk_vf dlk_fnma(dlk_vf a, dlk_vf b, dlk_vf c) {
#if defined(__FMA__)
  return __builtin_elementwise_fma(-a, b, c);
#else
  return c - a * b;
#endif
}

/// The larger, the smaller; `b` when either is NaN (so a NaN in `b` survives).
#if defined(__AVX512F__)
DLK_INLINE dlk_vf dlk_max(dlk_vf a, dlk_vf b) { return _mm512_max_ps(a, b); }
DLK_INLINE dlk_vf dlk_min(dlk_vf a, dlk_vf b) { return _mm512_min_ps(a, b); }
#elif defined(__AVX2__)
DLK_INLINE dlk_vf dlk_max(dlk_vf a, dlk_vf b) { return _mm256_max_ps(a, b); }
DLK_INLINE dlk_vf dlk_min(dlk_vf a, dlk_vf b) { return _mm256_min_ps(a, b); }
#else
DLK_INLINE dlk_vf dlk_max(dlk_vf a, dlk_vf b) { return _mm_max_ps(a, b); }
DLK_INLINE dlk_vf dlk_min(dlk_vf a, dlk_vf b) { return _mm_min_ps(a, b); }
#endif

DLK_INLINE dlk_vf dlk_abs(dlk_vf a) { return __builtin_elementwise_abs(a); }
DLK_INLINE dlk_vf dlk_sqrt(dlk_vf a) { return __builtin_elementwise_sqrt(a); }
DLK_INLINE dlk_vf dlk_copysign(dlk_vf magnitude, dlk_vf sign) {
  return __builtin_elementwise_copysign(magnitude, sign);
}

#if defined(__SSE4_1__)
DLK_INLINE dlk_vf dlk_round_even(dlk_vf a) { return __builtin_elementwise_roundeven(a); }
DLK_INLINE dlk_vf dlk_floor(dlk_vf a) { return __builtin_elementwise_floor(a); }
DLK_INLINE dlk_vf dlk_ceil(dlk_vf a) { return __builtin_elementwise_ceil(a); }
#else
/// Adding and subtracting 2²³ leaves an integer; larger magnitudes, infinities and NaN are their own result.
DLK_INLINE dlk_vf dlk_round_even(dlk_vf a) {
  dlk_vf magnitude = dlk_abs(a), big = (dlk_vf){} + 8388608.0f;
  dlk_vf rounded = (magnitude + big) - big;
  return dlk_select(dlk_less(magnitude, big), dlk_copysign(rounded, a), a);
}
DLK_INLINE dlk_vf dlk_floor(dlk_vf a) {
  dlk_vf rounded = dlk_round_even(a);
  return dlk_copysign(dlk_select(dlk_less(a, rounded), rounded - 1.0f, rounded), a);
}
DLK_INLINE dlk_vf dlk_ceil(dlk_vf a) {
  dlk_vf rounded = dlk_round_even(a);
  return dlk_copysign(dlk_select(dlk_less(rounded, a), rounded + 1.0f, rounded), a);
}
#endif

/// Rounds to nearest even; out of range and NaN give `INT32_MIN`.
#if defined(__AVX512F__)
DLK_INLINE dlk_vi dlk_to_i32(dlk_vf a) { return (dlk_vi)_mm512_cvtps_epi32(a); }
#elif defined(__AVX2__)
DLK_INLINE dlk_vi dlk_to_i32(dlk_vf a) { return (dlk_vi)_mm256_cvtps_epi32(a); }
#else
DLK_INLINE dlk_vi dlk_to_i32(dlk_vf a) { return (dlk_vi)_mm_cvtps_epi32(a); }
#endif

/// `a · 2ⁿ` for integral n within ±252, correct where the result is denormal or overflows.
DLK_INLINE dlk_vf dlk_scale(dlk_vf a, dlk_vf n) {
#if defined(__AVX512F__)
  return _mm512_scalef_ps(a, n);
#else
  dlk_vi whole = dlk_to_i32(n), half = whole >> 1;
  dlk_vf first = (dlk_vf)((half + 127) << 23), second = (dlk_vf)((whole - half + 127) << 23);
  return a * first * second;
#endif
}

#if defined(__AVX512F__)
/// 2 to the power of n / 32, where n is the number in the last bits of `a` and the power a normal number.
DLK_INLINE dlk_vf dlk_power_of_32nds(dlk_vi a) {
  const dlk_vf low = {
      1.0f, 1.02189715f, 1.04427378f, 1.0671404f, 1.09050773f, 1.11438674f, 1.13878863f, 1.16372486f,
      1.18920712f, 1.21524736f, 1.24185781f, 1.26905096f, 1.29683955f, 1.32523664f, 1.35425555f, 1.38390988f};
  const dlk_vf high = {
      1.41421356f, 1.44518081f, 1.47682615f, 1.50916443f, 1.54221083f, 1.57598085f, 1.61049033f, 1.64575548f,
      1.68179283f, 1.7186193f, 1.75625216f, 1.79470908f, 1.83400809f, 1.87416763f, 1.91520656f, 1.95714412f};
  dlk_vi fraction = (dlk_vi)_mm512_permutex2var_ps(low, (__m512i)a, high);
  return (dlk_vf)(fraction + ((a & ~31) << 18));
}
#endif

DLK_INLINE dlk_vf dlk_to_f32(dlk_vi a) { return __builtin_convertvector(a, dlk_vf); }
DLK_INLINE dlk_vi dlk_bits(dlk_vf a) { return (dlk_vi)a; }
DLK_INLINE dlk_vf dlk_from_bits(dlk_vi a) { return (dlk_vf)a; }
/// `a` where it is NaN, else a NaN.
DLK_INLINE dlk_vf dlk_nan(dlk_vf a) { return dlk_select(a == a, (dlk_vf){0} + __builtin_nanf(""), a); }

/// `near` where `keep` says so; elsewhere the sine of `a + quarter · π/2`, for any argument. Out of line: it would
/// crowd the loops that hardly call it.
static __attribute__((noinline, unused)) dlk_vf dlk_sine_slow(dlk_vf a, int32_t quarter, dlk_vf near, dlk_vi keep) {
  dlk_vf result = near;
#pragma clang loop unroll(disable)
  for (unsigned i = 0; i < sizeof(dlk_vf) / 4; i++) {
    if (!keep[i]) result[i] = quarter ? __builtin_cosf(a[i]) : __builtin_sinf(a[i]);
  }
  return result;
}

/// `near` where `keep` says so; elsewhere the tangent of `a`, for any argument.
static __attribute__((noinline, unused)) dlk_vf dlk_tangent_slow(dlk_vf a, dlk_vf near, dlk_vi keep) {
  dlk_vf result = near;
#pragma clang loop unroll(disable)
  for (unsigned i = 0; i < sizeof(dlk_vf) / 4; i++) {
    if (!keep[i]) result[i] = __builtin_tanf(a[i]);
  }
  return result;
}

/// The remainder of `a / b`, lane by lane, for any operands.
static __attribute__((noinline, unused)) dlk_vf dlk_remainder_slow(dlk_vf a, dlk_vf b) {
  dlk_vf result = a;
#pragma clang loop unroll(disable)
  for (unsigned i = 0; i < sizeof(dlk_vf) / 4; i++) result[i] = __builtin_fmodf(a[i], b[i]);
  return result;
}

// Two halves of a vector in double precision.

typedef double dlk_vd __attribute__((vector_size(DLK_VECTOR_BYTES)));
typedef double dlk_vd_unaligned __attribute__((vector_size(DLK_VECTOR_BYTES), aligned(1), may_alias));
typedef int64_t dlk_vl __attribute__((vector_size(DLK_VECTOR_BYTES)));

DLK_INLINE dlk_vd dlk_load_f64(const void *source) { return *(const dlk_vd_unaligned *)source; }
DLK_INLINE void dlk_store_f64(void *target, dlk_vd value) { *(dlk_vd_unaligned *)target = value; }
#if DLK_VECTOR_BYTES == 64
DLK_INLINE dlk_vd dlk_low_f64(dlk_vf a) { return _mm512_cvtps_pd(_mm512_castps512_ps256(a)); }
DLK_INLINE dlk_vd dlk_high_f64(dlk_vf a) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1)); }
DLK_INLINE dlk_vf dlk_join_f64(dlk_vd low, dlk_vd high) {
  return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high), 1);
}
DLK_INLINE dlk_vd dlk_max_f64(dlk_vd a, dlk_vd b) { return _mm512_max_pd(a, b); }
DLK_INLINE dlk_vd dlk_min_f64(dlk_vd a, dlk_vd b) { return _mm512_min_pd(a, b); }
#elif DLK_VECTOR_BYTES == 32
DLK_INLINE dlk_vd dlk_low_f64(dlk_vf a) { return _mm256_cvtps_pd(_mm256_castps256_ps128(a)); }
DLK_INLINE dlk_vd dlk_high_f64(dlk_vf a) { return _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)); }
DLK_INLINE dlk_vf dlk_join_f64(dlk_vd low, dlk_vd high) {
  return _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
}
DLK_INLINE dlk_vd dlk_max_f64(dlk_vd a, dlk_vd b) { return _mm256_max_pd(a, b); }
DLK_INLINE dlk_vd dlk_min_f64(dlk_vd a, dlk_vd b) { return _mm256_min_pd(a, b); }
#else
DLK_INLINE dlk_vd dlk_low_f64(dlk_vf a) { return _mm_cvtps_pd(a); }
DLK_INLINE dlk_vd dlk_high_f64(dlk_vf a) { return _mm_cvtps_pd(_mm_movehl_ps(a, a)); }
DLK_INLINE dlk_vf dlk_join_f64(dlk_vd low, dlk_vd high) { return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high)); }
DLK_INLINE dlk_vd dlk_max_f64(dlk_vd a, dlk_vd b) { return _mm_max_pd(a, b); }
DLK_INLINE dlk_vd dlk_min_f64(dlk_vd a, dlk_vd b) { return _mm_min_pd(a, b); }
#endif
/// `a * b + c`; rounded once where the level has FMA.
DLK_INLINE dlk_vd dlk_fma_f64(dlk_vd a, dlk_vd b, dlk_vd c) {
#if defined(__FMA__)
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}
/// The nearest integers, halves to even, of numbers within ±2⁵¹.
DLK_INLINE dlk_vd dlk_round_f64(dlk_vd a) { return (a + 0x1.8p52) - 0x1.8p52; }
/// `a` less the remainder of its division by 1 where `|a|` < 2⁵¹.
DLK_INLINE dlk_vd dlk_truncate_f64(dlk_vd a) {
  dlk_vd magnitude = __builtin_elementwise_abs(a), rounded = dlk_round_f64(magnitude);
  dlk_vd one = (dlk_vd){} + 1.0;
  rounded -= (dlk_vd)((dlk_vl)(rounded > magnitude) & (dlk_vl)one);
  return __builtin_elementwise_copysign(rounded, a);
}

/// Stores addresses `step` bytes apart, from `first` on, as many as fill a vector.
typedef int64_t dlk_vl_unaligned __attribute__((vector_size(DLK_VECTOR_BYTES), aligned(1), may_alias));
DLK_INLINE void dlk_store_addresses(void *target, const void *first, intptr_t step) {
#if DLK_VECTOR_BYTES == 64
  dlk_vl number = {0, 1, 2, 3, 4, 5, 6, 7};
#elif DLK_VECTOR_BYTES == 32
  dlk_vl number = {0, 1, 2, 3};
#else
  dlk_vl number = {0, 1};
#endif
  *(dlk_vl_unaligned *)target = number * step + (intptr_t)first;
}

// Integers of 16 bits, in pairs.

/// Lane by lane `sum` + the products of the lower halves + those of the upper halves; wraps around.
DLK_INLINE dlk_vi dlk_add_pairs(dlk_vi sum, dlk_vi a, dlk_vi b) {
#if defined(__AVX512VNNI__)
  return (dlk_vi)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
#elif DLK_VECTOR_BYTES == 64
  return sum + (dlk_vi)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif DLK_VECTOR_BYTES == 32
  return sum + (dlk_vi)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#else
  return sum + (dlk_vi)_mm_madd_epi16((__m128i)a, (__m128i)b);
#endif
}

// Bytes by fours.

/// Lane by lane `sum` + the products of four unsigned bytes and four signed ones; wraps around.
DLK_INLINE dlk_vi dlk_add_quads(dlk_vi sum, dlk_vi a, dlk_vi b) {
#if defined(__AVX512VNNI__)
  return (dlk_vi)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
#else
  typedef int16_t pairs __attribute__((vector_size(DLK_VECTOR_BYTES)));
  typedef uint16_t naturals __attribute__((vector_size(DLK_VECTOR_BYTES)));
  dlk_vi even = a & 0x00ff00ff, odd = (dlk_vi)((naturals)a >> 8);
  dlk_vi b_even = (dlk_vi)((pairs)((naturals)b << 8) >> 8), b_odd = (dlk_vi)((pairs)b >> 8);
  return dlk_add_pairs(dlk_add_pairs(sum, even, b_even), odd, b_odd);
#endif
}

/// Within each 16 bytes, interleaves the lower or the upper halves of a and b by bytes or by 16 bits.
#if DLK_VECTOR_BYTES == 64
DLK_INLINE dlk_vi dlk_zip_low_i8(dlk_vi a, dlk_vi b) { return (dlk_vi)_mm512_unpacklo_epi8((__m512i)a, (__m512i)b); }
DLK_INLINE dlk_vi dlk_zip_high_i8(dlk_vi a, dlk_vi b) { return (dlk_vi)_mm512_unpackhi_epi8((__m512i)a, (__m512i)b); }
DLK_INLINE dlk_vi dlk_zip_low_i16(dlk_vi a, dlk_vi b) { return (dlk_vi)_mm512_unpacklo_epi16((__m512i)a, (__m512i)b); }
DLK_INLINE dlk_vi dlk_zip_high_i16(dlk_vi a, dlk_vi b) { return (dlk_vi)_mm512_unpackhi_epi16((__m512i)a, (__m512i)b); }
#elif DLK_VECTOR_BYTES == 32
DLK_INLINE dlk_vi dlk_zip_low_i8(dlk_vi a, dlk_vi b) { return (dlk_vi)_mm256_unpacklo_epi8((__m256i)a, (__m256i)b); }
DLK_INLINE dlk_vi dlk_zip_high_i8(dlk_vi a, dlk_vi b) { return (dlk_vi)_mm256_unpackhi_epi8((__m256i)a, (__m256i)b); }
DLK_INLINE dlk_vi dlk_zip_low_i16(dlk_vi a, dlk_vi b) { return (dlk_vi)_mm256_unpacklo_epi16((__m256i)a, (__m256i)b); }
DLK_INLINE dlk_vi dlk_zip_high_i16(dlk_vi a, dlk_vi b) { return (dlk_vi)_mm256_unpackhi_epi16((__m256i)a, (__m256i)b); }
#else
DLK_INLINE dlk_vi dlk_zip_low_i8(dlk_vi a, dlk_vi b) { return (dlk_vi)_mm_unpacklo_epi8((__m128i)a, (__m128i)b); }
DLK_INLINE dlk_vi dlk_zip_high_i8(dlk_vi a, dlk_vi b) { return (dlk_vi)_mm_unpackhi_epi8((__m128i)a, (__m128i)b); }
DLK_INLINE dlk_vi dlk_zip_low_i16(dlk_vi a, dlk_vi b) { return (dlk_vi)_mm_unpacklo_epi16((__m128i)a, (__m128i)b); }
DLK_INLINE dlk_vi dlk_zip_high_i16(dlk_vi a, dlk_vi b) { return (dlk_vi)_mm_unpackhi_epi16((__m128i)a, (__m128i)b); }
#endif

/// Within each 16 bytes four lanes of each of a, b, c and d, held to 16 bits, plus `shift` of 16-bit integers, held to
/// 0 … 255.
DLK_INLINE dlk_vi dlk_join_bytes(dlk_vi a, dlk_vi b, dlk_vi c, dlk_vi d, dlk_vi shift) {
#if DLK_VECTOR_BYTES == 64
  __m512i low = _mm512_packs_epi32((__m512i)a, (__m512i)b), high = _mm512_packs_epi32((__m512i)c, (__m512i)d);
  low = _mm512_adds_epi16(low, (__m512i)shift), high = _mm512_adds_epi16(high, (__m512i)shift);
  return (dlk_vi)_mm512_packus_epi16(low, high);
#elif DLK_VECTOR_BYTES == 32
  __m256i low = _mm256_packs_epi32((__m256i)a, (__m256i)b), high = _mm256_packs_epi32((__m256i)c, (__m256i)d);
  low = _mm256_adds_epi16(low, (__m256i)shift), high = _mm256_adds_epi16(high, (__m256i)shift);
  return (dlk_vi)_mm256_packus_epi16(low, high);
#else
  __m128i low = _mm_packs_epi32((__m128i)a, (__m128i)b), high = _mm_packs_epi32((__m128i)c, (__m128i)d);
  low = _mm_adds_epi16(low, (__m128i)shift), high = _mm_adds_epi16(high, (__m128i)shift);
  return (dlk_vi)_mm_packus_epi16(low, high);
#endif
}

/// Of what `dlk_join_bytes` makes of a, b, c and d, first all of a and b, then all of c and d.
DLK_INLINE dlk_vi dlk_sort_halves(dlk_vi a) {
#if DLK_VECTOR_BYTES == 64
  return __builtin_shufflevector(a, a, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
#elif DLK_VECTOR_BYTES == 32
  return __builtin_shufflevector(a, a, 0, 4, 1, 5, 2, 6, 3, 7);
#else
  return a;
#endif
}

// Across lanes: halves are folded onto each other, so the order of a sum is fixed.

#if DLK_VECTOR_BYTES == 16
DLK_INLINE __m128 dlk_fold_add(dlk_vf a) { return a; }
DLK_INLINE __m128 dlk_fold_max(dlk_vf a) { return a; }
#elif DLK_VECTOR_BYTES == 32
DLK_INLINE __m128 dlk_fold_add(dlk_vf a) { return _mm256_castps256_ps128(a) + _mm256_extractf128_ps(a, 1); }
DLK_INLINE __m128 dlk_fold_max(dlk_vf a) { return _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1)); }
#else
DLK_INLINE __m128 dlk_fold_add(dlk_vf a) {
  __m256 b = _mm512_castps512_ps256(a) + _mm512_extractf32x8_ps(a, 1);
  return _mm256_castps256_ps128(b) + _mm256_extractf128_ps(b, 1);
}
DLK_INLINE __m128 dlk_fold_max(dlk_vf a) {
  __m256 b = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  return _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
}
#endif

DLK_INLINE float dlk_sum(dlk_vf a) {
  __m128 b = dlk_fold_add(a);
  b += _mm_movehl_ps(b, b);
  return b[0] + b[1];
}

/// The largest lane; unspecified when a lane is NaN.
DLK_INLINE float dlk_largest(dlk_vf a) {
  __m128 b = dlk_fold_max(a);
  b = _mm_max_ps(b, _mm_movehl_ps(b, b));
  return b[0] > b[1] ? b[0] : b[1];
}

/// Whether any lane is NaN.
DLK_INLINE bool dlk_has_nan(dlk_vf a) {
#if DLK_VECTOR_BYTES == 16
  return _mm_movemask_ps(_mm_cmpunord_ps(a, a)) != 0;
#elif DLK_VECTOR_BYTES == 32
  return _mm256_movemask_ps(_mm256_cmp_ps(a, a, _CMP_UNORD_Q)) != 0;
#else
  return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q) != 0;
#endif
}

/// Whether a condition fails in any lane.
DLK_INLINE bool dlk_has_zero(dlk_vi condition) {
#if DLK_VECTOR_BYTES == 16
  return _mm_movemask_ps((__m128)condition) != 0xf;
#elif DLK_VECTOR_BYTES == 32
  return _mm256_movemask_ps((__m256)condition) != 0xff;
#else
  return _mm512_movepi32_mask((__m512i)condition) != 0xffff;
#endif
}

/// Lane `i` of the result is lane `index[i]` of `a`, indices being below the number of lanes.
DLK_INLINE dlk_vf dlk_permute(dlk_vf a, dlk_vi index) {
#if DLK_VECTOR_BYTES == 64
  return _mm512_permutexvar_ps((__m512i)index, a);
#elif DLK_VECTOR_BYTES == 32
  return _mm256_permutevar8x32_ps(a, (__m256i)index);
#else
  return (dlk_vf){a[index[0]], a[index[1]], a[index[2]], a[index[3]]};
#endif
}

/// Each even lane and the one after it change places.
DLK_INLINE dlk_vf dlk_swap_neighbours(dlk_vf a) {
#if DLK_VECTOR_BYTES == 64
  return _mm512_permute_ps(a, 0xb1);
#elif DLK_VECTOR_BYTES == 32
  return _mm256_permute_ps(a, 0xb1);
#else
  return _mm_shuffle_ps(a, a, 0xb1);
#endif
}

/// The numbers of the lanes.
DLK_INLINE dlk_vi dlk_lane_numbers(void) {
#if DLK_VECTOR_BYTES == 64
  return (dlk_vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif DLK_VECTOR_BYTES == 32
  return (dlk_vi){0, 1, 2, 3, 4, 5, 6, 7};
#else
  return (dlk_vi){0, 1, 2, 3};
#endif
}

/// The lanes whose bits are set.
DLK_INLINE dlk_vi dlk_lanes(int32_t bits) { return ((bits >> dlk_lane_numbers()) & 1) != 0; }

/// Interleaves the lower halves: a0 b0 a1 b1 …
DLK_INLINE dlk_vf dlk_zip_low(dlk_vf a, dlk_vf b) {
#if DLK_VECTOR_BYTES == 16
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#elif DLK_VECTOR_BYTES == 32
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#else
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#endif
}

/// Interleaves the upper halves.
DLK_INLINE dlk_vf dlk_zip_high(dlk_vf a, dlk_vf b) {
#if DLK_VECTOR_BYTES == 16
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#elif DLK_VECTOR_BYTES == 32
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#endif
}

/// Part 0, 1 or 2 of a0 b0 c0 a1 b1 c1 …
DLK_INLINE dlk_vf dlk_interleave3(dlk_vf a, dlk_vf b, dlk_vf c, int part) {
  typedef float pair __attribute__((vector_size(2 * DLK_VECTOR_BYTES)));
#if DLK_VECTOR_BYTES == 16
  pair ab = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
  pair cc = __builtin_shufflevector(c, c, 0, 1, 2, 3, 4, 5, 6, 7);
  if (part == 0) return __builtin_shufflevector(ab, cc, 0, 4, 8, 1);
  if (part == 1) return __builtin_shufflevector(ab, cc, 5, 9, 2, 6);
  return __builtin_shufflevector(ab, cc, 10, 3, 7, 11);
#elif DLK_VECTOR_BYTES == 32
  pair ab = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  pair cc = __builtin_shufflevector(c, c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  if (part == 0) return __builtin_shufflevector(ab, cc, 0, 8, 16, 1, 9, 17, 2, 10);
  if (part == 1) return __builtin_shufflevector(ab, cc, 18, 3, 11, 19, 4, 12, 20, 5);
  return __builtin_shufflevector(ab, cc, 13, 21, 6, 14, 22, 7, 15, 23);
#else
  pair ab = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
      21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
  pair cc = __builtin_shufflevector(c, c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
      21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
  if (part == 0) return __builtin_shufflevector(ab, cc, 0, 16, 32, 1, 17, 33, 2, 18, 34, 3, 19, 35, 4, 20, 36, 5);
  if (part == 1) return __builtin_shufflevector(ab, cc, 21, 37, 6, 22, 38, 7, 23, 39, 8, 24, 40, 9, 25, 41, 10, 26);
  return __builtin_shufflevector(ab, cc, 42, 11, 27, 43, 12, 28, 44, 13, 29, 45, 14, 30, 46, 15, 31, 47);
#endif
}

// 16-bit floats: as many as a `dlk_vf` has lanes, at `source` or `target`.

typedef uint16_t dlk_vh __attribute__((vector_size(DLK_VECTOR_BYTES / 2)));
typedef uint16_t dlk_vh_unaligned __attribute__((vector_size(DLK_VECTOR_BYTES / 2), aligned(1), may_alias));
DLK_INLINE dlk_vf dlk_load_bf16(const void *source) {
  dlk_vh raw = *(const dlk_vh_unaligned *)source;
  return (dlk_vf)(__builtin_convertvector(raw, dlk_vu) << 16);
}

/// Rounds to nearest even; NaN stays NaN.
DLK_INLINE void dlk_store_bf16(void *target, dlk_vf value) {
  dlk_vu bits = (dlk_vu)value;
  dlk_vu rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  dlk_vu result = dlk_select_bits(value == value, rounded, (bits >> 16) | 0x40);
  *(dlk_vh_unaligned *)target = __builtin_convertvector(result, dlk_vh);
}

#if defined(__F16C__)
typedef _Float16 dlk_vf16 __attribute__((vector_size(DLK_VECTOR_BYTES / 2)));
typedef _Float16 dlk_vf16_unaligned __attribute__((vector_size(DLK_VECTOR_BYTES / 2), aligned(1), may_alias));
DLK_INLINE dlk_vf dlk_load_f16(const void *source) {
  return __builtin_convertvector(*(const dlk_vf16_unaligned *)source, dlk_vf);
}
DLK_INLINE void dlk_store_f16(void *target, dlk_vf value) {
  *(dlk_vf16_unaligned *)target = __builtin_convertvector(value, dlk_vf16);
}
#else
/// Multiplying by 2¹¹² moves the exponent's bias and normalises denormals; infinities and NaN get their exponent put
/// back.
DLK_INLINE dlk_vf dlk_load_f16(const void *source) {
  dlk_vu raw = __builtin_convertvector(*(const dlk_vh_unaligned *)source, dlk_vu);
  dlk_vu magnitude = (raw & 0x7fff) << 13;
  dlk_vu finite = (dlk_vu)((dlk_vf)magnitude * 0x1p112f);
  dlk_vu result = dlk_select_bits((dlk_vi)magnitude >= 0x0f800000, magnitude | 0x7f800000, finite);
  return (dlk_vf)(result | ((raw & 0x8000) << 16));
}
/// Normal results round in integer arithmetic; denormal ones by adding 0.5, whose last bit has a half's smallest
/// weight.
DLK_INLINE void dlk_store_f16(void *target, dlk_vf value) {
  dlk_vu bits = (dlk_vu)value, sign = (bits >> 16) & 0x8000;
  dlk_vu magnitude = bits & 0x7fffffff;
  dlk_vu normal = (magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13;
  dlk_vu denormal = (dlk_vu)((dlk_vf)magnitude + 0.5f) - 0x3f000000;
  dlk_vu result = dlk_select_bits((dlk_vi)magnitude < 0x38800000, denormal, normal);
  result = dlk_select_bits((dlk_vi)magnitude >= 0x477ff000, (dlk_vu){} + 0x7c00, result);
  result = dlk_select_bits((dlk_vi)magnitude > 0x7f800000, ((magnitude >> 13) & 0x3ff) | 0x7e00, result);
  *(dlk_vh_unaligned *)target = __builtin_convertvector(result | sign, dlk_vh);
}
#endif

// Partial 16-bit loads and stores go through a whole vector on the stack.

DLK_INLINE dlk_vf dlk_load_f16_partial(const void *source, intptr_t count) {
  uint16_t whole[DLK_VECTOR_BYTES / 4] = {0};
  memcpy(whole, source, 2 * (size_t)count);
  return dlk_load_f16(whole);
}
DLK_INLINE dlk_vf dlk_load_bf16_partial(const void *source, intptr_t count) {
  uint16_t whole[DLK_VECTOR_BYTES / 4] = {0};
  memcpy(whole, source, 2 * (size_t)count);
  return dlk_load_bf16(whole);
}
DLK_INLINE void dlk_store_f16_partial(void *target, dlk_vf value, intptr_t count) {
  uint16_t whole[DLK_VECTOR_BYTES / 4];
  dlk_store_f16(whole, value);
  memcpy(target, whole, 2 * (size_t)count);
}
DLK_INLINE void dlk_store_bf16_partial(void *target, dlk_vf value, intptr_t count) {
  uint16_t whole[DLK_VECTOR_BYTES / 4];
  dlk_store_bf16(whole, value);
  memcpy(target, whole, 2 * (size_t)count);
}
