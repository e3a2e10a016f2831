/* Operators of the user's own: the sample's plugin, and definitions that behave badly. The sample's model computes
 * y = Above(Cube(x, gain=2), limit=1) + 0.5 for x: float[N]. */
#include "check.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *path;

static dlrt_status load_with(const dlrt_registry *registry, dlrt_model **model) {
  dlrt_model_options options = DLRT_MODEL_OPTIONS_INIT;
  options.operators = registry;
  return dlrt_model_load(path, &options, model);
}

static dlrt_status run(dlrt_model *model, dlrt_tensor *output) {
  dlrt_session *session = NULL;
  if (dlrt_session_create(model, NULL, &session) != DLRT_OK) return DLRT_ERROR_INTERNAL;
  float x[3] = {0, 1, 2};
  dlrt_tensor input = {.type = DLRT_TYPE_FLOAT32, .rank = 1, .dims = {3}, .data = x, .byte_size = sizeof x};
  dlrt_status status = dlrt_session_run(session, &input, 1, output, 1);
  dlrt_session_release(&session);
  return status;
}

static void test_plugin(const char *plugin) {
  dlrt_registry *registry = NULL;
  dlrt_model *model = NULL;
  CHECK(dlrt_registry_create(&registry) == DLRT_OK);
  CHECK_FAILS(DLRT_ERROR_UNSUPPORTED_MODEL, load_with(registry, &model));
  CHECK(strstr(dlrt_last_error(), "com.example::Cube") && strstr(dlrt_last_error(), "com.example::Above"));
  CHECK(dlrt_registry_load(registry, plugin) == DLRT_OK);
  CHECK_FAILS(DLRT_ERROR_OPERATOR_FAILED, dlrt_registry_load(registry, plugin));
  CHECK(strstr(dlrt_last_error(), "there already") != NULL);
  CHECK(load_with(registry, &model) == DLRT_OK);
  dlrt_registry_release(&registry);
  CHECK(registry == NULL);
  dlrt_tensor output = {0};
  CHECK(run(model, &output) == DLRT_OK);
  CHECK(output.rank == 1 && output.dims[0] == 2 && output.type == DLRT_TYPE_FLOAT32);
  if (output.data) CHECK(((float *)output.data)[0] == 2.5f && ((float *)output.data)[1] == 16.5f);
  dlrt_tensor_release(&output);
  dlrt_model_release(&model);
}

/* What the functions below shall do wrong. */
static enum {
  GOOD,
  READS_NOTHING,
  READS_WRONG_KIND,
  READS_NULL,
  CREATE_FAILS,
  INFER_FAILS,
  INFER_FAILS_SILENTLY,
  NO_TYPE,
  BAD_TYPE,
  BAD_RANK,
  BAD_SIZE,
  WRONG_RANK,
  HUGE_SIZE,
  COMPUTE_FAILS,
  COMPUTE_FAILS_ODDLY,
  NOT_ALLOCATED,
  ALLOCATES_NULL,
  ALLOCATES_WRONG_RANK,
  ALLOCATES_NEGATIVE,
  ALLOCATES_NOTHING_THERE,
  ALLOCATES_TOO_MUCH,
  ATTRIBUTE_IN_COMPUTE,
  NULL_BODY,
  BODIES_FAIL,
} mischief;

static int made, destroyed, released;

static dlrt_status create(dlrt_call *call) {
  const dlrt_operator_api *api = call->api;
  float number = 7, *none = NULL;
  int64_t whole = 0;
  CHECK(call->size == sizeof *call && api->size == sizeof *api && api->abi == DLRT_PLUGIN_ABI);
  CHECK(strcmp(api->version, DLRT_VERSION_STRING) == 0 && api->node_version(call) == 1);
  CHECK(call->input_count == 1 && call->output_count == 1 && call->user_data == &made);
  CHECK(!api->has_attribute(call, "none") && !api->has_attribute(call, NULL));
  CHECK(api->get_float(call, "none", &number) == DLRT_OK && number == 7);
  CHECK(api->allocate(call, 0, 0, NULL) == DLRT_ERROR_OPERATOR_FAILED);
  const char *name = api->has_attribute(call, "gain") ? "gain" : "limit";
  switch (mischief) {
    case READS_NOTHING: return DLRT_OK;
    case READS_WRONG_KIND: return api->get_int(call, name, &whole);
    case READS_NULL: return api->get_float(call, name, none);
    case CREATE_FAILS: return api->fail(call, DLRT_ERROR_UNSUPPORTED_MODEL, "create says no");
    default: break;
  }
  call->state = malloc(1);
  made++;
  return api->get_float(call, name, &number);
}

static void destroy(void *state) {
  CHECK(state != NULL);
  free(state);
  destroyed++;
}

static void release(void *user_data) {
  CHECK(user_data == &made);
  released++;
}

static dlrt_status infer(dlrt_call *call) {
  dlrt_tensor *output = &call->outputs[0];
  CHECK(call->inputs[0].type == DLRT_TYPE_FLOAT32 && call->inputs[0].data == NULL);
  CHECK(call->inputs[0].rank == (mischief == WRONG_RANK && call->inputs[0].rank != 1 ? 5 : 1));
  CHECK(output->type == DLRT_TYPE_UNDEFINED && output->rank == -1 && call->output_count == 1);
  *output = call->inputs[0];
  switch (mischief) {
    case INFER_FAILS: return call->api->fail(call, DLRT_ERROR_INVALID_INPUT, "infer says no");
    case INFER_FAILS_SILENTLY: return DLRT_ERROR_INVALID_INPUT;
    case NO_TYPE: output->type = DLRT_TYPE_UNDEFINED; break;
    case BAD_TYPE: output->type = (dlrt_type)99; break;
    case BAD_RANK: output->rank = DLRT_MAX_RANK + 1; break;
    case BAD_SIZE: output->dims[0] = -77; break;
    case WRONG_RANK: output->rank = 5; break;
    case HUGE_SIZE: output->dims[0] = INT64_MAX / 2; break;
    default: output->dims[0] = -1;
  }
  return DLRT_OK;
}

/* The first failure of all is the first of some part. */
static void fail_twice(void *argument, size_t index) {
  dlrt_call *call = argument;
  (void)index;
  call->api->fail(call, DLRT_ERROR_INVALID_INPUT, "a part of the work says no");
  for (int i = 0; i < 50; i++) call->api->fail(call, DLRT_ERROR_LIMIT_EXCEEDED, "the same part says something else");
}

static dlrt_status compute(dlrt_call *call) {
  const dlrt_operator_api *api = call->api;
  int64_t dims[2] = {3, 1};
  float number;
  switch (mischief) {
    case COMPUTE_FAILS: return api->fail(call, DLRT_ERROR_INVALID_INPUT, "compute says no");
    case COMPUTE_FAILS_ODDLY: return api->fail(call, (dlrt_status)1234, NULL);
    case NOT_ALLOCATED: return DLRT_OK;
    case ALLOCATES_NULL: return api->allocate(call, 0, 1, NULL);
    case ALLOCATES_WRONG_RANK: return api->allocate(call, 0, 2, dims);
    case ALLOCATES_NEGATIVE: return dims[0] = -3, api->allocate(call, 0, 1, dims);
    case ALLOCATES_NOTHING_THERE: return api->allocate(call, SIZE_MAX, 1, dims);
    case ALLOCATES_TOO_MUCH: return dims[0] = INT64_MAX / 8, api->allocate(call, 0, 1, dims);
    case ATTRIBUTE_IN_COMPUTE: return api->get_float(call, "gain", &number);
    case WRONG_RANK: return DLRT_OK;
    case NULL_BODY: return api->parallel(call, 3, NULL, NULL);
    case BODIES_FAIL:
      CHECK(api->allocate(call, 0, 2, dims) == DLRT_ERROR_OPERATOR_FAILED);
      CHECK(api->parallel(call, 64, fail_twice, call) == DLRT_OK);
      return DLRT_ERROR_INVALID_INPUT;
    default: break;
  }
  CHECK(call->outputs[0].data == NULL && call->outputs[0].type == DLRT_TYPE_FLOAT32 && call->outputs[0].rank == -1);
  CHECK(api->check_cancelled(call) == DLRT_OK);
  dlrt_string string;
  CHECK(api->make_string(call, NULL, 1, &string) == DLRT_ERROR_OPERATOR_FAILED);
  CHECK(api->make_string(call, "ab", 2, NULL) == DLRT_ERROR_OPERATOR_FAILED);
  CHECK(api->make_string(call, "ab", 2, &string) == DLRT_OK && string.length == 2 && string.bytes[1] == 'b');
  dlrt_status status = api->allocate(call, 0, 1, dims);
  CHECK(status == DLRT_OK && call->outputs[0].data != NULL && call->outputs[0].byte_size == 3 * sizeof(float));
  for (int i = 0; i < 3; i++) ((float *)call->outputs[0].data)[i] = ((const float *)call->inputs[0].data)[i];
  return DLRT_OK;
}

static dlrt_operator definition(const char *name) {
  dlrt_operator result = DLRT_OPERATOR_INIT("com.example", name, infer, compute);
  result.create = create;
  result.destroy = destroy;
  result.release = release;
  result.user_data = &made;
  return result;
}

static dlrt_registry *registry_of_both(void) {
  dlrt_registry *registry = NULL;
  dlrt_operator cube = definition("Cube"), above = definition("Above");
  CHECK(dlrt_registry_create(&registry) == DLRT_OK);
  CHECK(dlrt_registry_add(registry, &cube) == DLRT_OK && dlrt_registry_add(registry, &above) == DLRT_OK);
  return registry;
}

/* The model is refused, or its run fails: with this status, and a message that names the node and holds the words. */
static void expect(int what, dlrt_status status, const char *words) {
  mischief = what;
  dlrt_registry *registry = registry_of_both();
  dlrt_model *model = NULL;
  dlrt_tensor output = {0};
  dlrt_status got = load_with(registry, &model);
  if (got == DLRT_OK) got = run(model, &output);
  CHECK(got == status);
  if (got != status) fprintf(stderr, "  mischief %d: status %d, expected %d\n", what, got, status);
  CHECK(strstr(dlrt_last_error(), "com.example::Cube node 'cube'") != NULL);
  CHECK(strstr(dlrt_last_error(), words) != NULL);
  dlrt_model_release(&model);
  dlrt_registry_release(&registry);
}

static void test_mischief(void) {
  expect(READS_NOTHING, DLRT_ERROR_UNSUPPORTED_MODEL, "gain");
  expect(READS_WRONG_KIND, DLRT_ERROR_INVALID_MODEL, "wrong type");
  expect(READS_NULL, DLRT_ERROR_OPERATOR_FAILED, "NULL");
  expect(CREATE_FAILS, DLRT_ERROR_UNSUPPORTED_MODEL, "create says no");
  expect(INFER_FAILS, DLRT_ERROR_INVALID_INPUT, "infer says no");
  expect(INFER_FAILS_SILENTLY, DLRT_ERROR_INVALID_INPUT, "infer fails");
  expect(NO_TYPE, DLRT_ERROR_OPERATOR_FAILED, "no element type");
  expect(BAD_TYPE, DLRT_ERROR_OPERATOR_FAILED, "no element type");
  expect(BAD_RANK, DLRT_ERROR_OPERATOR_FAILED, "no valid rank");
  expect(BAD_SIZE, DLRT_ERROR_OPERATOR_FAILED, "no valid size");
  expect(HUGE_SIZE, DLRT_ERROR_LIMIT_EXCEEDED, "large");
  expect(COMPUTE_FAILS, DLRT_ERROR_INVALID_INPUT, "compute says no");
  expect(COMPUTE_FAILS_ODDLY, DLRT_ERROR_OPERATOR_FAILED, "fails");
  expect(NOT_ALLOCATED, DLRT_ERROR_OPERATOR_FAILED, "did not allocate");
  expect(ALLOCATES_NULL, DLRT_ERROR_OPERATOR_FAILED, "NULL");
  expect(ALLOCATES_WRONG_RANK, DLRT_ERROR_OPERATOR_FAILED, "another shape");
  expect(ALLOCATES_NEGATIVE, DLRT_ERROR_OPERATOR_FAILED, "another shape");
  expect(ALLOCATES_NOTHING_THERE, DLRT_ERROR_OPERATOR_FAILED, "no such output");
  expect(ALLOCATES_TOO_MUCH, DLRT_ERROR_LIMIT_EXCEEDED, "");
  expect(ATTRIBUTE_IN_COMPUTE, DLRT_ERROR_OPERATOR_FAILED, "only create");
  expect(NULL_BODY, DLRT_ERROR_OPERATOR_FAILED, "NULL");
  for (int i = 0; i < 20; i++) expect(BODIES_FAIL, DLRT_ERROR_INVALID_INPUT, "a part of the work says no");
}

/* A tensor of another rank than the model says is no error of the operator's: it has no elements, and so it runs. */
static void test_wrong_rank(void) {
  mischief = WRONG_RANK;
  dlrt_registry *registry = registry_of_both();
  dlrt_model *model = NULL;
  dlrt_tensor output = {0};
  CHECK(load_with(registry, &model) == DLRT_OK);
  CHECK(run(model, &output) == DLRT_OK && output.rank == 5 && output.byte_size == 0);
  dlrt_tensor_release(&output);
  dlrt_model_release(&model);
  dlrt_registry_release(&registry);
}

static void test_lives(void) {
  mischief = GOOD;
  made = destroyed = released = 0;
  dlrt_registry *registry = registry_of_both();
  dlrt_model *model = NULL;
  CHECK(load_with(registry, &model) == DLRT_OK);
  dlrt_registry_release(&registry);
  CHECK(released == 0);
  dlrt_tensor output = {0};
  CHECK(run(model, &output) == DLRT_OK);
  if (output.data) CHECK(((float *)output.data)[2] == 2.5f);
  dlrt_tensor_release(&output);
  dlrt_model_release(&model);
  CHECK(made >= 2 && destroyed == made && released == 2);
}

static void test_registration(void) {
  dlrt_registry *registry = NULL;
  dlrt_operator good = definition("Other"), bad;
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_registry_create(NULL));
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_registry_add(NULL, &good));
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_registry_load(NULL, "plugin.so"));
  CHECK(dlrt_registry_create(&registry) == DLRT_OK);
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_registry_add(registry, NULL));
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_registry_load(registry, NULL));
  CHECK_FAILS(DLRT_ERROR_IO, dlrt_registry_load(registry, "no such plugin.so"));
  CHECK(strstr(dlrt_last_error(), "no such plugin.so") != NULL);
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_registry_load(registry, "\xff.so"));
  CHECK_FAILS(DLRT_ERROR_OPERATOR_FAILED, dlrt_registry_load(registry, "/lib/x86_64-linux-gnu/libm.so.6"));
  CHECK(strstr(dlrt_last_error(), "dlrt_plugin_register") != NULL);

#define CHECK_REFUSED(change)                                                      \
  do {                                                                             \
    bad = good;                                                                    \
    change;                                                                        \
    CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_registry_add(registry, &bad));   \
  } while (0)
  CHECK_REFUSED(bad.size = 0);
  CHECK_REFUSED(bad.size = sizeof bad - 1);
  CHECK_REFUSED(bad.name = NULL);
  CHECK_REFUSED(bad.name = "");
  CHECK_REFUSED(bad.domain = NULL);
  CHECK_REFUSED(bad.domain = ""; bad.name = "Conv");
  CHECK_REFUSED(bad.since_version = 0);
  CHECK_REFUSED(bad.flags = 1u << 9);
  CHECK_REFUSED(bad.min_inputs = 3);
  CHECK_REFUSED(bad.max_inputs = UINT32_MAX);
  CHECK_REFUSED(bad.min_outputs = 0);
  CHECK_REFUSED(bad.infer = NULL);
  CHECK_REFUSED(bad.compute = NULL);
  released = 0;
  CHECK(dlrt_registry_add(registry, &good) == DLRT_OK);
  CHECK_FAILS(DLRT_ERROR_INVALID_ARGUMENT, dlrt_registry_add(registry, &good));
  CHECK(released == 0);
  dlrt_registry_release(&registry);
  CHECK(released == 1);
  dlrt_registry_release(&registry);
  dlrt_registry_release(NULL);
}

void test_operators(const char *model, const char *plugin) {
  path = model;
  test_registration();
  test_plugin(plugin);
  test_mischief();
  test_wrong_rank();
  test_lives();
}
