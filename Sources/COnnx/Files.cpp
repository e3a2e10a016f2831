#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "COnnx.h"

namespace {

// Neither a FIFO nor a terminal may make the opening wait or have effects.
constexpr int file_flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

/// For kernels and sandboxes without openat2: component by component, following no link at all.
int open_stepwise(int directory, const char *path) {
  int current = directory;
  for (const char *part = path;;) {
    while (*part == '/') ++part;
    const size_t length = strcspn(part, "/");
    char name[NAME_MAX + 1];
    int next = -1;
    if (length == 0) {
      errno = EISDIR;
    } else if (length > NAME_MAX) {
      errno = ENAMETOOLONG;
    } else if (length == 2 && part[0] == '.' && part[1] == '.') {
      errno = EXDEV;
    } else {
      memcpy(name, part, length);
      name[length] = '\0';
      const bool last = part[length] == '\0';
      next = openat(current, name, O_NOFOLLOW | (last ? file_flags : O_PATH | O_DIRECTORY | O_CLOEXEC));
    }
    const int failure = errno;
    if (current != directory) close(current);
    if (next < 0) return -failure;
    current = next;
    part += length;
    if (*part == '\0') return current;
  }
}

}  // namespace

int connx_open_beneath(const char *directory, const char *path) {
  if (path[0] == '/') return -EXDEV;
  const int parent = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (parent < 0) return -errno;
  struct open_how how = {};
  how.flags = file_flags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  int descriptor = static_cast<int>(syscall(SYS_openat2, parent, path, &how, sizeof how));
  if (descriptor < 0) descriptor = errno == ENOSYS || errno == EPERM ? open_stepwise(parent, path) : -errno;
  close(parent);
  if (descriptor < 0) return descriptor;
  struct stat status;
  if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) return descriptor;
  close(descriptor);
  return -EINVAL;
}
