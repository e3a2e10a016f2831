#pragma once

#include <stdint.h>

/// How many CPUs the calling process may run on, or 0 when the system does not tell.
int32_t dlk_affinity_count(void);

/// CPUs below 1024, a bit each.
typedef struct {
  uint64_t words[16];
} dlk_affinity;

/// The CPUs that the calling thread may run on; none when there are more than 1024.
void dlk_affinity_get(dlk_affinity *mask);

/// The CPU on which the caller is, or -1.
int32_t dlk_affinity_cpu(void);

/// Lets a thread (a `pthread_t`) run on all CPUs of `mask` but `cpu`, provided that there are any and that it may now
/// run on all of `mask` but `before`. Either may be -1: none.
void dlk_affinity_avoid(uintptr_t thread, const dlk_affinity *mask, int32_t before, int32_t cpu);
