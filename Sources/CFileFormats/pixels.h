#pragma once

#include "CFileFormats.h"

/* Checks the size of an image that is to be decoded and sets its shape; `native` is the channel count of the file. */
dlf_status dlf_image_plan(dlf_image *image, size_t width, size_t height, size_t native, size_t channels,
                          size_t max_pixels, dlf_error *error);

/* Turns RGB pixels into grey ones, in place. */
void dlf_image_to_grey(dlf_image *image);
