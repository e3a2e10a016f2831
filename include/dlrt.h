/* dlrt: runs ONNX models. The C interface of libdlrt.so.1.
 *
 * In short:
 *
 *   dlrt_model *model = NULL;
 *   dlrt_session *session = NULL;
 *   float pixels[64], scores[10];
 *   dlrt_tensor input = {.type = DLRT_TYPE_FLOAT32, .rank = 4, .dims = {1, 1, 8, 8},
 *                        .data = pixels, .byte_size = sizeof pixels};
 *   dlrt_tensor output = {.data = scores, .capacity = sizeof scores};
 *
 *   if (dlrt_model_load("digits.onnx", NULL, &model) != DLRT_OK ||
 *       dlrt_session_create(model, NULL, &session) != DLRT_OK ||
 *       dlrt_session_run(session, &input, 1, &output, 1) != DLRT_OK)
 *     fprintf(stderr, "%s\n", dlrt_last_error());
 *   dlrt_session_release(&session);
 *   dlrt_model_release(&model);
 *
 * Errors. Every function that can fail returns a status; dlrt_last_error() then says what happened, in words, on the
 * same thread. A function that fails leaves its results as they were, or NULL for handles; of a run that fails, see
 * dlrt_tensor. Paths are UTF-8.
 *
 * Ownership. What is created here is released here, by the function of the same name. Release functions take the
 * address of the handle, set it to NULL, and accept NULL, so releasing twice is harmless. Strings and arrays that a
 * function hands out belong to the object they came from and live as long as it does.
 *
 * Threads. A model may be used from many threads at once, and so may a session: runs do not disturb each other. No
 * object may be released while another thread uses it.
 *
 * Compatibility. Structures that may grow begin with their size; a program built against an older header keeps
 * running with a newer library of the same major version. */
#ifndef DLRT_H
#define DLRT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DLRT_VERSION_MAJOR 0
#define DLRT_VERSION_MINOR 1
#define DLRT_VERSION_PATCH 0
#define DLRT_VERSION_STRING "0.1.0"

/* ---- Status ---- */

typedef enum dlrt_status {
  DLRT_OK = 0,
  DLRT_ERROR_INVALID_MODEL = 1,      /* the model's bytes or its graph break the format or the standard */
  DLRT_ERROR_UNSUPPORTED_MODEL = 2,  /* well formed, but uses what is not implemented: the message lists all of it */
  DLRT_ERROR_INVALID_INPUT = 3,      /* an input does not fit the model: name, element type, shape or values */
  DLRT_ERROR_INVALID_ARGUMENT = 4,   /* a null pointer, a wrong size, an index out of range */
  DLRT_ERROR_LIMIT_EXCEEDED = 5,     /* memory: the caller's limit or the system's */
  DLRT_ERROR_CANCELLED = 6,          /* by dlrt_session_cancel, or by the session's timeout */
  DLRT_ERROR_IO = 7,                 /* a file could not be opened, read or mapped */
  DLRT_ERROR_INTERNAL = 8,           /* a promise inside dlrt was broken: please report it */
  DLRT_ERROR_OPERATOR_FAILED = 9,    /* an operator of the user's own failed, or broke its promises */
  DLRT_ERROR_BUFFER_TOO_SMALL = 32   /* an output does not fit the caller's buffer; byte_size says what it needs */
} dlrt_status;

/* What went wrong in the last call that failed on this thread; "" when none has. Never NULL; valid until the next
 * failure on this thread. */
const char *dlrt_last_error(void);

/* The name of a status, as in "INVALID_MODEL"; "UNKNOWN" for a number that is none. */
const char *dlrt_status_name(dlrt_status status);

/* The library's version, as in "0.1.0". */
const char *dlrt_version(void);

/* The instruction set that the kernels use on this machine: "avx512vnni", "avx512", "avx2" or "baseline". */
const char *dlrt_isa(void);

/* ---- Element types ---- */

/* The numbers are ONNX's (TensorProto.DataType). Types below eight bits take one byte an element. */
typedef enum dlrt_type {
  DLRT_TYPE_UNDEFINED = 0, /* not a tensor, or not known */
  DLRT_TYPE_FLOAT32 = 1,
  DLRT_TYPE_UINT8 = 2,
  DLRT_TYPE_INT8 = 3,
  DLRT_TYPE_UINT16 = 4,
  DLRT_TYPE_INT16 = 5,
  DLRT_TYPE_INT32 = 6,
  DLRT_TYPE_INT64 = 7,
  DLRT_TYPE_STRING = 8, /* elements are dlrt_string */
  DLRT_TYPE_BOOL = 9,   /* one byte, 0 or 1 */
  DLRT_TYPE_FLOAT16 = 10,
  DLRT_TYPE_FLOAT64 = 11,
  DLRT_TYPE_UINT32 = 12,
  DLRT_TYPE_UINT64 = 13,
  DLRT_TYPE_COMPLEX64 = 14,  /* two float32: real, imaginary */
  DLRT_TYPE_COMPLEX128 = 15, /* two float64: real, imaginary */
  DLRT_TYPE_BFLOAT16 = 16,
  DLRT_TYPE_FLOAT8E4M3FN = 17,
  DLRT_TYPE_FLOAT8E4M3FNUZ = 18,
  DLRT_TYPE_FLOAT8E5M2 = 19,
  DLRT_TYPE_FLOAT8E5M2FNUZ = 20,
  DLRT_TYPE_UINT4 = 21,
  DLRT_TYPE_INT4 = 22,
  DLRT_TYPE_FLOAT4E2M1 = 23,
  DLRT_TYPE_FLOAT8E8M0 = 24,
  DLRT_TYPE_UINT2 = 25,
  DLRT_TYPE_INT2 = 26,
  DLRT_TYPE_FLOAT6E2M3 = 27,
  DLRT_TYPE_FLOAT6E3M2 = 28
} dlrt_type;

/* An element of a string tensor: bytes, UTF-8 as a rule, with no closing zero. */
typedef struct dlrt_string {
  const char *bytes;
  size_t length;
} dlrt_string;

/* The bytes of one element; 0 for a type that is unknown. */
size_t dlrt_type_size(dlrt_type type);

/* The name of a type, as in "float32"; "undefined" for one that is unknown. */
const char *dlrt_type_name(dlrt_type type);

/* ---- Models ---- */

/* A loaded model: its graph and weights. It does not change, and sessions keep it alive. */
typedef struct dlrt_model dlrt_model;

/* Operators of the user's own, see below. */
typedef struct dlrt_registry dlrt_registry;

/* How a model is loaded. Zero in a field is the default; start from DLRT_MODEL_OPTIONS_INIT. */
typedef struct dlrt_model_options {
  size_t size;                    /* sizeof(dlrt_model_options) */
  uint64_t flags;                 /* DLRT_NO_OPTIMIZE */
  const dlrt_registry *operators; /* what the model may use beside dlrt's operators; the registry may go afterwards */
} dlrt_model_options;

#define DLRT_MODEL_OPTIONS_INIT {sizeof(dlrt_model_options), 0, NULL}

/* Takes the graph as it is in the file, without rewriting it for speed. */
#define DLRT_NO_OPTIMIZE 1u

/* Loads an ONNX file; `options` may be NULL. The weights stay in the mapped file where kernels can use them there, so
 * the file must not change while the model lives. */
dlrt_status dlrt_model_load(const char *path, const dlrt_model_options *options, dlrt_model **model);

/* Loads an ONNX model from memory. The bytes are copied: they may go when the function returns. */
dlrt_status dlrt_model_load_memory(const void *bytes, size_t size, const dlrt_model_options *options,
                                   dlrt_model **model);

void dlrt_model_release(dlrt_model **model);

/* An input or output, as the model declares it. The caller sets `size`; pointers belong to the model. */
typedef struct dlrt_value_info {
  size_t size;                /* sizeof(dlrt_value_info) */
  const char *name;
  dlrt_type type;             /* DLRT_TYPE_UNDEFINED when it is no tensor (a sequence, say) */
  int32_t rank;               /* number of dimensions, 0 for a scalar; -1 when the model leaves it open */
  const int64_t *dims;        /* `rank` sizes, outermost first; -1 where the model leaves the size open */
  const char *const *symbols; /* `rank` names of open sizes ("N", "2 * T"); NULL where a size has none */
} dlrt_value_info;

/* The number of inputs that the caller provides, and of outputs; 0 when `model` is NULL. */
size_t dlrt_model_input_count(const dlrt_model *model);
size_t dlrt_model_output_count(const dlrt_model *model);

dlrt_status dlrt_model_input(const dlrt_model *model, size_t index, dlrt_value_info *info);
dlrt_status dlrt_model_output(const dlrt_model *model, size_t index, dlrt_value_info *info);

/* The model's metadata (ONNX metadata_props) under a key; NULL when there is none. */
const char *dlrt_model_metadata(const dlrt_model *model, const char *key);

/* ---- Sessions ---- */

/* How a session runs its model. Zero in a field is the default; start from DLRT_SESSION_OPTIONS_INIT. */
typedef struct dlrt_session_options {
  size_t size;           /* sizeof(dlrt_session_options) */
  uint32_t threads;      /* threads a run may use; 0: as many as the process may use, 1: none but the caller's */
  uint32_t plans;        /* plans that are kept, one for each combination of input shapes; 0: 8 */
  uint64_t memory_limit; /* bytes that one run may take for its values; 0: no limit */
  uint64_t timeout_ns;   /* a run that takes longer ends with DLRT_ERROR_CANCELLED; 0: no limit */
  uint64_t seed;         /* where random operators without a seed of their own start; 0: elsewhere in every run */
} dlrt_session_options;

#define DLRT_SESSION_OPTIONS_INIT {sizeof(dlrt_session_options), 0, 0, 0, 0, 0}

/* What runs a model: plans for the shapes it has seen, memory for runs under way. */
typedef struct dlrt_session dlrt_session;

/* `options` may be NULL. The model may be released before the session. */
dlrt_status dlrt_session_create(const dlrt_model *model, const dlrt_session_options *options,
                                dlrt_session **session);

void dlrt_session_release(dlrt_session **session);

#define DLRT_MAX_RANK 16

/* A tensor: dense, row-major elements. Set fields that are not used to zero.
 *
 * As an input it is only read: type, rank, dims, data and byte_size, which must be what type and dims require.
 *
 * As an output, `data` and `capacity` say where the result goes; the run fills in type, rank, dims and byte_size.
 *   data != NULL, owner == NULL: the caller's buffer of `capacity` bytes. When the result is larger the run fails with
 *     DLRT_ERROR_BUFFER_TOO_SMALL, and byte_size of every output that is too small says what it needs.
 *   data == NULL: the library provides the memory and sets data, capacity and owner, until dlrt_tensor_release.
 *   owner != NULL: memory from an earlier run; the run releases it and provides anew.
 * Strings, and everything they point to, always come in memory that the library provides: with a buffer of the caller's
 * for them the run fails.
 * When a run fails, what the caller's buffers hold is undefined; all else stays, but for byte_size as said above. */
typedef struct dlrt_tensor {
  const char *name; /* the model's name for it; NULL: its position in the array is its position in the model */
  dlrt_type type;
  int32_t rank;
  int64_t dims[DLRT_MAX_RANK];
  void *data;
  size_t byte_size; /* bytes that the elements take */
  size_t capacity;  /* bytes there is room for at `data`; outputs only */
  void *owner;      /* the library's; NULL in tensors that the caller makes */
} dlrt_tensor;

/* Runs the model: `inputs` must hold every input that the model requires, `outputs` those that are wanted. Buffers
 * of the caller are used in place, and must stay until the run returns. */
dlrt_status dlrt_session_run(dlrt_session *session, const dlrt_tensor *inputs, size_t input_count, dlrt_tensor *outputs,
                             size_t output_count);

/* Brings the packed weights of the session's plans to memory for good. Without it the first run that needs them keeps
 * next to none, so that one run waits for little, and each later run keeps a quarter; a program that wants equal
 * latencies from the second run on calls this after the first. */
dlrt_status dlrt_session_settle(dlrt_session *session);

/* Releases the memory of an output if the library provided it, and nulls data, byte_size, capacity and owner.
 * Accepts NULL. */
void dlrt_tensor_release(dlrt_tensor *tensor);

/* Ends the session's runs, those under way and those to come, with DLRT_ERROR_CANCELLED, until dlrt_session_resume.
 * May be called from any thread, and from a signal handler. */
void dlrt_session_cancel(dlrt_session *session);
void dlrt_session_resume(dlrt_session *session);

/* ---- Operators of the user's own ----
 *
 * An operator is a dlrt_operator: its name, and functions that say what its outputs are and compute them. A program
 * adds it to a registry and loads models with that registry. A plugin is a shared library that does so for others, for
 * `dlrt run --plugin` too: it defines dlrt_plugin_register (see DLRT_PLUGIN) and needs this header, but not libdlrt.
 *
 *   static dlrt_status infer(dlrt_call *call) {
 *     call->outputs[0] = call->inputs[0];
 *     return DLRT_OK;
 *   }
 *
 *   static dlrt_status compute(dlrt_call *call) {
 *     const float *x = call->inputs[0].data;
 *     float *y = call->outputs[0].data;
 *     size_t count = call->inputs[0].byte_size / sizeof *x;
 *     for (size_t i = 0; i < count; i++) y[i] = 2 * x[i];
 *     return DLRT_OK;
 *   }
 *
 *   DLRT_PLUGIN dlrt_status dlrt_plugin_register(const dlrt_operator_api *api, dlrt_registry *registry) {
 *     dlrt_operator twice = DLRT_OPERATOR_INIT("com.example", "Twice", infer, compute);
 *     return api->add(registry, &twice);
 *   }
 *
 * Failure. A function that returns another status than DLRT_OK ends the load or the run with it; the message names node
 * and operator, and says what api->fail was told. */

typedef struct dlrt_operator_api dlrt_operator_api;

/* What a function of an operator is called with. Nothing that it points to may be kept beyond the call. */
typedef struct dlrt_call {
  size_t size;                  /* sizeof(dlrt_call) */
  const dlrt_operator_api *api; /* what dlrt does for the operator */
  void *user_data;              /* the definition's */
  void *state;                  /* the node's: what create has put here */
  const dlrt_tensor *inputs;    /* absent optional ones have the type DLRT_TYPE_UNDEFINED */
  size_t input_count;
  dlrt_tensor *outputs;
  size_t output_count;
  void *library; /* dlrt's own */
} dlrt_call;

/* An operator. Start from DLRT_OPERATOR_INIT; dlrt copies it and its strings. */
typedef struct dlrt_operator {
  size_t size;           /* sizeof(dlrt_operator) */
  const char *domain;    /* as models import it, "com.example" */
  const char *name;
  int32_t since_version; /* the first version of the domain's operator set that has it: at least 1 */
  uint32_t flags;        /* DLRT_OPERATOR_RANDOM */
  uint32_t min_inputs;
  uint32_t max_inputs;
  uint32_t min_outputs;
  uint32_t max_outputs;
  void *user_data;

  /* Reads the attributes of one node at load, all of them, and puts what it makes of them into call->state; of inputs
   * and outputs there are only the numbers. May be NULL for an operator without attributes. A node may be made several
   * times. When it fails, it has freed what it has made: the state is not used. */
  dlrt_status (*create)(dlrt_call *call);

  /* Frees a node's state, if that is not NULL. May be NULL. */
  void (*destroy)(void *state);

  /* Sets type, rank and dims of every output, from those of the inputs; it is called at load, and for each new
   * combination of the inputs' sizes, and must answer alike for alike inputs. Sizes that are not known at load are
   * negative: equal numbers are equal sizes, and may be copied to outputs; -1 is a size of which nothing is known. When
   * the inputs' sizes are known and an output has -1 among its dims, or rank -1, the data decide: compute allocates
   * that output. `data` of an input is NULL unless its elements are the same in every run. Outputs come with type
   * DLRT_TYPE_UNDEFINED and rank -1. */
  dlrt_status (*infer)(dlrt_call *call);

  /* Computes the outputs into their `data`; inputs may only be read. One that nobody reads has the type
   * DLRT_TYPE_UNDEFINED, one that must be allocated (api->allocate) has `data` NULL. It may be called by several
   * threads at once. */
  dlrt_status (*compute)(dlrt_call *call);

  /* Frees user_data when neither registry nor model needs the definition any more; a definition that is refused leaves
   * it to the caller. May be NULL. */
  void (*release)(void *user_data);
} dlrt_operator;

/* One input, one output, no attributes: change what is otherwise. */
#define DLRT_OPERATOR_INIT(domain, name, infer, compute) \
  {sizeof(dlrt_operator), domain, name, 1, 0, 1, 1, 1, 1, NULL, NULL, NULL, infer, compute, NULL}

/* Equal inputs may give other outputs: the node is not computed at load, nor merged with an equal one. */
#define DLRT_OPERATOR_RANDOM 1u

#define DLRT_PLUGIN_ABI 1

/* What dlrt does for operators. Members are only added at the end. */
struct dlrt_operator_api {
  size_t size;         /* what the library at hand has */
  uint32_t abi;        /* DLRT_PLUGIN_ABI of that library */
  const char *version; /* the library's, as in "0.1.0" */

  /* Adds an operator to a registry; fails for one that is there already, in the registry or in dlrt. */
  dlrt_status (*add)(dlrt_registry *registry, const dlrt_operator *definition);

  /* Says why a function fails, and returns the status. */
  dlrt_status (*fail)(dlrt_call *call, dlrt_status status, const char *message);

  /* For create: the version of its operator set that the node was written for. */
  int64_t (*node_version)(dlrt_call *call);

  /* For create: attributes. A function whose attribute the node does not have leaves the results as they are and
   * returns DLRT_OK; one whose attribute is of another kind fails. An attribute of the node that create does not read
   * is an error. What pointers point to is dlrt's, until create returns. */
  int (*has_attribute)(dlrt_call *call, const char *name);
  dlrt_status (*get_int)(dlrt_call *call, const char *name, int64_t *value);
  dlrt_status (*get_float)(dlrt_call *call, const char *name, float *value);
  dlrt_status (*get_string)(dlrt_call *call, const char *name, dlrt_string *value);
  dlrt_status (*get_ints)(dlrt_call *call, const char *name, const int64_t **values, size_t *count);
  dlrt_status (*get_floats)(dlrt_call *call, const char *name, const float **values, size_t *count);
  dlrt_status (*get_strings)(dlrt_call *call, const char *name, const dlrt_string **values, size_t *count);
  dlrt_status (*get_tensor)(dlrt_call *call, const char *name, dlrt_tensor *value);

  /* For compute: gives an output whose size is open its shape and memory, zeros, in call->outputs; one that nobody
   * reads gets none. */
  dlrt_status (*allocate)(dlrt_call *call, size_t output, int32_t rank, const int64_t *dims);

  /* For compute: copies bytes to where an element of an output may refer to them. */
  dlrt_status (*make_string)(dlrt_call *call, const void *bytes, size_t length, dlrt_string *string);

  /* For compute: calls body(argument, i) for every i below count, on the run's threads, and returns when all are done.
   * The calls must be independent. They may call fail, check_cancelled and make_string; what fails first among them is
   * what a failing compute fails with. */
  dlrt_status (*parallel)(dlrt_call *call, size_t count, void (*body)(void *argument, size_t index), void *argument);

  /* For compute, in long loops: fails when the run shall stop. */
  dlrt_status (*check_cancelled)(dlrt_call *call);
};

/* What a plugin defines: DLRT_PLUGIN dlrt_status dlrt_plugin_register(const dlrt_operator_api *, dlrt_registry *). */
typedef dlrt_status (*dlrt_plugin_entry)(const dlrt_operator_api *api, dlrt_registry *registry);

#ifdef __cplusplus
#define DLRT_PLUGIN extern "C" __attribute__((visibility("default")))
#else
#define DLRT_PLUGIN __attribute__((visibility("default")))
#endif

/* An empty registry. */
dlrt_status dlrt_registry_create(dlrt_registry **registry);

void dlrt_registry_release(dlrt_registry **registry);

/* Adds an operator, as dlrt_operator_api.add does. */
dlrt_status dlrt_registry_add(dlrt_registry *registry, const dlrt_operator *definition);

/* Adds the operators of a plugin, which stays loaded as long as the process lives. A path without a slash is a file in
 * the current folder. */
dlrt_status dlrt_registry_load(dlrt_registry *registry, const char *path);

#ifdef __cplusplus
}
#endif

#endif
