/// ONNX files as flat C views: the only door to protobuf.
///
/// A document is parsed from bytes that its owner keeps alive and unchanged: every `raw_data`, wherever it is nested,
/// is left where it lies and appears as a pointer into those bytes. Everything else belongs to the document. Views are
/// plain structs with borrowed pointers; they are valid as long as the document is.
///
/// No function throws, aborts on malformed bytes, or keeps global state; documents may be read from many threads.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// MARK: Errors

typedef enum {
  COnnxCodeNone = 0,
  /// The bytes are not a protobuf message of the expected kind.
  COnnxCodeMalformed = 1,
  /// The message is well formed but exceeds a bound on nesting, message count or size.
  COnnxCodeLimit = 2,
  /// Memory ran out.
  COnnxCodeMemory = 3,
  /// The sink of a writer refused bytes.
  COnnxCodeSink = 4,
} COnnxCode;

typedef struct {
  COnnxCode code;
  char message[252];
} COnnxError;

/// The error's text, always NUL-terminated.
const char *connx_error_message(const COnnxError *error);

// MARK: Documents

typedef enum {
  COnnxKindModel = 0,
  COnnxKindTensor = 1,
  COnnxKindSequence = 2,
  COnnxKindOptional = 3,
  COnnxKindMap = 4,
} COnnxKind;

typedef struct COnnxDocument COnnxDocument;

/// Parses `bytes` as a message of `kind`. Returns null and fills `error` on failure.
COnnxDocument *connx_parse(COnnxKind kind, const void *bytes, size_t count, COnnxError *error);
/// Frees a document; null is allowed.
void connx_free(COnnxDocument *document);

// MARK: Plain values

/// Bytes of a string field: not terminated, may hold NUL or invalid UTF-8.
typedef struct {
  const char *bytes;
  size_t count;
} COnnxText;

typedef struct {
  const void *bytes;
  size_t count;
} COnnxBytes;

typedef struct {
  const float *values;
  size_t count;
} COnnxFloats;

typedef struct {
  const double *values;
  size_t count;
} COnnxDoubles;

typedef struct {
  const int32_t *values;
  size_t count;
} COnnxInt32s;

typedef struct {
  const int64_t *values;
  size_t count;
} COnnxInt64s;

typedef struct {
  const uint64_t *values;
  size_t count;
} COnnxUInt64s;

// MARK: Lists
//
// A list is a counted handle; its elements are read one at a time by `…_at`, which answers an index out of range with
// an all-zero view. An optional message is a list of none or one.

#define CONNX_LIST(Name)             \
  typedef struct {                   \
    const void *const *items;        \
    const void *single;              \
    const COnnxDocument *document;   \
    size_t count;                    \
  } Name

CONNX_LIST(COnnxTextList);
CONNX_LIST(COnnxEntryList);
CONNX_LIST(COnnxOpsetList);
CONNX_LIST(COnnxDimList);
CONNX_LIST(COnnxTypeList);
CONNX_LIST(COnnxValueInfoList);
CONNX_LIST(COnnxTensorList);
CONNX_LIST(COnnxSparseTensorList);
CONNX_LIST(COnnxAttributeList);
CONNX_LIST(COnnxNodeList);
CONNX_LIST(COnnxGraphList);
CONNX_LIST(COnnxFunctionList);
CONNX_LIST(COnnxSequenceList);
CONNX_LIST(COnnxOptionalList);
CONNX_LIST(COnnxMapList);

#undef CONNX_LIST

// MARK: Views

typedef struct {
  COnnxText key, value;
} COnnxEntry;

typedef struct {
  COnnxText domain;
  int64_t version;
} COnnxOpset;

typedef enum {
  COnnxDimUnknown = 0,
  COnnxDimValue = 1,
  COnnxDimParameter = 2,
} COnnxDimKind;

typedef struct {
  COnnxDimKind kind;
  int64_t value;
  COnnxText parameter;
} COnnxDim;

typedef enum {
  COnnxTypeNone = 0,
  COnnxTypeTensor = 1,
  COnnxTypeSparseTensor = 2,
  COnnxTypeSequence = 3,
  COnnxTypeOptional = 4,
  COnnxTypeMap = 5,
  COnnxTypeOpaque = 6,
} COnnxTypeKind;

typedef struct {
  COnnxTypeKind kind;
  /// The element type of a tensor, the key type of a map.
  int32_t data_type;
  bool has_shape;
  COnnxDimList dims;
  /// The element of a sequence or optional, the value of a map.
  COnnxTypeList element;
} COnnxType;

typedef struct {
  COnnxText name;
  COnnxTypeList type;
} COnnxValueInfo;

typedef struct {
  COnnxText name;
  int32_t data_type;
  COnnxInt64s dims;
  bool has_raw, is_external, has_segment;
  /// Inside the bytes that were parsed.
  COnnxBytes raw;
  COnnxFloats floats;
  COnnxDoubles doubles;
  COnnxInt32s int32s;
  COnnxInt64s int64s;
  COnnxUInt64s uint64s;
  COnnxTextList strings;
  COnnxEntryList external;
} COnnxTensor;

typedef struct {
  COnnxTensorList values, indices;
  COnnxInt64s dims;
} COnnxSparseTensor;

/// The numbers are those of `AttributeProto.AttributeType`.
typedef enum {
  COnnxAttributeUndefined = 0,
  COnnxAttributeFloat = 1,
  COnnxAttributeInt = 2,
  COnnxAttributeString = 3,
  COnnxAttributeTensor = 4,
  COnnxAttributeGraph = 5,
  COnnxAttributeFloats = 6,
  COnnxAttributeInts = 7,
  COnnxAttributeStrings = 8,
  COnnxAttributeTensors = 9,
  COnnxAttributeGraphs = 10,
  COnnxAttributeSparseTensor = 11,
  COnnxAttributeSparseTensors = 12,
  COnnxAttributeType = 13,
  COnnxAttributeTypes = 14,
} COnnxAttributeKind;

/// Only the member that `kind` names is filled; a single message appears as a list of one.
typedef struct {
  COnnxText name, reference;
  COnnxAttributeKind kind;
  float f;
  int64_t i;
  COnnxText s;
  COnnxFloats floats;
  COnnxInt64s ints;
  COnnxTextList strings;
  COnnxTensorList tensors;
  COnnxSparseTensorList sparse_tensors;
  COnnxGraphList graphs;
  COnnxTypeList types;
} COnnxAttribute;

typedef struct {
  COnnxText op_type, domain, overload, name;
  COnnxTextList inputs, outputs;
  COnnxAttributeList attributes;
} COnnxNode;

typedef struct {
  COnnxText name, doc;
  COnnxNodeList nodes;
  COnnxTensorList initializers;
  COnnxSparseTensorList sparse_initializers;
  COnnxValueInfoList inputs, outputs, values;
} COnnxGraph;

typedef struct {
  COnnxText name, domain, overload;
  COnnxTextList inputs, outputs, attributes;
  /// Attributes with a default.
  COnnxAttributeList defaults;
  COnnxNodeList nodes;
  COnnxOpsetList opsets;
} COnnxFunction;

typedef struct {
  int64_t ir_version, model_version;
  COnnxText producer_name, producer_version, domain, doc;
  COnnxOpsetList opsets;
  COnnxEntryList metadata;
  COnnxGraphList graph;
  COnnxFunctionList functions;
} COnnxModel;

typedef struct {
  COnnxText name;
  /// 0 undefined, 1 tensor, 2 sparse tensor, 3 sequence, 4 map, 5 optional.
  int32_t element_kind;
  COnnxTensorList tensors;
  COnnxSparseTensorList sparse_tensors;
  COnnxSequenceList sequences;
  COnnxMapList maps;
  COnnxOptionalList optionals;
} COnnxSequence;

/// Like a sequence of at most one element.
typedef COnnxSequence COnnxOptional;

typedef struct {
  COnnxText name;
  int32_t key_type;
  COnnxInt64s keys;
  COnnxTextList string_keys;
  COnnxSequenceList values;
} COnnxMap;

COnnxText connx_text_at(COnnxTextList list, size_t index);
COnnxEntry connx_entry_at(COnnxEntryList list, size_t index);
COnnxOpset connx_opset_at(COnnxOpsetList list, size_t index);
COnnxDim connx_dim_at(COnnxDimList list, size_t index);
COnnxType connx_type_at(COnnxTypeList list, size_t index);
COnnxValueInfo connx_value_info_at(COnnxValueInfoList list, size_t index);
COnnxTensor connx_tensor_at(COnnxTensorList list, size_t index);
COnnxSparseTensor connx_sparse_tensor_at(COnnxSparseTensorList list, size_t index);
COnnxAttribute connx_attribute_at(COnnxAttributeList list, size_t index);
COnnxNode connx_node_at(COnnxNodeList list, size_t index);
COnnxGraph connx_graph_at(COnnxGraphList list, size_t index);
COnnxFunction connx_function_at(COnnxFunctionList list, size_t index);
COnnxSequence connx_sequence_at(COnnxSequenceList list, size_t index);
COnnxOptional connx_optional_at(COnnxOptionalList list, size_t index);
COnnxMap connx_map_at(COnnxMapList list, size_t index);

/// The root of a document; all-zero if the document is of another kind.
COnnxModel connx_model(const COnnxDocument *document);
COnnxTensor connx_tensor(const COnnxDocument *document);
COnnxSequence connx_sequence(const COnnxDocument *document);
COnnxOptional connx_optional(const COnnxDocument *document);
COnnxMap connx_map(const COnnxDocument *document);

// MARK: Files

/// Opens a regular file below a directory for reading, without leaving that directory at any moment, symbolic links
/// included. `path` is relative. Returns the descriptor, or a negated `errno`: `EXDEV` or `ELOOP` where a link leads
/// out, `EINVAL` for what is no regular file.
int connx_open_beneath(const char *directory, const char *path);

// MARK: Writing
//
// A writer owns a tree of messages; the `…Writer` handles point into it. Tensor payloads are borrowed until
// `connx_write` has returned, and go from the caller's memory to the sink without a copy. Where memory runs out, the
// writer remembers it and `connx_write` reports it.

typedef struct COnnxWriter COnnxWriter;

#define CONNX_WRITER(Name)  \
  typedef struct {          \
    void *message;          \
    COnnxWriter *writer;    \
  } Name

CONNX_WRITER(COnnxModelWriter);
CONNX_WRITER(COnnxFunctionWriter);
CONNX_WRITER(COnnxGraphWriter);
CONNX_WRITER(COnnxNodeWriter);
CONNX_WRITER(COnnxAttributeWriter);
CONNX_WRITER(COnnxTensorWriter);
CONNX_WRITER(COnnxTypeWriter);
CONNX_WRITER(COnnxSequenceWriter);
CONNX_WRITER(COnnxOptionalWriter);
CONNX_WRITER(COnnxMapWriter);

#undef CONNX_WRITER

/// Takes the next bytes of the message; false stops the writing.
typedef bool (*COnnxSink)(void *context, const void *bytes, size_t count);

/// Null if memory ran out.
COnnxWriter *connx_writer(COnnxKind kind);
void connx_writer_free(COnnxWriter *writer);
/// Serialises the writer's message into `sink`. False, with `error` filled, on failure.
bool connx_write(COnnxWriter *writer, COnnxSink sink, void *context, COnnxError *error);

/// The root of a writer, which must be of that kind.
COnnxModelWriter connx_writer_model(COnnxWriter *writer);
COnnxTensorWriter connx_writer_tensor(COnnxWriter *writer);
COnnxSequenceWriter connx_writer_sequence(COnnxWriter *writer);
COnnxOptionalWriter connx_writer_optional(COnnxWriter *writer);
COnnxMapWriter connx_writer_map(COnnxWriter *writer);

void connx_set_versions(COnnxModelWriter model, int64_t ir_version, int64_t model_version);
void connx_set_producer(COnnxModelWriter model, COnnxText name, COnnxText version);
void connx_set_description(COnnxModelWriter model, COnnxText domain, COnnxText doc);
void connx_add_opset(COnnxModelWriter model, COnnxText domain, int64_t version);
void connx_add_metadata(COnnxModelWriter model, COnnxText key, COnnxText value);
COnnxGraphWriter connx_set_graph(COnnxModelWriter model, COnnxText name, COnnxText doc);

COnnxNodeWriter connx_add_node(COnnxGraphWriter graph, COnnxText op_type, COnnxText domain, COnnxText name);
COnnxTensorWriter connx_add_initializer(COnnxGraphWriter graph, COnnxText name);
COnnxTypeWriter connx_add_graph_input(COnnxGraphWriter graph, COnnxText name);
COnnxTypeWriter connx_add_graph_output(COnnxGraphWriter graph, COnnxText name);
COnnxTypeWriter connx_add_value_info(COnnxGraphWriter graph, COnnxText name);

void connx_add_node_input(COnnxNodeWriter node, COnnxText name);
void connx_add_node_output(COnnxNodeWriter node, COnnxText name);
COnnxAttributeWriter connx_add_attribute(COnnxNodeWriter node, COnnxText name, COnnxAttributeKind kind);

void connx_set_float(COnnxAttributeWriter attribute, float value);
void connx_set_int(COnnxAttributeWriter attribute, int64_t value);
void connx_set_string(COnnxAttributeWriter attribute, COnnxText value);
void connx_add_float(COnnxAttributeWriter attribute, float value);
void connx_add_int(COnnxAttributeWriter attribute, int64_t value);
void connx_add_string(COnnxAttributeWriter attribute, COnnxText value);
/// The attribute's kind decides between the single member and the list.
COnnxTensorWriter connx_add_attribute_tensor(COnnxAttributeWriter attribute);
COnnxGraphWriter connx_add_attribute_graph(COnnxAttributeWriter attribute, COnnxText name);
COnnxTypeWriter connx_add_attribute_type(COnnxAttributeWriter attribute);

/// A tensor type without a shape; `connx_set_shape` and the `dim` functions give it one.
void connx_set_tensor_type(COnnxTypeWriter type, int32_t data_type);
void connx_set_shape(COnnxTypeWriter type);
void connx_add_dim(COnnxTypeWriter type, COnnxDim dim);
COnnxTypeWriter connx_set_sequence_type(COnnxTypeWriter type);
COnnxTypeWriter connx_set_optional_type(COnnxTypeWriter type);
COnnxTypeWriter connx_set_map_type(COnnxTypeWriter type, int32_t key_type);

void connx_set_tensor(COnnxTensorWriter tensor, COnnxText name, int32_t data_type, COnnxInt64s dims);
/// `raw` stays the caller's and must live until the writer has written.
void connx_set_raw(COnnxTensorWriter tensor, COnnxBytes raw);
void connx_add_tensor_string(COnnxTensorWriter tensor, COnnxText value);

void connx_set_sequence(COnnxSequenceWriter sequence, COnnxText name, int32_t element_kind);
COnnxTensorWriter connx_add_sequence_tensor(COnnxSequenceWriter sequence);
COnnxSequenceWriter connx_add_sequence_sequence(COnnxSequenceWriter sequence);
COnnxOptionalWriter connx_add_sequence_optional(COnnxSequenceWriter sequence);
COnnxMapWriter connx_add_sequence_map(COnnxSequenceWriter sequence);

/// An optional without an element is written by setting none.
void connx_set_optional(COnnxOptionalWriter optional, COnnxText name, int32_t element_kind);
COnnxTensorWriter connx_set_optional_tensor(COnnxOptionalWriter optional);
COnnxSequenceWriter connx_set_optional_sequence(COnnxOptionalWriter optional);
COnnxOptionalWriter connx_set_optional_optional(COnnxOptionalWriter optional);
COnnxMapWriter connx_set_optional_map(COnnxOptionalWriter optional);

void connx_set_map(COnnxMapWriter map, COnnxText name, int32_t key_type);
void connx_add_map_key(COnnxMapWriter map, int64_t key);
void connx_add_map_string_key(COnnxMapWriter map, COnnxText key);
COnnxSequenceWriter connx_set_map_values(COnnxMapWriter map);

#ifdef __cplusplus
}
#endif
