/* Image decoders of the system's libraries, loaded when the first image of their kind comes: a program that decodes no
 * images needs none of them.
 *
 * All input may be hostile: sizes are checked before memory is taken, and every failure is a status and a message. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dlc_status {
  DLC_OK = 0,
  DLC_MALFORMED, /* the bytes are no such image */
  DLC_LIMIT,     /* more pixels than the caller allows, more components than pixels have, or no memory */
  DLC_MISSING    /* the library is not installed, or was not there when dlrt was built */
} dlc_status;

typedef enum dlc_kind { DLC_JPEG, DLC_JPEG2000, DLC_PNG, DLC_TIFF, DLC_WEBP } dlc_kind;

/* 8-bit RGB pixels, rows from the top, without padding. Transparency is dropped. */
typedef struct dlc_image {
  uint8_t *pixels;
  size_t width;
  size_t height;
  char message[160]; /* what went wrong, for a person */
} dlc_image;

/* Decodes an image of at most `max_pixels` pixels. After DLC_OK `dlc_release` frees the pixels. */
dlc_status dlc_decode(dlc_kind kind, const uint8_t *bytes, size_t count, size_t max_pixels, dlc_image *image);
void dlc_release(dlc_image *image);

#ifdef __cplusplus
}
#endif
