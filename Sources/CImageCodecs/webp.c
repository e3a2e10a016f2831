#include <dlfcn.h>

#include "codec.h"

#if __has_include(<webp/decode.h>)
#include <webp/decode.h>

dlc_status dlc_webp(dlc_source source, dlc_image *image) {
  void *library = dlc_open(image, "libwebp.so.7");
  if (!library) return DLC_MISSING;
  DLC_FUNCTION(library, WebPGetInfo);
  DLC_FUNCTION(library, WebPDecodeRGBInto);
  if (!p_WebPGetInfo || !p_WebPDecodeRGBInto) return dlc_fail(image, DLC_MISSING, "libwebp.so.7 lacks its decoder");

  int width = 0, height = 0;
  if (!p_WebPGetInfo(source.bytes, source.count, &width, &height) || width < 0 || height < 0)
    return dlc_fail(image, DLC_MALFORMED, "no WebP image");
  const dlc_status status = dlc_prepare(image, source, (size_t)width, (size_t)height);
  if (status != DLC_OK) return status;
  if (!p_WebPDecodeRGBInto(source.bytes, source.count, image->pixels, image->width * image->height * 3, 3 * width))
    return dlc_fail(image, DLC_MALFORMED, "the WebP data are broken");
  return DLC_OK;
}
#else
dlc_status dlc_webp(dlc_source source, dlc_image *image) {
  return dlc_fail(image, DLC_MISSING, "built without libwebp-dev");
}
#endif
