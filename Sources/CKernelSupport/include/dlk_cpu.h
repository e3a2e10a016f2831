#pragma once

#include <stdbool.h>
#include <stdint.h>

/// Instruction set levels, lowest first; each includes the ones before it.
typedef enum dlk_isa : int32_t {
  DLK_ISA_BASELINE = 0,    ///< x86-64 (SSE2)
  DLK_ISA_AVX2 = 1,        ///< x86-64-v3 (AVX2, FMA, F16C, BMI)
  DLK_ISA_AVX512 = 2,      ///< x86-64-v4 (AVX-512 F, BW, CD, DQ, VL)
  DLK_ISA_AVX512VNNI = 3,  ///< x86-64-v4 with VNNI
} dlk_isa;

/// The highest level that both the CPU and the operating system support.
dlk_isa dlk_cpu_isa(void);

/// Whether vectors are added by units that do not multiply, at the same rate (AMD's Zen processors).
bool dlk_cpu_adds_beside_multiplying(void);

/// Whether what lies beyond the second-level cache comes slowly beside a core's arithmetic: some 10 GB/s of 180 GFLOP/s
/// (Intel's processors with AVX-512, whose caches a mesh joins).
bool dlk_cpu_waits_for_memory(void);

/// Bytes of level-1 data, level-2 and level-3 cache seen by one core; a usual size where the system does not tell.
int64_t dlk_cpu_cache_bytes(int32_t level);
