#define _GNU_SOURCE
#include "dlk_memory.h"

#include <sys/mman.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

int dlk_move_pages(void *from, void *to, size_t count) {
  if (mremap(from, count, count, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) == to) return 1;
  // A system short of memory may have unmapped the target before it found out.
  void *restored = mmap(to, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  // Before Linux 4.17 the place is but a wish, which is not granted where the target is still there.
  if (restored != MAP_FAILED && restored != to) munmap(restored, count);
  return 0;
}
