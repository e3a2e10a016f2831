#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

dlf_status dlf_fail(dlf_error *error, dlf_status status, const char *format, ...) {
  if (error) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
  }
  return status;
}

void dlf_free(void *buffer) { free(buffer); }
