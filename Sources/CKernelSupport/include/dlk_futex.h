#pragma once

#include <stdint.h>

/// Sleeps while the 32-bit word at `address` equals `expected`, at most `timeout_ns` nanoseconds (negative: no
/// limit). Returns 0 when woken or when the word differed, else `ETIMEDOUT` or `EINTR`; spurious returns happen, so
/// re-check the word.
int32_t dlk_futex_wait(const void *address, uint32_t expected, int64_t timeout_ns);

/// Wakes at most `count` sleepers on the 32-bit word at `address` (`INT32_MAX`: all). Returns how many were woken.
int32_t dlk_futex_wake(const void *address, int32_t count);

/// Tells the core that this is a spin loop.
static inline __attribute__((always_inline)) void dlk_pause(void) { __builtin_ia32_pause(); }
