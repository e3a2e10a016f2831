/* Two operators in a plugin for dlrt, in the domain "com.example":
 *
 *   Cube (x: float[…]) -> y: float[…]        y = gain * x^3, with the attribute gain (1 when absent)
 *   Above (x: float[N]) -> y: float[?]       the elements of x that are greater than the attribute limit */
#include <dlrt.h>
#include <stdlib.h>

/* What both make of a node: its only attribute. */
typedef struct {
  float number;
} settings;

static dlrt_status read_settings(dlrt_call *call, const char *attribute, float fallback) {
  settings *made = malloc(sizeof *made);
  if (made == NULL) return call->api->fail(call, DLRT_ERROR_LIMIT_EXCEEDED, "no memory");
  made->number = fallback;
  dlrt_status status = call->api->get_float(call, attribute, &made->number);
  if (status != DLRT_OK) {
    free(made);
    return status;
  }
  call->state = made;
  return DLRT_OK;
}

/* ---- Cube: as many outputs as inputs, computed in parallel ---- */

enum { CHUNK = 4096 };

typedef struct {
  const float *x;
  float *y;
  size_t count;
  float gain;
} cube_work;

static void cube_chunk(void *argument, size_t index) {
  const cube_work *work = argument;
  size_t end = (index + 1) * CHUNK < work->count ? (index + 1) * CHUNK : work->count;
  for (size_t i = index * CHUNK; i < end; i++) work->y[i] = work->gain * work->x[i] * work->x[i] * work->x[i];
}

static dlrt_status cube_create(dlrt_call *call) { return read_settings(call, "gain", 1); }

static dlrt_status cube_infer(dlrt_call *call) {
  if (call->inputs[0].type != DLRT_TYPE_FLOAT32)
    return call->api->fail(call, DLRT_ERROR_UNSUPPORTED_MODEL, "x must be float32");
  call->outputs[0] = call->inputs[0];
  return DLRT_OK;
}

static dlrt_status cube_compute(dlrt_call *call) {
  const settings *settings = call->state;
  cube_work work = {call->inputs[0].data, call->outputs[0].data, call->inputs[0].byte_size / sizeof(float),
                    settings->number};
  return call->api->parallel(call, (work.count + CHUNK - 1) / CHUNK, cube_chunk, &work);
}

/* ---- Above: the data decide how many outputs there are ---- */

static dlrt_status above_create(dlrt_call *call) {
  if (!call->api->has_attribute(call, "limit"))
    return call->api->fail(call, DLRT_ERROR_INVALID_MODEL, "the attribute 'limit' is missing");
  return read_settings(call, "limit", 0);
}

static dlrt_status above_infer(dlrt_call *call) {
  if (call->inputs[0].type != DLRT_TYPE_FLOAT32 || call->inputs[0].rank != 1)
    return call->api->fail(call, DLRT_ERROR_UNSUPPORTED_MODEL, "x must be float32 of rank 1");
  call->outputs[0].type = DLRT_TYPE_FLOAT32;
  call->outputs[0].rank = 1;
  call->outputs[0].dims[0] = -1;
  return DLRT_OK;
}

static dlrt_status above_compute(dlrt_call *call) {
  const settings *settings = call->state;
  const float *x = call->inputs[0].data;
  size_t count = call->inputs[0].byte_size / sizeof *x;
  int64_t found = 0;
  for (size_t i = 0; i < count; i++) found += x[i] > settings->number;
  dlrt_status status = call->api->allocate(call, 0, 1, &found);
  if (status != DLRT_OK) return status;
  float *y = call->outputs[0].data;
  for (size_t i = 0; i < count; i++) {
    if (x[i] > settings->number) *y++ = x[i];
  }
  return DLRT_OK;
}

DLRT_PLUGIN dlrt_status dlrt_plugin_register(const dlrt_operator_api *api, dlrt_registry *registry) {
  dlrt_operator cube = DLRT_OPERATOR_INIT("com.example", "Cube", cube_infer, cube_compute);
  cube.create = cube_create;
  cube.destroy = free;
  dlrt_operator above = DLRT_OPERATOR_INIT("com.example", "Above", above_infer, above_compute);
  above.create = above_create;
  above.destroy = free;
  dlrt_status status = api->add(registry, &cube);
  return status == DLRT_OK ? api->add(registry, &above) : status;
}
