#include <limits.h>
#include <stdlib.h>
#include <turbojpeg.h>

#include "error.h"
#include "pixels.h"

static dlf_status decode(tjhandle decoder, const uint8_t *bytes, size_t count, size_t channels, size_t max_pixels,
                         dlf_image *image, dlf_error *error) {
  int width = 0, height = 0, subsampling = 0, colours = 0;
  if (tjDecompressHeader3(decoder, bytes, count, &width, &height, &subsampling, &colours) != 0)
    return dlf_fail(error, DLF_MALFORMED, "JPEG: %s", tjGetErrorStr2(decoder));
  if (colours == TJCS_CMYK || colours == TJCS_YCCK)
    return dlf_fail(error, DLF_UNSUPPORTED, "JPEG: CMYK images are not read");

  const size_t native = colours == TJCS_GRAY ? 1 : 3;
  const dlf_status status =
      dlf_image_plan(image, (size_t)width, (size_t)height, native, channels, max_pixels, error);
  if (status != DLF_OK) return status;
  image->pixels = malloc(image->width * image->height * image->channels);
  if (!image->pixels)
    return dlf_fail(error, DLF_NO_MEMORY, "JPEG: no memory for %d x %d pixels", width, height);

  // A few bytes can describe thousands of passes over the image, hence the limit on scans.
  const int flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS | TJFLAG_STOPONWARNING;
  const int format = image->channels == 3 ? TJPF_RGB : TJPF_GRAY;
  if (tjDecompress2(decoder, bytes, count, image->pixels, width, 0, height, format, flags) != 0)
    return dlf_fail(error, DLF_MALFORMED, "JPEG: %s", tjGetErrorStr2(decoder));
  return DLF_OK;
}

dlf_status dlf_jpeg_decode(const uint8_t *bytes, size_t count, size_t channels, size_t max_pixels, dlf_image *image,
                           dlf_error *error) {
  *image = (dlf_image){0};
  if (count > ULONG_MAX) return dlf_fail(error, DLF_LIMIT, "JPEG: file is too large");
  tjhandle decoder = tjInitDecompress();
  if (!decoder) return dlf_fail(error, DLF_NO_MEMORY, "JPEG: %s", tjGetErrorStr2(NULL));
  const dlf_status status = decode(decoder, bytes, count, channels, max_pixels, image, error);
  tjDestroy(decoder);
  if (status != DLF_OK) {
    free(image->pixels);
    *image = (dlf_image){0};
  }
  return status;
}
