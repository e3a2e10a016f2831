#pragma once

#include "dlk_cpu.h"

/// The entries of one instruction set level. A table lives as long as the process and never changes.
typedef struct dlk_kernel_table {
  /// The level's name in profiles and in `DLRT_ISA`: baseline, avx2, avx512, avx512vnni.
  const char *isa;
  /// Floats in one vector register.
  int32_t vector_floats;
} dlk_kernel_table;
