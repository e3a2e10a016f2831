#pragma once

#include "CFileFormats.h"

/* Writes the message, cut to fit, and returns the status. */
dlf_status dlf_fail(dlf_error *error, dlf_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
