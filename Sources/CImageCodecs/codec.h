#pragma once

#include "CImageCodecs.h"

typedef struct dlc_source {
  const uint8_t *bytes;
  size_t count;
  size_t max_pixels;
} dlc_source;

dlc_status dlc_jpeg(dlc_source source, dlc_image *image);
dlc_status dlc_jpeg2000(dlc_source source, dlc_image *image);
dlc_status dlc_png(dlc_source source, dlc_image *image);
dlc_status dlc_tiff(dlc_source source, dlc_image *image);
dlc_status dlc_webp(dlc_source source, dlc_image *image);

/* Writes the message, cut to fit, and returns the status. */
dlc_status dlc_fail(dlc_image *image, dlc_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Checks the size and takes memory for the pixels. */
dlc_status dlc_prepare(dlc_image *image, dlc_source source, size_t width, size_t height);

/* Copies `count` pixels of four bytes without the fourth. */
void dlc_drop_alpha(const uint8_t *from, uint8_t *to, size_t count);

/* Opens a library; NULL, with a message in the image, when it is not there. It stays open. */
void *dlc_open(dlc_image *image, const char *library);

/* Declares a pointer to the library's function of that name, typed by the library's own header. */
#define DLC_FUNCTION(library, name) __typeof__(&name) p_##name = (__typeof__(&name))dlsym(library, #name)
