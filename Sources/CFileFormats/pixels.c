#include "pixels.h"

#include "error.h"

dlf_status dlf_image_plan(dlf_image *image, size_t width, size_t height, size_t native, size_t channels,
                          size_t max_pixels, dlf_error *error) {
  if (channels != 0 && channels != 1 && channels != 3)
    return dlf_fail(error, DLF_UNSUPPORTED, "images have 1 or 3 channels, not %zu", channels);
  if (width == 0 || height == 0) return dlf_fail(error, DLF_MALFORMED, "image is empty");
  if (max_pixels > SIZE_MAX / 8) max_pixels = SIZE_MAX / 8;
  if (height > max_pixels / width)
    return dlf_fail(error, DLF_LIMIT, "image of %zu x %zu pixels is too large; the limit is %zu pixels", width, height,
                    max_pixels);
  *image = (dlf_image){.width = width, .height = height, .channels = channels ? channels : native};
  return DLF_OK;
}

void dlf_image_to_grey(dlf_image *image) {
  const uint8_t *from = image->pixels;
  const size_t count = image->width * image->height;
  for (size_t i = 0; i < count; i++, from += 3)
    image->pixels[i] = (uint8_t)((19595u * from[0] + 38470u * from[1] + 7471u * from[2] + 0x8000u) >> 16);
  image->channels = 1;
}
