#include "CAllocationProbe.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>

static _Thread_local int64_t allocations;
static _Thread_local int64_t live_bytes;

int64_t dlp_allocations(void) { return allocations; }
int64_t dlp_live_bytes(void) { return live_bytes; }

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DLP_SANITIZED 1
#endif
#endif

#ifdef DLP_SANITIZED

bool dlp_is_active(void) { return false; }

#else

bool dlp_is_active(void) { return true; }

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static void *taken(void *memory) {
  if (memory) {
    allocations++;
    live_bytes += (int64_t)malloc_usable_size(memory);
  }
  return memory;
}

void *malloc(size_t size) { return taken(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return taken(__libc_calloc(count, size)); }
void *memalign(size_t alignment, size_t size) { return taken(__libc_memalign(alignment, size)); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **memory, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
  void *made = memalign(alignment, size);
  if (!made) return ENOMEM;
  *memory = made;
  return 0;
}

void *realloc(void *memory, size_t size) {
  const int64_t before = memory ? (int64_t)malloc_usable_size(memory) : 0;
  void *made = __libc_realloc(memory, size);
  if (made || size == 0) live_bytes -= before;
  return taken(made);
}

void free(void *memory) {
  if (memory) live_bytes -= (int64_t)malloc_usable_size(memory);
  __libc_free(memory);
}

#endif
