#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "error.h"

/* zlib counts in unsigned int; a stream of any size is fed in pieces. */
static uInt piece(size_t left) { return left > UINT_MAX ? UINT_MAX : (uInt)left; }

dlf_status dlf_inflate(const uint8_t *bytes, size_t count, uint8_t *output, size_t output_count, dlf_error *error) {
  z_stream stream = {0};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return dlf_fail(error, DLF_NO_MEMORY, "deflate: no memory");
  // zlib wants an address even where no byte is to be written.
  uint8_t nowhere = 0;
  size_t read = 0, written = 0;
  int code = Z_OK;
  while (code == Z_OK) {
    const uInt in = piece(count - read), out = piece(output_count - written);
    stream.next_in = (Bytef *)bytes + read;
    stream.avail_in = in;
    stream.next_out = out ? output + written : &nowhere;
    stream.avail_out = out;
    code = inflate(&stream, Z_NO_FLUSH);
    read += in - stream.avail_in;
    written += out - stream.avail_out;
  }
  const char *reason = stream.msg;
  inflateEnd(&stream);
  if (code == Z_MEM_ERROR) return dlf_fail(error, DLF_NO_MEMORY, "deflate: no memory");
  if (code == Z_STREAM_END && written == output_count) return DLF_OK;
  if (code == Z_STREAM_END)
    return dlf_fail(error, DLF_MALFORMED, "deflate: %zu bytes, expected %zu", written, output_count);
  if (code == Z_BUF_ERROR && written == output_count)
    return dlf_fail(error, DLF_MALFORMED, "deflate: more than the expected %zu bytes", output_count);
  return dlf_fail(error, DLF_MALFORMED, "deflate: %s", reason ? reason : "the stream is cut off");
}

dlf_status dlf_deflate(const uint8_t *bytes, size_t count, uint8_t **output, size_t *output_count, dlf_error *error) {
  *output = NULL;
  *output_count = 0;
  z_stream stream = {0};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return dlf_fail(error, DLF_NO_MEMORY, "deflate: no memory");
  const size_t bound = deflateBound(&stream, count);
  uint8_t *buffer = malloc(bound ? bound : 1);
  size_t read = 0, written = 0;
  int code = buffer ? Z_OK : Z_MEM_ERROR;
  while (code == Z_OK) {
    const uInt in = piece(count - read), out = piece(bound - written);
    stream.next_in = (Bytef *)bytes + read;
    stream.avail_in = in;
    stream.next_out = buffer + written;
    stream.avail_out = out;
    code = deflate(&stream, in == count - read ? Z_FINISH : Z_NO_FLUSH);
    read += in - stream.avail_in;
    written += out - stream.avail_out;
  }
  deflateEnd(&stream);
  if (code != Z_STREAM_END) {
    free(buffer);
    return dlf_fail(error, DLF_NO_MEMORY, "deflate: no memory for %zu bytes", bound);
  }
  *output = buffer;
  *output_count = written;
  return DLF_OK;
}

uint32_t dlf_crc32(uint32_t crc, const uint8_t *bytes, size_t count) { return (uint32_t)crc32_z(crc, bytes, count); }
