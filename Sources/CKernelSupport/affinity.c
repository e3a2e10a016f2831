#define _GNU_SOURCE
#include "dlk_affinity.h"

#include <sched.h>
#include <stdlib.h>

int32_t dlk_affinity_count(void) {
  // Large machines have more CPUs than a plain cpu_set_t holds; grow until the kernel's mask fits.
  for (int cpus = 1024; cpus <= 1 << 16; cpus *= 2) {
    cpu_set_t *set = CPU_ALLOC(cpus);
    if (set == NULL) return 0;
    size_t size = CPU_ALLOC_SIZE(cpus);
    int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
  return 0;
}
