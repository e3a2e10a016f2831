/* File formats of the command line, behind plain C: PNG and JPEG images, deflate (for .npz), JSON.
 *
 * All input may be hostile: sizes are checked before memory is taken, and every failure is a status and a message.
 * Buffers handed out are released with dlf_free. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dlf_status {
  DLF_OK = 0,
  DLF_MALFORMED,   /* the bytes break the format */
  DLF_UNSUPPORTED, /* a variant of the format that is not read */
  DLF_LIMIT,       /* larger or deeper than the caller allows */
  DLF_NO_MEMORY
} dlf_status;

/* What went wrong, for a person; empty after success. */
typedef struct dlf_error {
  char message[240];
} dlf_error;

void dlf_free(void *buffer);

/* ---- Images ---- */

/* 8-bit pixels, rows from the top, without padding: grey (1 channel) or RGB (3). */
typedef struct dlf_image {
  uint8_t *pixels;
  size_t width;
  size_t height;
  size_t channels;
} dlf_image;

/* Decode an image of at most `max_pixels` pixels to `channels` 1 or 3; 0 keeps grey images grey and colours RGB. Colour
 * becomes grey by the luma of ITU-R BT.601; transparent parts are laid over white. */
dlf_status dlf_png_decode(const uint8_t *bytes, size_t count, size_t channels, size_t max_pixels, dlf_image *image,
                          dlf_error *error);
dlf_status dlf_jpeg_decode(const uint8_t *bytes, size_t count, size_t channels, size_t max_pixels, dlf_image *image,
                           dlf_error *error);

/* A PNG file of the image. */
dlf_status dlf_png_encode(const dlf_image *image, uint8_t **bytes, size_t *count, dlf_error *error);

/* ---- Deflate ---- */

/* Inflates a raw deflate stream (no zlib header) that must fill `output` exactly. */
dlf_status dlf_inflate(const uint8_t *bytes, size_t count, uint8_t *output, size_t output_count, dlf_error *error);

/* Deflates into a raw stream. */
dlf_status dlf_deflate(const uint8_t *bytes, size_t count, uint8_t **output, size_t *output_count, dlf_error *error);

/* CRC-32 as in ZIP; `crc` is 0 for the first part. */
uint32_t dlf_crc32(uint32_t crc, const uint8_t *bytes, size_t count);

/* ---- JSON ---- */

typedef enum dlf_json_kind {
  DLF_JSON_NULL,
  DLF_JSON_BOOL,
  DLF_JSON_INTEGER,
  DLF_JSON_REAL,
  DLF_JSON_STRING,
  DLF_JSON_ARRAY,
  DLF_JSON_OBJECT
} dlf_json_kind;

/* A value of a parsed document. Those below the root live as long as the root. */
typedef struct dlf_json dlf_json;

/* Parses UTF-8 text whose arrays and objects nest at most `max_depth` deep. */
dlf_status dlf_json_parse(const uint8_t *text, size_t count, size_t max_depth, dlf_json **root, dlf_error *error);
void dlf_json_release(dlf_json *root);

dlf_json_kind dlf_json_get_kind(const dlf_json *value);

/* The value itself; false, 0 or NULL when it is of another kind. A real is also had from an integer. */
bool dlf_json_bool(const dlf_json *value);
int64_t dlf_json_integer(const dlf_json *value);
double dlf_json_real(const dlf_json *value);
const char *dlf_json_string(const dlf_json *value, size_t *length);

/* Elements of an array, members of an object; 0 for other kinds. */
size_t dlf_json_count(const dlf_json *value);

/* NULL beyond the end, for a missing key, or for another kind. */
const dlf_json *dlf_json_element(const dlf_json *array, size_t index);
const dlf_json *dlf_json_member(const dlf_json *object, const char *key);

/* The members of an object in the order of the text: start with NULL, go on with what was returned, end at NULL. */
typedef struct dlf_json_entry dlf_json_entry;
const dlf_json_entry *dlf_json_next(const dlf_json *object, const dlf_json_entry *entry);
const char *dlf_json_entry_key(const dlf_json_entry *entry);
const dlf_json *dlf_json_entry_value(const dlf_json_entry *entry);

#ifdef __cplusplus
}
#endif
