#include "codec.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

dlc_status dlc_fail(dlc_image *image, dlc_status status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(image->message, sizeof image->message, format, arguments);
  va_end(arguments);
  return status;
}

dlc_status dlc_prepare(dlc_image *image, dlc_source source, size_t width, size_t height) {
  if (width == 0 || height == 0) return dlc_fail(image, DLC_MALFORMED, "the image is empty");
  if (source.max_pixels > SIZE_MAX / 8) source.max_pixels = SIZE_MAX / 8;
  if (height > source.max_pixels / width)
    return dlc_fail(image, DLC_LIMIT, "%zu x %zu pixels; the limit is %zu", width, height, source.max_pixels);
  image->pixels = malloc(width * height * 3);
  if (!image->pixels) return dlc_fail(image, DLC_LIMIT, "no memory for %zu x %zu pixels", width, height);
  image->width = width;
  image->height = height;
  return DLC_OK;
}

void dlc_drop_alpha(const uint8_t *from, uint8_t *to, size_t count) {
  for (size_t i = 0; i < count; i++, from += 4, to += 3) {
    to[0] = from[0];
    to[1] = from[1];
    to[2] = from[2];
  }
}

void *dlc_open(dlc_image *image, const char *library) {
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!handle) dlc_fail(image, DLC_MISSING, "%s", dlerror());
  return handle;
}

dlc_status dlc_decode(dlc_kind kind, const uint8_t *bytes, size_t count, size_t max_pixels, dlc_image *image) {
  static dlc_status (*const codecs[])(dlc_source, dlc_image *) = {dlc_jpeg, dlc_jpeg2000, dlc_png, dlc_tiff, dlc_webp};
  *image = (dlc_image){0};
  const dlc_status status = codecs[kind]((dlc_source){bytes, count, max_pixels}, image);
  if (status != DLC_OK) dlc_release(image);
  return status;
}

void dlc_release(dlc_image *image) {
  free(image->pixels);
  image->pixels = NULL;
}
