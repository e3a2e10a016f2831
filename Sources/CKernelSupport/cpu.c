#include "dlk_cpu.h"

#include <unistd.h>

dlk_isa dlk_cpu_isa(void) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("x86-64-v3")) return DLK_ISA_BASELINE;
  if (!__builtin_cpu_supports("x86-64-v4")) return DLK_ISA_AVX2;
  return __builtin_cpu_supports("avx512vnni") ? DLK_ISA_AVX512VNNI : DLK_ISA_AVX512;
}

bool dlk_cpu_adds_beside_multiplying(void) {
  __builtin_cpu_init();
  return __builtin_cpu_is("amd");
}

bool dlk_cpu_waits_for_memory(void) {
  __builtin_cpu_init();
  return __builtin_cpu_is("intel") && __builtin_cpu_supports("x86-64-v4");
}

int64_t dlk_cpu_cache_bytes(int32_t level) {
  long bytes = 0;
  switch (level) {
    case 1: bytes = sysconf(_SC_LEVEL1_DCACHE_SIZE); return bytes > 0 ? bytes : 32 << 10;
    case 2: bytes = sysconf(_SC_LEVEL2_CACHE_SIZE); return bytes > 0 ? bytes : 512 << 10;
    default: bytes = sysconf(_SC_LEVEL3_CACHE_SIZE); return bytes > 0 ? bytes : 8 << 20;
  }
}
