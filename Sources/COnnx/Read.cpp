#include <google/protobuf/arena.h>

#include <memory>
#include <unordered_map>

#include "Proto.hpp"
#include "Wire.hpp"

using google::protobuf::Arena;
using google::protobuf::RepeatedPtrField;
using google::protobuf::UnknownFieldSet;

struct COnnxDocument {
  COnnxKind kind;
  Arena arena;
  google::protobuf::Message *root = nullptr;
  std::vector<COnnxBytes> payloads;
  /// `FunctionProto.attribute_proto`, which the generated classes do not know.
  std::unordered_map<const onnx::FunctionProto *, RepeatedPtrField<onnx::AttributeProto>> defaults;
};

namespace connx {

namespace {

// Fields that are younger than the generated classes.
constexpr int node_overload = 8;
constexpr int function_defaults = 11;
constexpr int function_overload = 13;

COnnxText text(const std::string &string) { return {string.data(), string.size()}; }

COnnxText younger_text(const UnknownFieldSet &fields, int number) {
  COnnxText result = {nullptr, 0};
  for (int i = 0; i < fields.field_count(); ++i) {
    const auto &field = fields.field(i);
    if (field.number() == number && field.type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED)
      result = text(field.length_delimited());
  }
  return result;
}

template <typename List, typename Element>
List list(const RepeatedPtrField<Element> &field, const COnnxDocument *document) {
  return {reinterpret_cast<const void *const *>(field.data()), nullptr, document, static_cast<size_t>(field.size())};
}

template <typename List, typename Element>
List one(bool present, const Element &element, const COnnxDocument *document) {
  return {nullptr, present ? &element : nullptr, document, present ? size_t{1} : size_t{0}};
}

template <typename Values, typename Field>
Values values(const Field &field) {
  return {field.data(), static_cast<size_t>(field.size())};
}

template <typename Message, typename List>
const Message *element(const List &list, size_t index) {
  if (index >= list.count) return nullptr;
  return static_cast<const Message *>(list.items == nullptr ? list.single : list.items[index]);
}

COnnxDimList dims(const onnx::TensorShapeProto &shape, const COnnxDocument *document) {
  return list<COnnxDimList>(shape.dim(), document);
}

COnnxType view(const onnx::TypeProto &type, const COnnxDocument *document) {
  COnnxType result = {};
  auto shaped = [&](COnnxTypeKind kind, const auto &tensor) {
    result.kind = kind;
    result.data_type = tensor.elem_type();
    result.has_shape = tensor.has_shape();
    if (tensor.has_shape()) result.dims = dims(tensor.shape(), document);
  };
  switch (type.value_case()) {
    case onnx::TypeProto::kTensorType:
      shaped(COnnxTypeTensor, type.tensor_type());
      break;
    case onnx::TypeProto::kSparseTensorType:
      shaped(COnnxTypeSparseTensor, type.sparse_tensor_type());
      break;
    case onnx::TypeProto::kSequenceType: {
      const auto &sequence = type.sequence_type();
      result.kind = COnnxTypeSequence;
      result.element = one<COnnxTypeList>(sequence.has_elem_type(), sequence.elem_type(), document);
      break;
    }
    case onnx::TypeProto::kOptionalType: {
      const auto &optional = type.optional_type();
      result.kind = COnnxTypeOptional;
      result.element = one<COnnxTypeList>(optional.has_elem_type(), optional.elem_type(), document);
      break;
    }
    case onnx::TypeProto::kMapType: {
      const auto &map = type.map_type();
      result.kind = COnnxTypeMap;
      result.data_type = map.key_type();
      result.element = one<COnnxTypeList>(map.has_value_type(), map.value_type(), document);
      break;
    }
    case onnx::TypeProto::kOpaqueType:
      result.kind = COnnxTypeOpaque;
      break;
    case onnx::TypeProto::VALUE_NOT_SET:
      break;
  }
  return result;
}

COnnxTensor view(const onnx::TensorProto &tensor, const COnnxDocument *document) {
  COnnxTensor result = {};
  result.name = text(tensor.name());
  result.data_type = tensor.data_type();
  result.dims = values<COnnxInt64s>(tensor.dims());
  result.has_raw = tensor.has_raw_data();
  result.is_external = tensor.data_location() == onnx::TensorProto::EXTERNAL;
  result.has_segment = tensor.has_segment();
  if (result.has_raw) result.raw = payload(document->payloads, tensor.raw_data());
  result.floats = values<COnnxFloats>(tensor.float_data());
  result.doubles = values<COnnxDoubles>(tensor.double_data());
  result.int32s = values<COnnxInt32s>(tensor.int32_data());
  result.int64s = values<COnnxInt64s>(tensor.int64_data());
  result.uint64s = values<COnnxUInt64s>(tensor.uint64_data());
  result.strings = list<COnnxTextList>(tensor.string_data(), document);
  result.external = list<COnnxEntryList>(tensor.external_data(), document);
  return result;
}

COnnxSparseTensor view(const onnx::SparseTensorProto &tensor, const COnnxDocument *document) {
  return {one<COnnxTensorList>(tensor.has_values(), tensor.values(), document),
          one<COnnxTensorList>(tensor.has_indices(), tensor.indices(), document), values<COnnxInt64s>(tensor.dims())};
}

/// Files older than the `type` field leave it to the member that is there.
onnx::AttributeProto::AttributeType kind(const onnx::AttributeProto &attribute) {
  using onnx::AttributeProto;
  if (attribute.has_type()) return attribute.type();
  // A kind that the generated classes do not know ends up here.
  for (int i = 0; i < attribute.unknown_fields().field_count(); ++i)
    if (attribute.unknown_fields().field(i).number() == AttributeProto::kTypeFieldNumber)
      return AttributeProto::UNDEFINED;
  if (attribute.has_f()) return AttributeProto::FLOAT;
  if (attribute.has_i()) return AttributeProto::INT;
  if (attribute.has_s()) return AttributeProto::STRING;
  if (attribute.has_t()) return AttributeProto::TENSOR;
  if (attribute.has_g()) return AttributeProto::GRAPH;
  if (attribute.floats_size() > 0) return AttributeProto::FLOATS;
  if (attribute.ints_size() > 0) return AttributeProto::INTS;
  if (attribute.strings_size() > 0) return AttributeProto::STRINGS;
  if (attribute.tensors_size() > 0) return AttributeProto::TENSORS;
  if (attribute.graphs_size() > 0) return AttributeProto::GRAPHS;
  return AttributeProto::UNDEFINED;
}

COnnxAttribute view(const onnx::AttributeProto &attribute, const COnnxDocument *document) {
  COnnxAttribute result = {};
  const auto type = kind(attribute);
  result.name = text(attribute.name());
  result.reference = text(attribute.ref_attr_name());
  result.kind = static_cast<COnnxAttributeKind>(type);
  switch (type) {
    case onnx::AttributeProto::UNDEFINED:
      break;
    case onnx::AttributeProto::FLOAT:
      result.f = attribute.f();
      break;
    case onnx::AttributeProto::INT:
      result.i = attribute.i();
      break;
    case onnx::AttributeProto::STRING:
      result.s = text(attribute.s());
      break;
    case onnx::AttributeProto::TENSOR:
      result.tensors = one<COnnxTensorList>(attribute.has_t(), attribute.t(), document);
      break;
    case onnx::AttributeProto::GRAPH:
      result.graphs = one<COnnxGraphList>(attribute.has_g(), attribute.g(), document);
      break;
    case onnx::AttributeProto::SPARSE_TENSOR:
      result.sparse_tensors =
          one<COnnxSparseTensorList>(attribute.has_sparse_tensor(), attribute.sparse_tensor(), document);
      break;
    case onnx::AttributeProto::TYPE_PROTO:
      result.types = one<COnnxTypeList>(attribute.has_tp(), attribute.tp(), document);
      break;
    case onnx::AttributeProto::FLOATS:
      result.floats = values<COnnxFloats>(attribute.floats());
      break;
    case onnx::AttributeProto::INTS:
      result.ints = values<COnnxInt64s>(attribute.ints());
      break;
    case onnx::AttributeProto::STRINGS:
      result.strings = list<COnnxTextList>(attribute.strings(), document);
      break;
    case onnx::AttributeProto::TENSORS:
      result.tensors = list<COnnxTensorList>(attribute.tensors(), document);
      break;
    case onnx::AttributeProto::GRAPHS:
      result.graphs = list<COnnxGraphList>(attribute.graphs(), document);
      break;
    case onnx::AttributeProto::SPARSE_TENSORS:
      result.sparse_tensors = list<COnnxSparseTensorList>(attribute.sparse_tensors(), document);
      break;
    case onnx::AttributeProto::TYPE_PROTOS:
      result.types = list<COnnxTypeList>(attribute.type_protos(), document);
      break;
  }
  return result;
}

COnnxNode view(const onnx::NodeProto &node, const COnnxDocument *document) {
  return {text(node.op_type()),
          text(node.domain()),
          younger_text(node.unknown_fields(), node_overload),
          text(node.name()),
          list<COnnxTextList>(node.input(), document),
          list<COnnxTextList>(node.output(), document),
          list<COnnxAttributeList>(node.attribute(), document)};
}

COnnxValueInfo view(const onnx::ValueInfoProto &value, const COnnxDocument *document) {
  return {text(value.name()), one<COnnxTypeList>(value.has_type(), value.type(), document)};
}

COnnxGraph view(const onnx::GraphProto &graph, const COnnxDocument *document) {
  return {text(graph.name()),
          text(graph.doc_string()),
          list<COnnxNodeList>(graph.node(), document),
          list<COnnxTensorList>(graph.initializer(), document),
          list<COnnxSparseTensorList>(graph.sparse_initializer(), document),
          list<COnnxValueInfoList>(graph.input(), document),
          list<COnnxValueInfoList>(graph.output(), document),
          list<COnnxValueInfoList>(graph.value_info(), document)};
}

COnnxFunction view(const onnx::FunctionProto &function, const COnnxDocument *document) {
  const auto defaults = document->defaults.find(&function);
  return {text(function.name()),
          text(function.domain()),
          younger_text(function.unknown_fields(), function_overload),
          list<COnnxTextList>(function.input(), document),
          list<COnnxTextList>(function.output(), document),
          list<COnnxTextList>(function.attribute(), document),
          defaults == document->defaults.end() ? COnnxAttributeList{}
                                               : list<COnnxAttributeList>(defaults->second, document),
          list<COnnxNodeList>(function.node(), document),
          list<COnnxOpsetList>(function.opset_import(), document)};
}

COnnxModel view(const onnx::ModelProto &model, const COnnxDocument *document) {
  return {model.ir_version(),
          model.model_version(),
          text(model.producer_name()),
          text(model.producer_version()),
          text(model.domain()),
          text(model.doc_string()),
          list<COnnxOpsetList>(model.opset_import(), document),
          list<COnnxEntryList>(model.metadata_props(), document),
          one<COnnxGraphList>(model.has_graph(), model.graph(), document),
          list<COnnxFunctionList>(model.functions(), document)};
}

COnnxSequence view(const onnx::SequenceProto &sequence, const COnnxDocument *document) {
  return {text(sequence.name()),
          sequence.elem_type(),
          list<COnnxTensorList>(sequence.tensor_values(), document),
          list<COnnxSparseTensorList>(sequence.sparse_tensor_values(), document),
          list<COnnxSequenceList>(sequence.sequence_values(), document),
          list<COnnxMapList>(sequence.map_values(), document),
          list<COnnxOptionalList>(sequence.optional_values(), document)};
}

COnnxOptional view(const onnx::OptionalProto &optional, const COnnxDocument *document) {
  return {text(optional.name()),
          optional.elem_type(),
          one<COnnxTensorList>(optional.has_tensor_value(), optional.tensor_value(), document),
          one<COnnxSparseTensorList>(optional.has_sparse_tensor_value(), optional.sparse_tensor_value(), document),
          one<COnnxSequenceList>(optional.has_sequence_value(), optional.sequence_value(), document),
          one<COnnxMapList>(optional.has_map_value(), optional.map_value(), document),
          one<COnnxOptionalList>(optional.has_optional_value(), optional.optional_value(), document)};
}

COnnxMap view(const onnx::MapProto &map, const COnnxDocument *document) {
  return {text(map.name()), map.key_type(), values<COnnxInt64s>(map.keys()),
          list<COnnxTextList>(map.string_keys(), document),
          one<COnnxSequenceList>(map.has_values(), map.values(), document)};
}

COnnxText view(const std::string &string, const COnnxDocument *) { return text(string); }

COnnxEntry view(const onnx::StringStringEntryProto &entry, const COnnxDocument *) {
  return {text(entry.key()), text(entry.value())};
}

COnnxOpset view(const onnx::OperatorSetIdProto &opset, const COnnxDocument *) {
  return {text(opset.domain()), opset.version()};
}

COnnxDim view(const onnx::TensorShapeProto_Dimension &dim, const COnnxDocument *) {
  if (dim.has_dim_value()) return {COnnxDimValue, dim.dim_value(), {nullptr, 0}};
  if (dim.has_dim_param()) return {COnnxDimParameter, 0, text(dim.dim_param())};
  return {COnnxDimUnknown, 0, {nullptr, 0}};
}

template <typename View, typename Message, typename List>
View at(const List &list, size_t index) {
  const Message *message = element<Message>(list, index);
  return message == nullptr ? View{} : view(*message, list.document);
}

template <typename View, typename Message>
View root(const COnnxDocument *document, COnnxKind kind) {
  if (document == nullptr || document->kind != kind) return View{};
  return view(*static_cast<const Message *>(document->root), document);
}

void read_defaults(COnnxDocument &document) {
  for (const onnx::FunctionProto &function : static_cast<const onnx::ModelProto *>(document.root)->functions()) {
    const UnknownFieldSet &fields = function.unknown_fields();
    for (int i = 0; i < fields.field_count(); ++i) {
      const auto &field = fields.field(i);
      if (field.number() != function_defaults) continue;
      if (!document.defaults[&function].Add()->ParseFromString(field.length_delimited()))
        throw Failure{COnnxCodeMalformed, "a function's attribute default cannot be decoded"};
    }
  }
}

google::protobuf::Message *new_root(COnnxKind kind, Arena *arena) {
  switch (kind) {
    case COnnxKindModel: return Arena::CreateMessage<onnx::ModelProto>(arena);
    case COnnxKindTensor: return Arena::CreateMessage<onnx::TensorProto>(arena);
    case COnnxKindSequence: return Arena::CreateMessage<onnx::SequenceProto>(arena);
    case COnnxKindOptional: return Arena::CreateMessage<onnx::OptionalProto>(arena);
    case COnnxKindMap: return Arena::CreateMessage<onnx::MapProto>(arena);
  }
  throw Failure{COnnxCodeMalformed, "an unknown kind of document"};
}

}  // namespace

}  // namespace connx

using namespace connx;

const char *connx_error_message(const COnnxError *error) { return error->message; }

COnnxDocument *connx_parse(COnnxKind kind, const void *bytes, size_t count, COnnxError *error) {
  COnnxDocument *result = nullptr;
  guarded(error, [&] {
    if (bytes == nullptr && count > 0) throw Failure{COnnxCodeMalformed, "no bytes"};
    auto document = std::make_unique<COnnxDocument>();
    document->kind = kind;
    document->root = new_root(kind, &document->arena);
    Skeleton skeleton = strip(root_kind(kind), {bytes, count});
    if (!document->root->ParsePartialFromArray(skeleton.bytes.data(), static_cast<int>(skeleton.bytes.size())))
      throw Failure{COnnxCodeMalformed, "a field cannot be decoded"};
    document->payloads = std::move(skeleton.payloads);
    if (kind == COnnxKindModel) read_defaults(*document);
    result = document.release();
  });
  return result;
}

void connx_free(COnnxDocument *document) { delete document; }

COnnxModel connx_model(const COnnxDocument *document) {
  return root<COnnxModel, onnx::ModelProto>(document, COnnxKindModel);
}
COnnxTensor connx_tensor(const COnnxDocument *document) {
  return root<COnnxTensor, onnx::TensorProto>(document, COnnxKindTensor);
}
COnnxSequence connx_sequence(const COnnxDocument *document) {
  return root<COnnxSequence, onnx::SequenceProto>(document, COnnxKindSequence);
}
COnnxOptional connx_optional(const COnnxDocument *document) {
  return root<COnnxOptional, onnx::OptionalProto>(document, COnnxKindOptional);
}
COnnxMap connx_map(const COnnxDocument *document) {
  return root<COnnxMap, onnx::MapProto>(document, COnnxKindMap);
}

#define CONNX_AT(name, View, Message) \
  View connx_##name##_at(View##List list, size_t index) { return at<View, Message>(list, index); }

CONNX_AT(text, COnnxText, std::string)
CONNX_AT(entry, COnnxEntry, onnx::StringStringEntryProto)
CONNX_AT(opset, COnnxOpset, onnx::OperatorSetIdProto)
CONNX_AT(dim, COnnxDim, onnx::TensorShapeProto_Dimension)
CONNX_AT(type, COnnxType, onnx::TypeProto)
CONNX_AT(value_info, COnnxValueInfo, onnx::ValueInfoProto)
CONNX_AT(tensor, COnnxTensor, onnx::TensorProto)
CONNX_AT(sparse_tensor, COnnxSparseTensor, onnx::SparseTensorProto)
CONNX_AT(attribute, COnnxAttribute, onnx::AttributeProto)
CONNX_AT(node, COnnxNode, onnx::NodeProto)
CONNX_AT(graph, COnnxGraph, onnx::GraphProto)
CONNX_AT(function, COnnxFunction, onnx::FunctionProto)
CONNX_AT(sequence, COnnxSequence, onnx::SequenceProto)
CONNX_AT(optional, COnnxOptional, onnx::OptionalProto)
CONNX_AT(map, COnnxMap, onnx::MapProto)
