/* What the files of this test share. */
#ifndef CHECK_H
#define CHECK_H

#include <dlrt.h>
#include <stdio.h>

extern int checks, failures;

#define CHECK(condition)                                                                              \
  do {                                                                                                \
    checks++;                                                                                         \
    if (!(condition)) {                                                                               \
      failures++;                                                                                     \
      fprintf(stderr, "%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #condition, dlrt_last_error()); \
    }                                                                                                 \
  } while (0)

/* The call fails with this status, and says why. */
#define CHECK_FAILS(status, call)            \
  do {                                       \
    CHECK((call) == (status));               \
    CHECK(dlrt_last_error()[0] != 0);        \
  } while (0)

/* operators.c: MODEL is that of samples/plugin, PLUGIN its plugin. */
void test_operators(const char *model, const char *plugin);

#endif
