#pragma once

#include <stdint.h>

/// Attention of one head: out[i] = softmax(scale · q[i]·Kᵀ + mask[i]) · V.
typedef struct dlk_attention_args {
  int64_t queries, keys;
  int64_t depth, value_depth;     ///< elements of a query or key, of a value
  const float *q;
  int64_t q_row_stride;           ///< floats
  const float *k;                 ///< [keys][depth], which is good for a few queries; or packed
  int64_t k_row_stride;           ///< of keys that are not packed
  int32_t k_packed;               ///< boolean: the keys are as `pack_b` leaves them: B[depth][keys], that is Kᵀ
  const float *v;                 ///< [keys][value_depth]
  int64_t v_row_stride;
  float *out;                     ///< [queries][value_depth]
  int64_t out_row_stride;
  float scale;
  float softcap;                  ///< s becomes softcap · tanh(s / softcap) before the mask is added; 0: none
  const float *mask;              ///< added to the scaled products, [queries][keys], or null; −∞ hides a key
  int64_t mask_row_stride;        ///< 0: one row for all queries
  int32_t causal;                 ///< boolean: query i sees keys 0 … i + causal_offset only
  int64_t causal_offset;
  float unseen;                   ///< what a query that sees no key gets: 0 or NaN
  float *workspace;               ///< `attention_workspace_floats(keys)` floats, not shared between concurrent calls
} dlk_attention_args;
