#include <dlfcn.h>
#include <limits.h>
#include <turbojpeg.h>

#include "codec.h"

dlc_status dlc_jpeg(dlc_source source, dlc_image *image) {
  void *library = dlc_open(image, "libturbojpeg.so.0");
  if (!library) return DLC_MISSING;
  DLC_FUNCTION(library, tjInitDecompress);
  DLC_FUNCTION(library, tjDecompressHeader3);
  DLC_FUNCTION(library, tjDecompress2);
  DLC_FUNCTION(library, tjDestroy);
  if (!p_tjInitDecompress || !p_tjDecompressHeader3 || !p_tjDecompress2 || !p_tjDestroy)
    return dlc_fail(image, DLC_MISSING, "libturbojpeg.so.0 is too old");
  if (source.count > ULONG_MAX) return dlc_fail(image, DLC_LIMIT, "the file is too large");

  tjhandle decoder = p_tjInitDecompress();
  if (!decoder) return dlc_fail(image, DLC_LIMIT, "no memory for a decoder");
  int width = 0, height = 0, subsampling = 0, colours = 0;
  dlc_status status;
  if (p_tjDecompressHeader3(decoder, source.bytes, source.count, &width, &height, &subsampling, &colours) != 0 ||
      width < 0 || height < 0 || colours == TJCS_CMYK || colours == TJCS_YCCK)
    status = dlc_fail(image, DLC_MALFORMED, "no JPEG image of grey or colours");
  else
    status = dlc_prepare(image, source, (size_t)width, (size_t)height);
  // A few bytes can describe thousands of passes over the image, hence the limit on scans. Smooth upsampling of the
  // chroma, which ONNX asks for, is the library's default.
  const int flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS | TJFLAG_STOPONWARNING;
  if (status == DLC_OK &&
      p_tjDecompress2(decoder, source.bytes, source.count, image->pixels, width, 0, height, TJPF_RGB, flags) != 0)
    status = dlc_fail(image, DLC_MALFORMED, "the JPEG data are broken");
  p_tjDestroy(decoder);
  return status;
}
