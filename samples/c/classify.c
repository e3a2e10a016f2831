/* Classifies PNG images with an image model: classify MODEL.onnx IMAGE.png...
 *
 * The model takes [N, 1 or 3, H, W] float32 and gives one score per class. Images are brought to H x W by averaging,
 * their values to 0..1, then normalised as the model's metadata say (docs/cli.md, "Images"). */
#include <dlrt.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CLASSES = 1000, MAX_SIDE = 1024 };

/* Prints what failed, and why; returns 0 when nothing did. */
static int failed(const char *what, dlrt_status status) {
  if (status == DLRT_OK) return 0;
  fprintf(stderr, "%s: %s: %s\n", what, dlrt_status_name(status), dlrt_last_error());
  return 1;
}

static int takes_image(const dlrt_value_info *info) {
  return info->type == DLRT_TYPE_FLOAT32 && info->rank == 4 && (info->dims[1] == 1 || info->dims[1] == 3) &&
         info->dims[2] > 0 && info->dims[2] <= MAX_SIDE && info->dims[3] > 0 && info->dims[3] <= MAX_SIDE;
}

static float metadata_number(const dlrt_model *model, const char *key, float otherwise) {
  const char *text = dlrt_model_metadata(model, key);
  return text ? strtof(text, NULL) : otherwise;
}

/* Reads a PNG file as 8-bit grey or RGB; the caller frees the pixels. */
static unsigned char *read_png(const char *path, int channels, int *width, int *height) {
  png_image png = {.version = PNG_IMAGE_VERSION};
  unsigned char *pixels = NULL;
  if (png_image_begin_read_from_file(&png, path)) {
    png.format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    pixels = malloc(PNG_IMAGE_SIZE(png));
    const png_color white = {255, 255, 255};
    if (pixels && !png_image_finish_read(&png, &white, pixels, 0, NULL)) {
      free(pixels);
      pixels = NULL;
    }
  }
  if (!pixels) fprintf(stderr, "%s: %s\n", path, png.message);
  *width = (int)png.width;
  *height = (int)png.height;
  png_image_free(&png);
  return pixels;
}

/* The mean of the pixels that fall into each cell of an h x w grid, as [channels, h, w] values from 0 to 1. */
static void reduce(const unsigned char *pixels, int width, int height, int channels, float *values, int w, int h) {
  for (int c = 0; c < channels; c++)
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x++) {
        const int top = y * height / h, left = x * width / w;
        const int bottom = (y + 1) * height / h > top ? (y + 1) * height / h : top + 1;
        const int right = (x + 1) * width / w > left ? (x + 1) * width / w : left + 1;
        float sum = 0;
        for (int v = top; v < bottom; v++)
          for (int u = left; u < right; u++) sum += pixels[(v * width + u) * channels + c];
        *values++ = sum / (255.0f * (float)((bottom - top) * (right - left)));
      }
}

/* The class's name: entry number `index` of the comma-separated list, or its number. */
static void print_label(const char *labels, int index) {
  for (int i = 0; labels && i < index; i++) labels = strchr(labels, ',') ? strchr(labels, ',') + 1 : NULL;
  if (labels)
    printf("%.*s", (int)strcspn(labels, ","), labels);
  else
    printf("class %d", index);
}

static int classify(dlrt_session *session, const dlrt_model *model, const dlrt_value_info *info, const char *path) {
  const int channels = (int)info->dims[1], h = (int)info->dims[2], w = (int)info->dims[3];
  const float mean = metadata_number(model, "dlrt.input.mean", 0), std = metadata_number(model, "dlrt.input.std", 1);
  static float values[3 * MAX_SIDE * MAX_SIDE], scores[MAX_CLASSES];

  int width, height;
  unsigned char *pixels = read_png(path, channels, &width, &height);
  if (!pixels) return 1;
  reduce(pixels, width, height, channels, values, w, h);
  free(pixels);
  const int count = channels * h * w;
  for (int i = 0; i < count; i++) values[i] = (values[i] - mean) / std;

  const dlrt_tensor input = {.type = DLRT_TYPE_FLOAT32,
                             .rank = 4,
                             .dims = {1, channels, h, w},
                             .data = values,
                             .byte_size = (size_t)count * sizeof(float)};
  dlrt_tensor output = {.data = scores, .capacity = sizeof scores};
  if (failed(path, dlrt_session_run(session, &input, 1, &output, 1))) return 1;

  const int classes = (int)(output.byte_size / sizeof(float));
  int best = 0;
  for (int i = 1; i < classes; i++)
    if (scores[i] > scores[best]) best = i;
  printf("%s: ", path);
  print_label(dlrt_model_metadata(model, "dlrt.labels"), best);
  printf(" (%.1f %%)\n", (double)scores[best] * 100);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s MODEL.onnx IMAGE.png...\n", argv[0]);
    return 2;
  }
  dlrt_model *model = NULL;
  dlrt_session *session = NULL;
  dlrt_value_info info = {.size = sizeof info};
  int result = failed(argv[1], dlrt_model_load(argv[1], NULL, &model)) ||
               failed(argv[1], dlrt_model_input(model, 0, &info)) ||
               failed(argv[1], dlrt_session_create(model, NULL, &session));
  if (!result && !takes_image(&info)) {
    fprintf(stderr, "%s: '%s' is not an image\n", argv[1], info.name);
    result = 1;
  }
  for (int i = 2; i < argc && !result; i++) result = classify(session, model, &info, argv[i]);
  dlrt_session_release(&session);
  dlrt_model_release(&model);
  return result;
}
