/* The C interface as a client meets it: interface MODEL PLUGIN_MODEL PLUGIN, where MODEL is the sample digit classifier
 * and the others those of samples/plugin. */
#include "check.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS = 64, CLASSES = 10, THREADS = 4, RUNS = 50 };

int checks, failures;

static float image[PIXELS];
static const char *model_path;

static dlrt_tensor input_of(float *pixels, int64_t count) {
  return (dlrt_tensor){.type = DLRT_TYPE_FLOAT32,
                       .rank = 4,
                       .dims = {count, 1, 8, 8},
                       .data = pixels,
                       .byte_size = (size_t)count * PIXELS * sizeof(float)};
}

static dlrt_model *load(void) {
  dlrt_model *model = NULL;
  if (dlrt_model_load(model_path, NULL, &model) != DLRT_OK) {
    fprintf(stderr, "%s: %s\n", model_path, dlrt_last_error());
    exit(1);
  }
  return model;
}

static dlrt_session *start(const dlrt_model *model) {
  dlrt_session *session = NULL;
  if (dlrt_session_create(model, NULL, &session) != DLRT_OK) {
    fprintf(stderr, "session: %s\n", dlrt_last_error());
    exit(1);
  }
  return session;
}

static void test_constants(void) {
  CHECK(strcmp(dlrt_version(), DLRT_VERSION_STRING) == 0);
  CHECK(strcmp(dlrt_status_name(DLRT_OK), "OK") == 0);
  CHECK(strcmp(dlrt_status_name(DLRT_ERROR_BUFFER_TOO_SMALL), "BUFFER_TOO_SMALL") == 0);
  CHECK(strcmp(dlrt_status_name((dlrt_status)999), "UNKNOWN") == 0);
  CHECK(strstr("avx512vnni avx512 avx2 baseline", dlrt_isa()) != NULL);
  CHECK(dlrt_type_size(DLRT_TYPE_FLOAT32) == 4);
  CHECK(dlrt_type_size(DLRT_TYPE_STRING) == sizeof(dlrt_string));
  CHECK(dlrt_type_size(DLRT_TYPE_INT4) == 1);
  CHECK(dlrt_type_size((dlrt_type)999) == 0);
  CHECK(strcmp(dlrt_type_name(DLRT_TYPE_BFLOAT16), "bfloat16") == 0);
  CHECK(strcmp(dlrt_type_name((dlrt_type)999), "undefined") == 0);
}

static void test_null_arguments(void) {
  dlrt_model *model = NULL;
  dlrt_session *session = NULL;
  dlrt_value_info info = {.size = sizeof info};
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_model_load(NULL, NULL, &model));
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_model_load(model_path, NULL, NULL));
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_model_load_memory(NULL, 10, NULL, &model));
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_model_load_memory("", 0, NULL, NULL));
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_model_input(NULL, 0, &info));
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_model_output(NULL, 0, &info));
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_session_create(NULL, NULL, &session));
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_session_run(NULL, NULL, 0, NULL, 0));
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_session_settle(NULL));
  CHECK(dlrt_model_input_count(NULL) == 0 && dlrt_model_output_count(NULL) == 0);
  CHECK(dlrt_model_metadata(NULL, "key") == NULL);
  dlrt_model_release(NULL);
  dlrt_model_release(&model);
  dlrt_session_release(NULL);
  dlrt_session_release(&session);
  dlrt_session_cancel(NULL);
  dlrt_session_resume(NULL);
  dlrt_tensor_release(NULL);

  model = load();
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_session_create(model, NULL, NULL));
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_model_input(model, 0, NULL));
  CHECK(dlrt_model_metadata(model, NULL) == NULL);
  session = start(model);
  dlrt_tensor input = input_of(image, 1), output = {0};
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_session_run(session, NULL, 1, &output, 1));
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_session_run(session, &input, 1, NULL, 1));
  dlrt_session_release(&session);
  CHECK(session == NULL);
  dlrt_session_release(&session);
  dlrt_model_release(&model);
  CHECK(model == NULL);
}

static unsigned char *read_model(size_t *size) {
  FILE *file = fopen(model_path, "rb");
  unsigned char *bytes = malloc(1 << 20);
  *size = fread(bytes, 1, 1 << 20, file);
  fclose(file);
  return bytes;
}

static void test_loading(void) {
  dlrt_model *model = NULL;
  CHECK_FAILS(DLRT_ERROR_IO, dlrt_model_load("/nonexistent/model.onnx", NULL, &model));
  CHECK(model == NULL && strstr(dlrt_last_error(), "/nonexistent/model.onnx") != NULL);
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_model_load("\xff.onnx", NULL, &model));
  CHECK(model == NULL && strstr(dlrt_last_error(), "not UTF-8") != NULL);
  CHECK_FAILS(DLRT_ERROR_INVALID_MODEL, dlrt_model_load_memory("\xff\xff\xff", 3, NULL, &model));
  CHECK(model == NULL);

  size_t size;
  unsigned char *bytes = read_model(&size);
  for (size_t length = 0; length < size; length += 97) {
    unsigned char *part = malloc(length ? length : 1);
    memcpy(part, bytes, length);
    CHECK(dlrt_model_load_memory(part, length, NULL, &model) != DLRT_OK && model == NULL);
    dlrt_model_release(&model);
    free(part);
  }

  CHECK(dlrt_model_load_memory(bytes, size, NULL, &model) == DLRT_OK);
  memset(bytes, 0xA5, size);
  free(bytes);
  dlrt_session *session = start(model);
  dlrt_model_release(&model);
  float scores[CLASSES];
  dlrt_tensor input = input_of(image, 1), output = {.data = scores, .capacity = sizeof scores};
  CHECK(dlrt_session_run(session, &input, 1, &output, 1) == DLRT_OK);
  dlrt_session_release(&session);
}

static void test_inspection(void) {
  dlrt_model *model = load();
  CHECK(dlrt_model_input_count(model) == 1 && dlrt_model_output_count(model) == 1);
  dlrt_value_info info = {.size = sizeof info};
  CHECK(dlrt_model_input(model, 0, &info) == DLRT_OK);
  CHECK(strcmp(info.name, "image") == 0 && info.type == DLRT_TYPE_FLOAT32 && info.rank == 4);
  CHECK(info.dims[0] == -1 && strcmp(info.symbols[0], "N") == 0);
  CHECK(info.dims[1] == 1 && info.dims[2] == 8 && info.dims[3] == 8 && info.symbols[3] == NULL);
  CHECK(dlrt_model_output(model, 0, &info) == DLRT_OK);
  CHECK(strcmp(info.name, "probabilities") == 0 && info.rank == 2 && info.dims[1] == CLASSES);
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_model_input(model, 1, &info));
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_model_output(model, (size_t)-1, &info));
  CHECK(strstr(dlrt_last_error(), "-1") == NULL);
  struct {
    dlrt_value_info known;
    uint64_t unknown;
  } newer = {.known = {.size = sizeof newer}, .unknown = 42};
  CHECK(dlrt_model_input(model, 0, &newer.known) == DLRT_OK);
  CHECK(newer.known.rank == 4 && newer.known.size == sizeof newer && newer.unknown == 0);
  info.size = 3;
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_model_input(model, 0, &info));
  CHECK(strcmp(dlrt_model_metadata(model, "dlrt.labels"), "0,1,2,3,4,5,6,7,8,9") == 0);
  CHECK(dlrt_model_metadata(model, "no such key") == NULL);
  dlrt_model_release(&model);
}

static void test_options(void) {
  dlrt_model *model = NULL;
  dlrt_session *session = NULL;
  dlrt_model_options loading = DLRT_MODEL_OPTIONS_INIT;
  loading.flags = 1u << 31;
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_model_load(model_path, &loading, &model));
  loading.flags = DLRT_NO_OPTIMIZE;
  CHECK(dlrt_model_load(model_path, &loading, &model) == DLRT_OK);

  dlrt_session_options options = DLRT_SESSION_OPTIONS_INIT;
  options.threads = 2;
  options.plans = 1;
  options.seed = 7;
  CHECK(dlrt_session_create(model, &options, &session) == DLRT_OK);
  dlrt_session_release(&session);

  options = (dlrt_session_options)DLRT_SESSION_OPTIONS_INIT;
  options.threads = UINT32_MAX;
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_session_create(model, &options, &session));
  options = (dlrt_session_options){0};
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_session_create(model, &options, &session));
  options.size = SIZE_MAX;
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_session_create(model, &options, &session));

  /* A client of a newer version: fields that this library does not know must be zero. */
  struct {
    dlrt_session_options known;
    uint64_t unknown;
  } newer = {.known = DLRT_SESSION_OPTIONS_INIT};
  newer.known.size = sizeof newer;
  CHECK(dlrt_session_create(model, &newer.known, &session) == DLRT_OK);
  dlrt_session_release(&session);
  newer.unknown = 1;
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_session_create(model, &newer.known, &session));
  CHECK(session == NULL);

  options = (dlrt_session_options)DLRT_SESSION_OPTIONS_INIT;
  options.memory_limit = 16;
  CHECK(dlrt_session_create(model, &options, &session) == DLRT_OK);
  dlrt_tensor input = input_of(image, 1), output = {0};
  CHECK_FAILS(DLRT_ERROR_LIMIT_EXCEEDED, dlrt_session_run(session, &input, 1, &output, 1));
  CHECK(output.data == NULL && output.owner == NULL);
  dlrt_session_release(&session);

  options = (dlrt_session_options)DLRT_SESSION_OPTIONS_INIT;
  options.timeout_ns = 1;
  CHECK(dlrt_session_create(model, &options, &session) == DLRT_OK);
  CHECK_FAILS(DLRT_ERROR_CANCELLED, dlrt_session_run(session, &input, 1, &output, 1));
  dlrt_session_release(&session);
  dlrt_model_release(&model);
}

static void test_outputs(void) {
  dlrt_model *model = load();
  dlrt_session *session = start(model);
  float scores[CLASSES + 1], sum = 0;
  scores[CLASSES] = 42;

  dlrt_tensor input = input_of(image, 1);
  dlrt_tensor output = {.data = scores, .capacity = sizeof scores};
  CHECK(dlrt_session_run(session, &input, 1, &output, 1) == DLRT_OK);
  CHECK(output.data == scores && output.owner == NULL && output.byte_size == CLASSES * sizeof(float));
  CHECK(output.type == DLRT_TYPE_FLOAT32 && output.rank == 2 && output.dims[0] == 1 && output.dims[1] == CLASSES);
  for (int i = 0; i < CLASSES; i++) sum += scores[i];
  CHECK(fabsf(sum - 1) < 1e-5f && scores[CLASSES] == 42);

  dlrt_tensor provided = {.name = "probabilities"};
  CHECK(dlrt_session_run(session, &input, 1, &provided, 1) == DLRT_OK);
  CHECK(provided.data != NULL && provided.owner != NULL && provided.byte_size == CLASSES * sizeof(float));
  CHECK(memcmp(provided.data, scores, provided.byte_size) == 0);

  float batch[3 * PIXELS];
  for (int i = 0; i < 3; i++) memcpy(batch + i * PIXELS, image, sizeof image);
  dlrt_tensor many = input_of(batch, 3);
  CHECK(dlrt_session_run(session, &many, 1, &provided, 1) == DLRT_OK);
  CHECK(provided.dims[0] == 3 && provided.byte_size == 3 * CLASSES * sizeof(float));
  for (int i = 0; i < 3 * CLASSES; i++) CHECK(fabsf(((float *)provided.data)[i] - scores[i % CLASSES]) < 1e-5f);
  dlrt_tensor_release(&provided);
  CHECK(provided.data == NULL && provided.owner == NULL && provided.capacity == 0);
  dlrt_tensor_release(&provided);

  dlrt_tensor small = {.data = scores, .capacity = CLASSES * sizeof(float) - 1};
  CHECK_FAILS(DLRT_ERROR_BUFFER_TOO_SMALL, dlrt_session_run(session, &input, 1, &small, 1));
  CHECK(small.byte_size == CLASSES * sizeof(float));

  CHECK(dlrt_session_run(session, &input, 1, NULL, 0) == DLRT_OK);
  dlrt_tensor stranger = {.name = "no such output"};
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_session_run(session, &input, 1, &stranger, 1));
  CHECK(strstr(dlrt_last_error(), "no such output") != NULL);
  dlrt_tensor two[2] = {{0}};
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_session_run(session, &input, 1, two, 2));
  dlrt_session_release(&session);
  dlrt_model_release(&model);
}

/* y = Neg(x) for x: float32[2], s = Identity(t) for t: string[1]. */
static const unsigned char mixed_model[] = {
    8, 8, 18, 0, 58, 106, 10, 13, 10, 1, 120, 18, 1, 121, 26, 0, 34, 3, 78, 101, 103, 10, 18, 10, 1, 116, 18, 1, 115,
    26, 0, 34, 8, 73, 100, 101, 110, 116, 105, 116, 121, 18, 1, 103, 90, 15, 10, 1, 120, 18, 10, 10, 8, 8, 1, 18, 4,
    10, 2, 8, 2, 90, 15, 10, 1, 116, 18, 10, 10, 8, 8, 8, 18, 4, 10, 2, 8, 1, 98, 15, 10, 1, 121, 18, 10, 10, 8, 8, 1,
    18, 4, 10, 2, 8, 2, 98, 15, 10, 1, 115, 18, 10, 10, 8, 8, 8, 18, 4, 10, 2, 8, 1, 66, 4, 10, 0, 16, 13};

static void test_failing_outputs(void) {
  dlrt_model *model = NULL;
  CHECK(dlrt_model_load_memory(mixed_model, sizeof mixed_model, NULL, &model) == DLRT_OK);
  dlrt_session *session = start(model);
  float x[2] = {1, 2}, y[2] = {77, 77};
  char text[64];
  dlrt_string t = {"abc", 3};
  dlrt_tensor inputs[2] = {{.type = DLRT_TYPE_FLOAT32, .rank = 1, .dims = {2}, .data = x, .byte_size = sizeof x},
                           {.type = DLRT_TYPE_STRING, .rank = 1, .dims = {1}, .data = &t, .byte_size = sizeof t}};

  /* Strings do not go into a buffer, whatever its size; then no output is delivered. */
  for (size_t capacity = 0; capacity <= sizeof text; capacity += sizeof text) {
    dlrt_tensor outputs[2] = {{0}, {.data = text, .capacity = capacity}};
    CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_session_run(session, inputs, 2, outputs, 2));
    CHECK(strstr(dlrt_last_error(), "data must be NULL") != NULL);
    CHECK(outputs[0].data == NULL && outputs[0].owner == NULL && outputs[0].type == DLRT_TYPE_UNDEFINED);
  }

  /* Room without end. */
  dlrt_tensor outputs[2] = {{.data = y, .capacity = SIZE_MAX}, {0}};
  CHECK(dlrt_session_run(session, inputs, 2, outputs, 2) == DLRT_OK);
  CHECK(outputs[0].data == y && y[0] == -1 && y[1] == -2 && outputs[0].byte_size == sizeof y);
  CHECK(outputs[1].data != NULL && ((dlrt_string *)outputs[1].data)->length == 3);
  dlrt_tensor_release(&outputs[1]);

  t.length = (size_t)-5;
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_session_run(session, inputs, 2, outputs, 2));
  CHECK(strstr(dlrt_last_error(), "too long") != NULL);
  dlrt_session_release(&session);
  dlrt_model_release(&model);
}

static void test_inputs(void) {
  dlrt_model *model = load();
  dlrt_session *session = start(model);
  float scores[CLASSES], again[CLASSES];
  dlrt_tensor good = input_of(image, 1), bad;
  dlrt_tensor output = {.data = scores, .capacity = sizeof scores};
  dlrt_tensor repeated = {.data = again, .capacity = sizeof again};
  good.name = "image";
  CHECK(dlrt_session_run(session, &good, 1, &output, 1) == DLRT_OK);

  char bytes[sizeof image + 1];
  memcpy(bytes + 1, image, sizeof image);
  dlrt_tensor unaligned = good;
  unaligned.data = bytes + 1;
  CHECK(dlrt_session_run(session, &unaligned, 1, &repeated, 1) == DLRT_OK);
  CHECK(memcmp(scores, again, sizeof scores) == 0);

#define CHECK_REFUSED(status, change)                                                  \
  do {                                                                                 \
    bad = good;                                                                        \
    change;                                                                            \
    CHECK_FAILS(status, dlrt_session_run(session, &bad, 1, &output, 1));               \
  } while (0)
  CHECK_REFUSED(DLRT_ERROR_INVALID_INPUT, bad.type = DLRT_TYPE_INT32);
  CHECK_REFUSED(DLRT_ERROR_INVALID_INPUT, bad.rank = 5; bad.dims[4] = 1);
  CHECK_REFUSED(DLRT_ERROR_INVALID_INPUT, bad.dims[1] = 2; bad.dims[2] = 4);
  CHECK_REFUSED(DLRT_ERROR_INVALID_INPUT, bad.name = "picture");
  CHECK_REFUSED(DLRT_ERROR_INVALID_ARGUMENT, bad.type = (dlrt_type)999);
  CHECK_REFUSED(DLRT_ERROR_INVALID_ARGUMENT, bad.type = DLRT_TYPE_UNDEFINED);
  CHECK_REFUSED(DLRT_ERROR_INVALID_ARGUMENT, bad.rank = -1);
  CHECK_REFUSED(DLRT_ERROR_INVALID_ARGUMENT, bad.rank = DLRT_MAX_RANK + 1);
  CHECK_REFUSED(DLRT_ERROR_INVALID_ARGUMENT, bad.dims[0] = -1);
  CHECK_REFUSED(DLRT_ERROR_INVALID_ARGUMENT, bad.dims[0] = INT64_MAX);
  CHECK_REFUSED(DLRT_ERROR_INVALID_ARGUMENT, bad.byte_size -= 1);
  CHECK_REFUSED(DLRT_ERROR_INVALID_ARGUMENT, bad.byte_size = SIZE_MAX);
  CHECK(strstr(dlrt_last_error(), "-1") == NULL);
  CHECK_REFUSED(DLRT_ERROR_INVALID_ARGUMENT, bad.data = NULL);

  dlrt_tensor twice[2] = {good, good};
  CHECK_FAILS(DLRT_ERROR_INVALID_INPUT, dlrt_session_run(session, twice, 2, &output, 1));
  CHECK_FAILS(DLRT_ERROR_INVALID_INPUT, dlrt_session_run(session, NULL, 0, &output, 1));
  CHECK(strstr(dlrt_last_error(), "image") != NULL);

  /* Inputs are only read, also by operators that work in place. */
  float before[PIXELS];
  memcpy(before, image, sizeof image);
  CHECK(dlrt_session_run(session, &good, 1, &output, 1) == DLRT_OK);
  CHECK(memcmp(before, image, sizeof image) == 0);

  /* An output buffer of any alignment. */
  dlrt_tensor crooked = {.data = bytes + 1, .capacity = sizeof image};
  CHECK(dlrt_session_run(session, &good, 1, &crooked, 1) == DLRT_OK);
  CHECK(memcmp(bytes + 1, scores, sizeof scores) == 0);
  dlrt_session_release(&session);
  dlrt_model_release(&model);
}

static void test_cancel(void) {
  dlrt_model *model = load();
  dlrt_session *session = start(model);
  dlrt_tensor input = input_of(image, 1), output = {0};
  dlrt_session_cancel(session);
  CHECK_FAILS(DLRT_ERROR_CANCELLED, dlrt_session_run(session, &input, 1, &output, 1));
  CHECK_FAILS(DLRT_ERROR_CANCELLED, dlrt_session_run(session, &input, 1, &output, 1));
  dlrt_session_resume(session);
  CHECK(dlrt_session_run(session, &input, 1, &output, 1) == DLRT_OK);
  float first[CLASSES];
  memcpy(first, output.data, sizeof first);
  dlrt_tensor_release(&output);
  CHECK(dlrt_session_settle(session) == DLRT_OK);
  CHECK(dlrt_session_run(session, &input, 1, &output, 1) == DLRT_OK);
  CHECK(memcmp(output.data, first, sizeof first) == 0);
  dlrt_tensor_release(&output);
  dlrt_session_release(&session);
  dlrt_model_release(&model);
}

struct worker {
  dlrt_session *session;
  const float *expected;
  int is_right;
};

static void *work(void *argument) {
  struct worker *worker = argument;
  worker->is_right = dlrt_last_error()[0] == 0;
  float scores[CLASSES];
  dlrt_tensor input = input_of(image, 1);
  for (int i = 0; i < RUNS; i++) {
    dlrt_tensor output = {0};
    if (i % 2) output = (dlrt_tensor){.data = scores, .capacity = sizeof scores};
    worker->is_right &= dlrt_session_run(worker->session, &input, 1, &output, 1) == DLRT_OK &&
                        memcmp(output.data, worker->expected, sizeof scores) == 0;
    dlrt_tensor_release(&output);
  }
  return NULL;
}

static void test_threads(void) {
  dlrt_model *model = load();
  dlrt_session *session = start(model);
  float expected[CLASSES];
  dlrt_tensor input = input_of(image, 1), output = {.data = expected, .capacity = sizeof expected};
  CHECK(dlrt_session_run(session, &input, 1, &output, 1) == DLRT_OK);
  CHECK(dlrt_session_run(session, NULL, 0, NULL, 0) != DLRT_OK);

  pthread_t threads[THREADS];
  struct worker workers[THREADS];
  for (int i = 0; i < THREADS; i++) {
    workers[i] = (struct worker){.session = session, .expected = expected};
    pthread_create(&threads[i], NULL, work, &workers[i]);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    CHECK(workers[i].is_right);
  }
  dlrt_session_release(&session);
  dlrt_model_release(&model);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  model_path = argv[1];
  for (int i = 0; i < PIXELS; i++) image[i] = sinf((float)i);
  test_constants();
  test_null_arguments();
  test_loading();
  test_inspection();
  test_options();
  test_outputs();
  test_failing_outputs();
  test_inputs();
  test_cancel();
  test_threads();
  test_operators(argv[2], argv[3]);
  printf("C interface: %d checks, %d failed\n", checks, failures);
  return failures != 0;
}
