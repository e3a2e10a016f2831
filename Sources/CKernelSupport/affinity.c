#define _GNU_SOURCE
#include "dlk_affinity.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

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

_Static_assert(sizeof(dlk_affinity) == sizeof(cpu_set_t), "a plain cpu_set_t");

void dlk_affinity_get(dlk_affinity *mask) {
  if (sched_getaffinity(0, sizeof *mask, (cpu_set_t *)mask) != 0) memset(mask, 0, sizeof *mask);
}

int32_t dlk_affinity_cpu(void) { return sched_getcpu(); }

static void without(cpu_set_t *set, const dlk_affinity *mask, int32_t cpu) {
  memcpy(set, mask, sizeof *set);
  if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_CLR(cpu, set);
}

void dlk_affinity_avoid(uintptr_t thread, const dlk_affinity *mask, int32_t before, int32_t cpu) {
  cpu_set_t present, expected, wanted;
  without(&expected, mask, before);
  without(&wanted, mask, cpu);
  if (CPU_COUNT(&expected) == 0) memcpy(&expected, mask, sizeof expected);
  if (CPU_COUNT(&wanted) == 0) memcpy(&wanted, mask, sizeof wanted);
  if (CPU_COUNT(&wanted) == 0 || pthread_getaffinity_np((pthread_t)thread, sizeof present, &present) != 0) return;
  if (CPU_EQUAL(&present, &expected)) pthread_setaffinity_np((pthread_t)thread, sizeof wanted, &wanted);
}
