#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "pixels.h"

dlf_status dlf_png_decode(const uint8_t *bytes, size_t count, size_t channels, size_t max_pixels, dlf_image *image,
                          dlf_error *error) {
  png_image png = {.version = PNG_IMAGE_VERSION};
  *image = (dlf_image){0};
  if (!png_image_begin_read_from_memory(&png, bytes, count))
    return dlf_fail(error, DLF_MALFORMED, "PNG: %s", png.message);

  const size_t native = png.format & PNG_FORMAT_FLAG_COLOR ? 3 : 1;
  dlf_status status = dlf_image_plan(image, png.width, png.height, native, channels, max_pixels, error);
  if (status == DLF_OK) {
    // libpng would convert colours to grey in linear light; what models were trained on did not.
    const size_t decoded = native > image->channels ? native : image->channels;
    png.format = decoded == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    // Samples of 16 bits are taken for sRGB like those of 8, not for linear light.
    png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    image->pixels = malloc(PNG_IMAGE_SIZE(png));
    const png_color white = {255, 255, 255};
    if (!image->pixels)
      status = dlf_fail(error, DLF_NO_MEMORY, "PNG: no memory for %zu x %zu pixels", image->width, image->height);
    else if (!png_image_finish_read(&png, &white, image->pixels, 0, NULL))
      status = dlf_fail(error, DLF_MALFORMED, "PNG: %s", png.message);
    else if (decoded > image->channels)
      dlf_image_to_grey(image);
  }
  png_image_free(&png);
  if (status != DLF_OK) {
    free(image->pixels);
    *image = (dlf_image){0};
  }
  return status;
}

dlf_status dlf_png_encode(const dlf_image *image, uint8_t **bytes, size_t *count, dlf_error *error) {
  *bytes = NULL;
  *count = 0;
  const bool fits = image->width - 1 < INT32_MAX / 4 && image->height - 1 < INT32_MAX / 4;
  if (!image->pixels || !fits || (image->channels != 1 && image->channels != 3))
    return dlf_fail(error, DLF_UNSUPPORTED, "PNG: cannot write %zu x %zu pixels of %zu channels", image->width,
                    image->height, image->channels);
  png_image png = {
      .version = PNG_IMAGE_VERSION,
      .width = (png_uint_32)image->width,
      .height = (png_uint_32)image->height,
      .format = image->channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY,
  };
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  uint8_t *buffer = malloc(size);
  if (!buffer) return dlf_fail(error, DLF_NO_MEMORY, "PNG: no memory for %zu bytes", (size_t)size);
  if (!png_image_write_to_memory(&png, buffer, &size, 0, image->pixels, 0, NULL)) {
    free(buffer);
    return dlf_fail(error, DLF_UNSUPPORTED, "PNG: %s", png.message);
  }
  *bytes = buffer;
  *count = size;
  return DLF_OK;
}
