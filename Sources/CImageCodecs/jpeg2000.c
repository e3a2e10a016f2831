#include <dlfcn.h>
#include <string.h>

#include "codec.h"

#if __has_include(<openjpeg-2.5/openjpeg.h>)
#include <openjpeg-2.5/openjpeg.h>

/* Colours and transparency. The decoder takes memory for each component that a file has. */
enum { most_components = 4 };

typedef struct memory_file {
  const uint8_t *bytes;
  size_t count;
  size_t position;
} memory_file;

static OPJ_SIZE_T read_bytes(void *target, OPJ_SIZE_T count, void *context) {
  memory_file *file = context;
  const size_t left = file->count - file->position;
  if (left == 0) return (OPJ_SIZE_T)-1;
  const size_t size = count < left ? count : left;
  memcpy(target, file->bytes + file->position, size);
  file->position += size;
  return size;
}

static OPJ_OFF_T skip_bytes(OPJ_OFF_T count, void *context) {
  memory_file *file = context;
  const size_t left = file->count - file->position;
  if (count < 0) return -1;
  file->position += (size_t)count < left ? (size_t)count : left;
  return count;
}

static OPJ_BOOL seek(OPJ_OFF_T position, void *context) {
  memory_file *file = context;
  if (position < 0 || (size_t)position > file->count) return OPJ_FALSE;
  file->position = (size_t)position;
  return OPJ_TRUE;
}

/* A sample as 8 bits; components may be coarser than the image. */
static int sample(const opj_image_comp_t *component, size_t x, size_t y) {
  const size_t column = x / component->dx, row = y / component->dy;
  if (column >= component->w || row >= component->h || !component->data) return 0;
  int64_t value = component->data[row * component->w + column];
  const int bits = (int)component->prec;
  if (component->sgnd) value += (int64_t)1 << (bits - 1);
  if (bits > 8) value >>= bits - 8;
  else if (bits < 8) value = value * 255 / (((int64_t)1 << bits) - 1);
  return value < 0 ? 0 : value > 255 ? 255 : (int)value;
}

static uint8_t clamped(double value) { return value < 0 ? 0 : value > 255 ? 255 : (uint8_t)(value + 0.5); }

static dlc_status copy(const opj_image_t *decoded, dlc_image *image) {
  const opj_image_comp_t *components = decoded->comps;
  const int colours = decoded->numcomps >= 3;
  for (uint32_t i = 0; i < (colours ? 3u : 1u); i++)
    if (components[i].prec < 1 || components[i].prec > 31 || components[i].dx == 0 || components[i].dy == 0)
      return dlc_fail(image, DLC_MALFORMED, "the JPEG 2000 components are not readable");
  uint8_t *to = image->pixels;
  for (size_t y = 0; y < image->height; y++)
    for (size_t x = 0; x < image->width; x++, to += 3) {
      const int first = sample(&components[0], x, y);
      to[0] = to[1] = to[2] = (uint8_t)first;
      if (!colours) continue;
      const int second = sample(&components[1], x, y), third = sample(&components[2], x, y);
      if (decoded->color_space == OPJ_CLRSPC_SYCC) {
        to[0] = clamped(first + 1.402 * (third - 128));
        to[1] = clamped(first - 0.344136 * (second - 128) - 0.714136 * (third - 128));
        to[2] = clamped(first + 1.772 * (second - 128));
      } else {
        to[1] = (uint8_t)second;
        to[2] = (uint8_t)third;
      }
    }
  return DLC_OK;
}

dlc_status dlc_jpeg2000(dlc_source source, dlc_image *image) {
  void *library = dlc_open(image, "libopenjp2.so.7");
  if (!library) return DLC_MISSING;
  DLC_FUNCTION(library, opj_create_decompress);
  DLC_FUNCTION(library, opj_set_default_decoder_parameters);
  DLC_FUNCTION(library, opj_setup_decoder);
  DLC_FUNCTION(library, opj_stream_create);
  DLC_FUNCTION(library, opj_stream_set_read_function);
  DLC_FUNCTION(library, opj_stream_set_skip_function);
  DLC_FUNCTION(library, opj_stream_set_seek_function);
  DLC_FUNCTION(library, opj_stream_set_user_data);
  DLC_FUNCTION(library, opj_stream_set_user_data_length);
  DLC_FUNCTION(library, opj_read_header);
  DLC_FUNCTION(library, opj_decode);
  DLC_FUNCTION(library, opj_image_destroy);
  DLC_FUNCTION(library, opj_stream_destroy);
  DLC_FUNCTION(library, opj_destroy_codec);
  if (!p_opj_create_decompress || !p_opj_set_default_decoder_parameters || !p_opj_setup_decoder ||
      !p_opj_stream_create || !p_opj_stream_set_read_function || !p_opj_stream_set_skip_function ||
      !p_opj_stream_set_seek_function || !p_opj_stream_set_user_data || !p_opj_stream_set_user_data_length ||
      !p_opj_read_header || !p_opj_decode || !p_opj_image_destroy || !p_opj_stream_destroy || !p_opj_destroy_codec)
    return dlc_fail(image, DLC_MISSING, "libopenjp2.so.7 is too old");

  // A file begins with a box, a bare code stream with its marker.
  const int bare = source.count > 0 && source.bytes[0] == 0xFF;
  opj_codec_t *codec = p_opj_create_decompress(bare ? OPJ_CODEC_J2K : OPJ_CODEC_JP2);
  opj_stream_t *stream = p_opj_stream_create(1 << 16, OPJ_TRUE);
  opj_image_t *decoded = NULL;
  memory_file file = {source.bytes, source.count, 0};
  opj_dparameters_t parameters;
  p_opj_set_default_decoder_parameters(&parameters);
  dlc_status status = DLC_OK;
  if (!codec || !stream) {
    status = dlc_fail(image, DLC_LIMIT, "no memory for a decoder");
  } else {
    p_opj_stream_set_read_function(stream, read_bytes);
    p_opj_stream_set_skip_function(stream, skip_bytes);
    p_opj_stream_set_seek_function(stream, seek);
    p_opj_stream_set_user_data(stream, &file, NULL);
    p_opj_stream_set_user_data_length(stream, source.count);
    if (!p_opj_setup_decoder(codec, &parameters) || !p_opj_read_header(stream, codec, &decoded) ||
        decoded->numcomps == 0 || decoded->x1 < decoded->x0 || decoded->y1 < decoded->y0)
      status = dlc_fail(image, DLC_MALFORMED, "no JPEG 2000 image");
    else if (decoded->numcomps > most_components)
      status = dlc_fail(image, DLC_LIMIT, "a JPEG 2000 image of more than 4 components");
  }
  if (status == DLC_OK) status = dlc_prepare(image, source, decoded->x1 - decoded->x0, decoded->y1 - decoded->y0);
  if (status == DLC_OK && !p_opj_decode(codec, stream, decoded))
    status = dlc_fail(image, DLC_MALFORMED, "the JPEG 2000 data are broken");
  if (status == DLC_OK) status = copy(decoded, image);
  if (decoded) p_opj_image_destroy(decoded);
  if (stream) p_opj_stream_destroy(stream);
  if (codec) p_opj_destroy_codec(codec);
  return status;
}
#else
dlc_status dlc_jpeg2000(dlc_source source, dlc_image *image) {
  return dlc_fail(image, DLC_MISSING, "built without libopenjp2-7-dev");
}
#endif
