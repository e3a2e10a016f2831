/* Counts what the calling thread takes from the heap, by standing in for malloc and its kin in the test executable. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* False under sanitizers, which stand in for malloc themselves. */
bool dlp_is_active(void);

/* Calls of malloc, calloc, realloc and memalign by this thread so far. */
int64_t dlp_allocations(void);

/* Bytes taken minus bytes given back by this thread so far. */
int64_t dlp_live_bytes(void);
