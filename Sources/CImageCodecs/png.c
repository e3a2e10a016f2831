#include <dlfcn.h>
#include <png.h>
#include <stdlib.h>

#include "codec.h"

dlc_status dlc_png(dlc_source source, dlc_image *image) {
  void *library = dlc_open(image, "libpng16.so.16");
  if (!library) return DLC_MISSING;
  DLC_FUNCTION(library, png_image_begin_read_from_memory);
  DLC_FUNCTION(library, png_image_finish_read);
  DLC_FUNCTION(library, png_image_free);
  if (!p_png_image_begin_read_from_memory || !p_png_image_finish_read || !p_png_image_free)
    return dlc_fail(image, DLC_MISSING, "libpng16.so.16 lacks the simple interface");

  png_image png = {.version = PNG_IMAGE_VERSION};
  if (!p_png_image_begin_read_from_memory(&png, source.bytes, source.count))
    return dlc_fail(image, DLC_MALFORMED, "%s", png.message);
  dlc_status status = dlc_prepare(image, source, png.width, png.height);
  if (status == DLC_OK) {
    // With transparency kept apart the library leaves the colours as they are; samples of 16 bits are taken for sRGB
    // like those of 8, not for linear light.
    png.format = PNG_FORMAT_RGBA;
    png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    uint8_t *pixels = malloc(PNG_IMAGE_SIZE(png));
    if (!pixels)
      status = dlc_fail(image, DLC_LIMIT, "no memory for %u x %u pixels", png.width, png.height);
    else if (!p_png_image_finish_read(&png, NULL, pixels, 0, NULL))
      status = dlc_fail(image, DLC_MALFORMED, "%s", png.message);
    else
      dlc_drop_alpha(pixels, image->pixels, image->width * image->height);
    free(pixels);
  }
  p_png_image_free(&png);
  return status;
}
