#pragma once

#include "dlk_gemm.h"

/// Recurrent weights R, one matrix `[hidden][k]` per gate, with any strides (in elements) at any alignment, written as
/// `[⌈hidden / vector_floats⌉][k][gates][vector_floats]`: one panel yields all gates of a vector of units.
typedef struct dlk_pack_recurrent_args {
  const void *source;  ///< floats
  int64_t gates, hidden, k;
  int64_t gate_stride, unit_stride, k_stride;
  float *packed;  ///< `packed_recurrent_floats(gates, hidden, k)` floats
} dlk_pack_recurrent_args;

/// One step of a recurrent layer over a batch. A step is split over threads by panels of `vector_floats` units; all
/// panels of a step must be done before the next step.
///
/// LSTM, gates in ONNX's order i, o, f, c with g_· = gates_· + h·R_·:
///     i = σ(g_i + p_i∘c)   f = σ(g_f + p_f∘c)   C = f∘c + i∘tanh(g_c)   o = σ(g_o + p_o∘C)   H = o∘tanh(C)
/// GRU, gates z, r, h, the reset gate applied after the product (`linear_before_reset`):
///     z = σ(g_z)   r = σ(g_r)   n = tanh(gates_h + r∘(h·R_h + recurrent_bias))   H = (1 − z)∘n + z∘h
typedef struct dlk_recurrent_args {
  int64_t batch, hidden;
  const float *gates;           ///< x·W + biases, [batch][gate][hidden]
  int64_t gates_row_stride;     ///< floats from one item of the batch to the next
  int64_t next_gates;           ///< floats from `gates` to those of the step that follows, to be fetched; 0 for none
  const float *weights;         ///< packed, k = hidden
  const float *h;               ///< the previous output, [batch][hidden]
  int64_t h_row_stride;
  float *out;                   ///< H, [batch][hidden]; not h itself
  int64_t out_row_stride;
  float *c;                     ///< LSTM: the cell state, [batch][hidden], replaced by C
  int64_t c_row_stride;
  const float *peepholes;       ///< LSTM: p_i, p_o, p_f, [3][hidden], or null
  const float *recurrent_bias;  ///< GRU: [hidden], or null
  int32_t fetches;              ///< boolean: the second-level cache lacks weights: lines are asked for early
  int32_t descending;           ///< boolean: last panel first, so that what the cache still holds comes first
  /// Panels before `middle` sum h·R from unit 0 on; the others from unit `middle · vector_floats` on, and the rest
  /// last: two threads with half of the units each can begin a step with what they have made themselves.
  int64_t middle;
  /// Pairs of panels that come first, and are begun before the rest of h is there: 0 for none. A call with `begins`
  /// leaves their sums in `sums`; the next one, for the same panels, goes on from there and does everything else.
  int64_t begun;
  int32_t begins;               ///< boolean
  float *sums;                  ///< [begun][2][gate][vector_floats], aligned to 64 bytes; null if none are begun
} dlk_recurrent_args;
