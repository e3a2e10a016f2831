#pragma once

#include <stdint.h>

/// How many CPUs the calling process may run on, or 0 when the system does not tell.
int32_t dlk_affinity_count(void);
