#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"

#if __has_include(<tiffio.h>)
#include <tiffio.h>

/* The file in memory that libtiff reads through the functions below. */
typedef struct memory_file {
  const uint8_t *bytes;
  size_t count;
  size_t position;
} memory_file;

static tmsize_t read_bytes(thandle_t handle, void *target, tmsize_t count) {
  memory_file *file = handle;
  if (count <= 0 || file->position >= file->count) return 0;
  const size_t left = file->count - file->position;
  const size_t size = (size_t)count < left ? (size_t)count : left;
  memcpy(target, file->bytes + file->position, size);
  file->position += size;
  return (tmsize_t)size;
}

static tmsize_t write_bytes(thandle_t handle, void *source, tmsize_t count) { return -1; }

static toff_t seek(thandle_t handle, toff_t offset, int whence) {
  memory_file *file = handle;
  const toff_t base = whence == SEEK_CUR ? file->position : whence == SEEK_END ? file->count : 0;
  file->position = (size_t)(base + offset);
  return file->position;
}

static int close_file(thandle_t handle) { return 0; }
static toff_t file_size(thandle_t handle) { return ((memory_file *)handle)->count; }

/* What the library has to say is said by our own message. */
static int ignore(TIFF *tiff, void *context, const char *module, const char *format, va_list arguments) { return 1; }

dlc_status dlc_tiff(dlc_source source, dlc_image *image) {
  void *library = dlc_open(image, "libtiff.so.6");
  if (!library) return DLC_MISSING;
  DLC_FUNCTION(library, TIFFOpenOptionsAlloc);
  DLC_FUNCTION(library, TIFFOpenOptionsFree);
  DLC_FUNCTION(library, TIFFOpenOptionsSetErrorHandlerExtR);
  DLC_FUNCTION(library, TIFFOpenOptionsSetWarningHandlerExtR);
  DLC_FUNCTION(library, TIFFOpenOptionsSetMaxSingleMemAlloc);
  DLC_FUNCTION(library, TIFFClientOpenExt);
  DLC_FUNCTION(library, TIFFGetField);
  DLC_FUNCTION(library, TIFFReadRGBAImageOriented);
  DLC_FUNCTION(library, TIFFClose);
  if (!p_TIFFOpenOptionsAlloc || !p_TIFFOpenOptionsFree || !p_TIFFOpenOptionsSetErrorHandlerExtR ||
      !p_TIFFOpenOptionsSetWarningHandlerExtR || !p_TIFFOpenOptionsSetMaxSingleMemAlloc || !p_TIFFClientOpenExt ||
      !p_TIFFGetField || !p_TIFFReadRGBAImageOriented || !p_TIFFClose)
    return dlc_fail(image, DLC_MISSING, "libtiff.so.6 is older than 4.5");

  TIFFOpenOptions *options = p_TIFFOpenOptionsAlloc();
  if (!options) return dlc_fail(image, DLC_LIMIT, "no memory for a decoder");
  p_TIFFOpenOptionsSetErrorHandlerExtR(options, ignore, NULL);
  p_TIFFOpenOptionsSetWarningHandlerExtR(options, ignore, NULL);
  p_TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)(source.max_pixels * 8 + (1 << 20)));
  memory_file file = {source.bytes, source.count, 0};
  TIFF *tiff = p_TIFFClientOpenExt("image", "rm", &file, read_bytes, write_bytes, seek, close_file, file_size, NULL,
                                   NULL, options);
  p_TIFFOpenOptionsFree(options);
  if (!tiff) return dlc_fail(image, DLC_MALFORMED, "no TIFF image");

  uint32_t width = 0, height = 0;
  dlc_status status;
  if (!p_TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width) || !p_TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height))
    status = dlc_fail(image, DLC_MALFORMED, "the TIFF image has no size");
  else
    status = dlc_prepare(image, source, width, height);
  if (status == DLC_OK) {
    uint32_t *pixels = malloc(image->width * image->height * 4);
    if (!pixels)
      status = dlc_fail(image, DLC_LIMIT, "no memory for %u x %u pixels", width, height);
    else if (!p_TIFFReadRGBAImageOriented(tiff, width, height, pixels, ORIENTATION_TOPLEFT, 1))
      status = dlc_fail(image, DLC_MALFORMED, "the TIFF data are broken");
    else
      dlc_drop_alpha((const uint8_t *)pixels, image->pixels, image->width * image->height);
    free(pixels);
  }
  p_TIFFClose(tiff);
  return status;
}
#else
dlc_status dlc_tiff(dlc_source source, dlc_image *image) {
  return dlc_fail(image, DLC_MISSING, "built without libtiff-dev");
}
#endif
